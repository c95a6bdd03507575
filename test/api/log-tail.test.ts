import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { finished } from 'node:stream/promises';
import { describe, expect, it, vi } from 'vitest';
import { KnownFailure } from '../../src/domain/failures.ts';
import { logUrl, running, setJobs, succeeded, withJobs } from './job-log.ts';
import { expectProblem, type Harness, TOKEN } from './support.ts';

const accept = 'text/event-stream';

/** The events in a text, as the standard has them read. */
function eventsIn(text: string): EventSourceMessage[] {
  const events: EventSourceMessage[] = [];
  createParser({ onEvent: (event) => events.push(event) }).feed(text);
  return events;
}

/** What a reader of the events has in the end. */
function bytesOf(events: readonly EventSourceMessage[]): Buffer {
  return Buffer.concat(
    events
      .filter(({ event }) => event !== 'end')
      .map(({ event, data }) => Buffer.from(data, event === 'base64' ? 'base64' : 'utf8')),
  );
}

/** Follows over a real connection; the text grows as events come. */
async function follow(api: Harness, headers: Record<string, string> = {}) {
  const app = await api.app();
  const address = app.server.listening
    ? app.listeningOrigin
    : await app.listen({ host: '127.0.0.1', port: 0 });
  // Not fetch: it opens connections that it may never use, and the API waits for their first request when it stops.
  const request = get(`${address}${logUrl()}`, {
    agent: false,
    headers: { authorization: `Bearer ${TOKEN}`, accept, ...headers },
  });
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve).once('error', reject);
  });
  const tail = { response, text: '', ended: undefined as 'whole' | 'cut' | undefined };
  response.setEncoding('utf8').on('data', (text: string) => (tail.text += text));
  const reading = finished(response).then(
    () => (tail.ended = 'whole'),
    () => (tail.ended = 'cut'),
  );
  return { tail, reading, leave: () => request.destroy() };
}

