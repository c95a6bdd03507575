import { describe, expect, it } from 'vitest';
import { clusterUrl, other } from './fakes.ts';
import { campaignId, campaignUrl, location, logUrl, running, succeeded, withJobs } from './job-log.ts';
import { expectProblem } from './support.ts';

describe('GET log', () => {
  it.each(['info', 'environment', 'script', 'stdout', 'stderr'])('reads %s as text', async (kind) => {
    const api = await withJobs(running);
    api.logs.write('12345', 'größe\n');
    const response = await api.request('GET', `${logUrl(kind)}?pageToken=5`);

    expect(response.statusCode).toBe(200);
    expect(response.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(response.body).toBe('größe\n');
    expect(response.headers['log-end']).toBe('true');
    expect(response.headers['accept-ranges']).toBe('bytes');
    expect(response.headers.link).toBe(`<${logUrl(kind)}?pageToken=13>; rel="next"`);
    expect(api.logs.asked).toEqual([{ location, campaignId, jobKey: 'sim-1', kind, pageToken: '5' }]);
  });

  it('leads no further when everything is there', async () => {
    const api = await withJobs(succeeded);
    api.logs.write('end');
    const response = await api.request('GET', logUrl());

    expect(response.headers.link).toBeUndefined();
  });

  it('sends what is not UTF-8 as bytes, unchanged', async () => {
    const api = await withJobs(running);
    const content = new Uint8Array([0xff, 0x00, 0xfe]);
    api.logs.write(content, 'b', 'c');
    const response = await api.request('GET', logUrl());

    expect(response.headers['content-type']).toBe('application/octet-stream');
    expect([...response.rawPayload]).toEqual([...content, 0x62]);
    expect(response.headers['log-end']).toBe('false');
  });

  it('tells an unknown job, one not submitted and one that wrote nothing apart', async () => {
    const waiting = await withJobs({ key: 'sim-1' });
    const silent = await withJobs(running);

    expectProblem(await waiting.request('GET', logUrl('stdout', 'sim-9')), 404, 'NotFound');
    expect(expectProblem(await waiting.request('GET', logUrl()), 404, 'JobNotSubmitted')).toMatchObject({
      state: 'waiting',
    });
    expect(expectProblem(await silent.request('GET', logUrl()), 404, 'LogNotWritten')).toMatchObject({
      state: 'running',
      logsComplete: false,
    });
  });

  it.each([
    ['was refused', { key: 'sim-1', state: 'rejected', logsComplete: true }],
    ['was never submitted', { key: 'sim-1', state: 'cancelled', logsComplete: true }],
    ['went with its cluster before it was copied', succeeded],
  ] as const)('knows how a job ended that %s, and its script', async (_how, view) => {
    const api = await withJobs(view);

    const info = await api.request('GET', logUrl('info'));
    expect(info.statusCode).toBe(200);
    expect(info.json()).toMatchObject({ key: 'sim-1', state: view.state });
    const script = await api.request('GET', logUrl('script'), { headers: { range: 'bytes=0-3' } });
    expect([script.statusCode, script.body]).toEqual([200, "'/bin/true'\n"]);
    expect(script.headers).toMatchObject({ 'log-end': 'true' });
    const { detail } = expectProblem(await api.request('GET', logUrl('stdout')), 404, 'LogNotWritten');
    expect(detail).toContain('nothing more will come');
  });

  it('says why there is nothing of what was left out', async () => {
    const problem = 'A pipe stands in its place.';
    const api = await withJobs({ ...running, ...succeeded, logsProblem: problem });

    const { detail } = expectProblem(await api.request('GET', logUrl()), 404, 'LogNotWritten');
    expect(detail).toContain(problem);
    expect(detail).not.toContain('yet');
  });

  it('has five kinds, and one tenant', async () => {
    const api = await withJobs(running);

    expectProblem(await api.request('GET', logUrl('passwd')), 400, 'InvalidRequest');
    const foreign = logUrl().replace(clusterUrl(), clusterUrl(other));
    expectProblem(await api.request('GET', foreign), 404, 'NotFound');
    expect(api.logs.asked).toEqual([]);
    expect(campaignUrl).not.toContain(clusterUrl(other));
  });
});

describe('GET log with Range', () => {
  const ranged = async (range: string, headers: Record<string, string> = {}, job: object = succeeded) => {
    const api = await withJobs({ ...running, ...job });
    api.logs.write('0123', '4567', '89', 'ab');
    const response = await api.request('GET', logUrl(), { headers: { range, ...headers } });
    return { response, api };
  };

  it.each([
    ['bytes=0-0', '0', '0-0'],
    ['bytes=2-5', '2345', '2-5'],
    ['bytes=5-', '56789ab', '5-11'],
    ['bytes=10-999', 'ab', '10-11'],
    ['bytes=0-999999999999999', '0123456789ab', '0-11'],
    ['bytes=-3', '9ab', '9-11'],
    ['bytes=-999', '0123456789ab', '0-11'],
    ['BYTES=2-3', '23', '2-3'],
  ])('%s is answered by %j', async (range, body, contentRange) => {
    const { response } = await ranged(range);

    expect([response.statusCode, response.body]).toEqual([206, body]);
    expect(response.headers['content-range']).toBe(`bytes ${contentRange}/12`);
    expect(response.headers['content-length']).toBe(String(body.length));
    expect(response.headers['accept-ranges']).toBe('bytes');
  });

  it('names no length as long as the job can write', async () => {
    const { response } = await ranged('bytes=1-2', {}, running);

    expect(response.headers['content-range']).toBe('bytes 1-2/*');
  });

  it.each(['bytes=12-', 'bytes=99-100', 'bytes=-0'])('%s is 416 and names the length', async (range) => {
    const { response } = await ranged(range);

    expectProblem(response, 416, 'RangeNotSatisfiable');
    expect(response.headers['content-range']).toBe('bytes */12');
  });

  it.each([
    'bytes=',
    'bytes=-',
    'bytes=a-b',
    'bytes=5-2',
    'bytes=0x1-2',
    'bytes=1.5-2',
    'bytes=--1',
    'bytes=+1-2',
    'bytes=1 - 2',
    'bytes=0-1,4-5',
    `bytes=${'9'.repeat(300)}-`,
    'bytes',
    '=0-1',
    'bytes=0-1\u00a0',
  ])('%j is refused, naming the header', async (range) => {
    const { response } = await ranged(range);
    const problem = expectProblem(response, 400, 'InvalidRequest');

    expect(problem.errors).toEqual([{ in: 'header', path: 'Range', reason: expect.any(String) }]);
  });

  it('ignores another unit, and a range that depends on a validator', async () => {
    const [lines, conditional] = await Promise.all([
      ranged('lines=1-2'),
      ranged('bytes=1-2', { 'if-range': '"e"' }),
    ]);

    expect([lines.response.statusCode, conditional.response.statusCode]).toEqual([200, 200]);
    expect(lines.response.headers['content-range']).toBeUndefined();
  });

  it('is for GET only, and not for pages', async () => {
    const { api } = await ranged('bytes=0-0');
    const head = await (
      await api.app()
    ).inject({
      method: 'HEAD',
      url: logUrl(),
      headers: { authorization: `Bearer test-token-of-more-than-32-characters`, range: 'bytes=0-0' },
    });
    const both = await api.request('GET', `${logUrl()}?pageToken=4`, { headers: { range: 'bytes=0-0' } });

    expect(head.statusCode).toBe(200);
    expect(expectProblem(both, 400, 'InvalidRequest').errors).toMatchObject([
      { in: 'query', path: 'pageToken' },
    ]);
  });

  it('ends before what was left out of a long log, or begins behind it', async () => {
    const api = await withJobs(succeeded);
    api.logs.write('head');
    api.logs.omit(100);
    api.logs.write('tail');
    const get = async (range: string) => {
      const { statusCode, body, headers } = await api.request('GET', logUrl(), { headers: { range } });
      return [statusCode, statusCode === 206 ? body : '', headers['content-range']];
    };

    expect(await get('bytes=0-')).toEqual([206, 'head', 'bytes 0-3/108']);
    expect(await get('bytes=4-')).toEqual([206, 'tail', 'bytes 104-107/108']);
    expect(await get('bytes=50-105')).toEqual([206, 'ta', 'bytes 104-105/108']);
    expect(await get('bytes=-6')).toEqual([206, 'tail', 'bytes 104-107/108']);
    expect(await get('bytes=-106')).toEqual([206, 'tail', 'bytes 104-107/108']);
    expect(await get('bytes=20-30')).toEqual([416, '', 'bytes */108']);
  });

  it('answers 4 MiB of a long range: the first, or the last of a suffix', async () => {
    const api = await withJobs(succeeded);
    const mebibyte = 1024 * 1024;
    for (let index = 0; index < 6; index++) api.logs.write(Buffer.alloc(mebibyte, String(index)));
    const get = async (range: string) => {
      const { rawPayload, headers } = await api.request('GET', logUrl(), { headers: { range } });
      return [rawPayload.length, String.fromCharCode(rawPayload[0] ?? 0), headers['content-range']];
    };

    expect(await get('bytes=0-')).toEqual([4 * mebibyte, '0', `bytes 0-4194303/${6 * mebibyte}`]);
    expect(await get(`bytes=-${6 * mebibyte}`)).toEqual([
      4 * mebibyte,
      '2',
      `bytes ${2 * mebibyte}-${6 * mebibyte - 1}/${6 * mebibyte}`,
    ]);
  });

  it('is 404 where nothing was written, 416 where nothing is in it', async () => {
    const api = await withJobs(running);
    const get = async () => api.request('GET', logUrl(), { headers: { range: 'bytes=0-' } });
    expectProblem(await get(), 404, 'LogNotWritten');
    api.logs.pieces = [];

    expect((await get()).headers['content-range']).toBe('bytes */0');
  });
});