describe('following a log', () => {
  it('sends what is there, what comes, and the end', async () => {
    const api = await withJobs(running);
    api.logs.write('one\n', 'two\n\nthree\n', ' 4');
    const { tail, reading } = await follow(api);
    await vi.waitFor(() => expect(bytesOf(eventsIn(tail.text)).toString()).toBe('one\ntwo\n\nthree\n 4'));
    api.logs.write('\nfive\n');
    await vi.waitFor(() => expect(bytesOf(eventsIn(tail.text)).toString()).toMatch(/five\n$/));
    api.logs.write('the end');
    setJobs(api, succeeded);
    await reading;
    const events = eventsIn(tail.text);

    expect(tail.ended).toBe('whole');
    expect(tail.response.statusCode).toBe(200);
    expect(bytesOf(events).toString()).toBe('one\ntwo\n\nthree\n 4\nfive\nthe end');
    expect(events.map(({ id }) => id)).toEqual(['4', '15', '17', '23', '30', '30']);
    expect(events.at(-1)).toMatchObject({ event: 'end', data: '{"state":"succeeded","exitCode":0}' });
  });

  it('is not kept back by anything in between', async () => {
    const api = await withJobs(succeeded);
    const response = await api.request('GET', logUrl(), { headers: { accept } });

    expect(response.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no',
    });
    expect(response.headers['content-length']).toBeUndefined();
  });

  it.each([0, 1, 3, 4, 9, 11])('goes on behind event %i', async (id) => {
    const api = await withJobs(succeeded);
    api.logs.write('one\n', 'two\n', 'end');
    const response = await api.request('GET', logUrl(), {
      headers: { accept, 'last-event-id': String(id) },
    });
    const events = eventsIn(response.body);

    expect(bytesOf(events).toString()).toBe('one\ntwo\nend'.slice(id));
    expect(events.at(-1)).toMatchObject({ event: 'end', id: '11' });
  });

  it('brings every byte, whatever it is', async () => {
    const api = await withJobs(succeeded);
    const content = [
      'text: é – \u{1F9E0}\n',
      '\ndata: x\nid: 99\n\n: comment\nevent: end\n\n',
      ' 10%\r 20%\r\n',
      Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
      '\uFEFF\u0000\u2028',
      Buffer.from('é').subarray(0, 1),
      Buffer.from('é').subarray(1),
      '\n\n\n',
    ];
    api.logs.write(...content);
    const response = await api.request('GET', logUrl(), { headers: { accept } });
    const events = eventsIn(response.body);

    expect(bytesOf(events).equals(Buffer.concat(content.map((each) => Buffer.from(each))))).toBe(true);
    expect(events.map(({ event }) => event ?? 'text')).toEqual([
      'text',
      'text',
      'base64',
      'base64',
      'text',
      'base64',
      'base64',
      'text',
      'end',
    ]);
  });

  it('says what was left out, in the place of it', async () => {
    const api = await withJobs(succeeded);
    api.logs.write('head\n');
    api.logs.omit(1000);
    api.logs.write('tail\n');
    const response = await api.request('GET', logUrl(), { headers: { accept } });

    expect(eventsIn(response.body)).toMatchObject([
      { id: '5', data: 'head\n' },
      { id: '1005', data: '[… 1000 bytes left out …]\n' },
      { id: '1010', data: 'tail\n' },
      { event: 'end' },
    ]);
  });

  it('waits for a job that has written nothing yet, and pings meanwhile', async () => {
    const api = await withJobs(running);
    const { tail, reading, leave } = await follow(api);
    await vi.waitFor(() => expect(tail.text).toMatch(/^: ping$/m));
    api.logs.write('at last\n');
    await vi.waitFor(() => expect(eventsIn(tail.text)).toMatchObject([{ data: 'at last\n' }]));
    leave();
    await reading;
  });

  it('outlives workers and services that are away for a while, and gaps that are still filled', async () => {
    const api = await withJobs(running);
    api.logs.write('before\n');
    const { tail, reading } = await follow(api);
    await vi.waitFor(() => expect(eventsIn(tail.text)).toHaveLength(1));
    for (const type of ['AwsUnavailable', 'LogIncomplete'] as const) {
      api.logs.failure = new KnownFailure(type, 'for a while');
      const asked = api.logs.asked.length;
      await vi.waitFor(() => expect(api.logs.asked.length).toBeGreaterThan(asked + 1));
    }
    api.logs.failure = undefined;
    api.outage.worker = new KnownFailure('WorkerUnavailable', 'away');
    api.logs.write('after\n');
    await vi.waitFor(() => expect(eventsIn(tail.text)).toHaveLength(2));
    api.outage.worker = undefined;
    setJobs(api, succeeded);
    await reading;

    expect(bytesOf(eventsIn(tail.text)).toString()).toBe('before\nafter\n');
    expect(eventsIn(tail.text).at(-1)).toMatchObject({ event: 'end' });
  });

  it('is cut, not ended, when something breaks', async () => {
    const api = await withJobs(running);
    api.logs.write('before\n');
    const { tail, reading } = await follow(api);
    await vi.waitFor(() => expect(eventsIn(tail.text)).toHaveLength(1));
    api.logs.failure = new Error('broken');
    await reading;

    expect(tail.ended).toBe('cut');
    expect(tail.text).not.toContain('event: end');
  });

  it('stops looking when its reader goes', async () => {
    const api = await withJobs(running);
    const { reading, leave } = await follow(api);
    await vi.waitFor(() => expect(api.logs.asked.length).toBeGreaterThan(1));
    leave();
    await reading;
    await vi.waitFor(async () => {
      const asked = api.logs.asked.length;
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(api.logs.asked).toHaveLength(asked);
    });
  });

  it('is cut when the service stops', async () => {
    const api = await withJobs(running);
    const { tail, reading } = await follow(api);
    await api.close();
    await reading;

    expect(tail.ended).toBe('cut');
  });

  it('is given to a hundred readers at a time', async () => {
    const api = await withJobs(running);
    const first = await follow(api);
    const others = await Promise.all(Array.from({ length: 99 }, async () => follow(api)));
    const refused = await follow(api);
    await refused.reading;
    others[0]?.leave();
    await others[0]?.reading;
    await vi.waitFor(async () => {
      const next = await follow(api);
      next.leave();
      await next.reading;
      expect(next.tail.response.statusCode).toBe(200);
    });

    expect([first.tail.response.statusCode, refused.tail.response.statusCode]).toEqual([200, 503]);
    expect(refused.tail.text).toContain('/problems/TooManyStreams');
    expect(refused.tail.response.headers['retry-after']).toBeDefined();
    await api.close();
    await Promise.all([first, ...others].map(async ({ reading }) => reading));
  });

  it('does not wait for a reader that does not read', async () => {
    const api = await withJobs(running);
    for (let index = 0; index < 200; index++) api.logs.write(Buffer.alloc(128 * 1024, 'x'));
    const app = await api.app();
    const { hostname, port } = new URL(await app.listen({ host: '127.0.0.1', port: 0 }));
    const socket = connect({ host: hostname, port: Number(port) });
    await once(socket, 'connect');
    socket.pause();
    socket.write(
      `GET ${logUrl()} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\nAccept: ${accept}\r\n\r\n`,
    );
    await vi.waitFor(() => expect(api.logs.asked.length).toBeGreaterThan(1));
    await new Promise((resolve) => setTimeout(resolve, 300));
    // What the sockets hold, but not the 100 pages of this log.
    expect(api.logs.asked.length).toBeLessThan(60);
    socket.destroy();
  });

  it.each(['-1', 'x', '1.5', '1e3', '99999999999999999999', '12'])(
    'refuses Last-Event-ID %j, which it never gave',
    async (id) => {
      const api = await withJobs(running);
      api.logs.write('one\n');
      const response = await api.request('GET', logUrl(), { headers: { accept, 'last-event-id': id } });
      expect(expectProblem(response, 400, 'InvalidRequest').errors).toEqual([
        { in: 'header', path: 'Last-Event-Id', reason: 'is not the id of an event of this log' },
      ]);
    },
  );

  it.each(['info', 'script', 'environment'])('is not for %s', async (kind) => {
    const api = await withJobs(running);
    expectProblem(await api.request('GET', logUrl(kind), { headers: { accept } }), 406, 'NotAcceptable');
  });

  it.each(['*/*', 'text/*', 'text/plain', 'text/event-stream;q=0', 'text/event-streams'])(
    'is not what `Accept: %s` means',
    async (other) => {
      const api = await withJobs(running);
      api.logs.write('page');
      const response = await api.request('GET', logUrl(), { headers: { accept: other } });

      expect(response.headers['content-type']).toBe('text/plain; charset=utf-8');
    },
  );
});
