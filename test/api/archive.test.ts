import { execa } from 'execa';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { JobLogRequest } from '../../src/clients/log-reader.ts';
import { campaignWorkflowId } from '../../src/domain/ids.ts';
import { KnownFailure } from '../../src/domain/failures.ts';
import { clusterUrl, jobView, other, tenant } from './fakes.ts';
import { campaignId, campaignUrl, location, running, succeeded, withJobs } from './job-log.ts';
import { expectProblem, type Harness, TOKEN } from './support.ts';

const url = `${campaignUrl}/logs`;
const folders: string[] = [];

afterEach(async () => {
  await Promise.all(folders.splice(0).map(async (folder) => rm(folder, { recursive: true, force: true })));
});

/** The files of an archive, read by another program's ZIP reader, which checks lengths and checksums. */
async function unzipped(archive: Buffer): Promise<Map<string, Buffer>> {
  const folder = await mkdtemp(join(tmpdir(), 'archive-'));
  folders.push(folder);
  await writeFile(join(folder, 'a.zip'), archive);
  await execa('python3', ['-m', 'zipfile', '-e', 'a.zip', 'files'], { cwd: folder });
  const entries = await readdir(join(folder, 'files'), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return new Map(
    await Promise.all(
      files.map(async ({ parentPath, name }): Promise<[string, Buffer]> => {
        const path = join(parentPath, name);
        return [path.slice(join(folder, 'files').length + 1), await readFile(path)];
      }),
    ),
  );
}

const parse = (files: ReadonlyMap<string, Buffer>, name: string): unknown =>
  JSON.parse(files.get(name)?.toString() ?? 'null');

/** Answers each log with a text that names it, but those that are not there. */
function tellApart(api: Harness, missing: readonly string[] = []): void {
  api.logs.read = async ({ jobKey, kind }: JobLogRequest) => {
    if (missing.includes(`${jobKey}/${kind}`)) return undefined;
    return { content: Buffer.from(`${jobKey} ${kind}\n`), nextPageToken: '1', atEnd: true };
  };
}

async function dial(api: Harness): Promise<IncomingMessage> {
  const app = await api.app();
  const address = await app.listen({ host: '127.0.0.1', port: 0 });
  const request = get(`${address}${url}`, {
    agent: false,
    headers: { authorization: `Bearer ${TOKEN}` },
  });
  return new Promise((resolve, reject) => {
    request.once('response', resolve).once('error', reject);
  });
}

// Another program is started to read the archives.
describe('GET logs of a campaign', { timeout: 30_000 }, () => {
  it('is one archive of every log of every job', async () => {
    const api = await withJobs({ ...succeeded, key: 'a' }, { ...succeeded, key: 'b' });
    tellApart(api);
    const response = await api.request('GET', url);
    const files = await unzipped(response.rawPayload);

    expect(response.statusCode).toBe(200);
    expect(response.headers['content-type']).toBe('application/zip');
    expect(response.headers['content-disposition']).toBe(`attachment; filename="${campaignId}.zip"`);
    expect([...files.keys()].toSorted()).toEqual(
      [
        ...['a', 'b'].flatMap((key) =>
          ['info', 'environment', 'script', 'stdout', 'stderr'].map((kind) => `${campaignId}/${key}/${kind}`),
        ),
        'manifest.json',
        'missing.json',
      ].toSorted(),
    );
    expect(files.get(`${campaignId}/b/stderr`)?.toString()).toBe('b stderr\n');
    expect(parse(files, 'manifest.json')).toMatchObject({
      ...tenant,
      campaignId,
      jobs: [{ key: 'a', state: 'succeeded' }, { key: 'b' }],
    });
    expect(parse(files, 'missing.json')).toEqual({ missing: [], canStillWrite: [] });
  });

  it('holds every byte of long and binary logs', async () => {
    const api = await withJobs(succeeded);
    const bytes = Buffer.from(Array.from({ length: 700_000 }, (_, index) => (index * 7919) % 251));
    for (let at = 0; at < bytes.length; at += 100_000) api.logs.write(bytes.subarray(at, at + 100_000));
    const files = await unzipped((await api.request('GET', url)).rawPayload);

    expect(files.get(`${campaignId}/sim-1/stdout`)?.equals(bytes)).toBe(true);
  });

  it('says what is not in it, why, and who can still write', async () => {
    const api = await withJobs(
      { ...succeeded, key: 'a', logsProblem: 'The cluster went.' },
      { ...running, key: 'b' },
      { key: 'c' },
    );
    tellApart(api, ['a/stdout', 'b/stderr']);
    const files = await unzipped((await api.request('GET', url)).rawPayload);

    expect([...files.keys()]).toHaveLength(2 + 8);
    expect(parse(files, 'missing.json')).toEqual({
      missing: [
        { jobKey: 'a', kind: 'stdout', reason: 'The cluster went.' },
        { jobKey: 'b', kind: 'stderr', reason: 'Nothing was written yet.' },
        ...['info', 'environment', 'script', 'stdout', 'stderr'].map((kind) => ({
          jobKey: 'c',
          kind,
          reason: 'The job was not submitted to Slurm: Waiting until the cluster is ready.',
        })),
      ],
      canStillWrite: ['b', 'c'],
    });
  });

  it('names a log that has a gap, with what comes before it', async () => {
    const api = await withJobs(succeeded);
    api.logs.read = async ({ kind, pageToken }: JobLogRequest) => {
      if (kind === 'info') throw new KnownFailure('LogIncomplete', 'lacks what follows byte 0');
      if (pageToken !== undefined) throw new KnownFailure('LogIncomplete', 'lacks what follows byte 6');
      return { content: Buffer.from('before'), nextPageToken: '6', atEnd: kind !== 'stdout' };
    };
    const files = await unzipped((await api.request('GET', url)).rawPayload);

    expect(files.get(`${campaignId}/sim-1/stdout`)?.toString()).toBe('before');
    expect(parse(files, 'missing.json')).toMatchObject({
      missing: [
        { kind: 'info', reason: 'lacks what follows byte 0' },
        { kind: 'stdout', reason: 'lacks what follows byte 6' },
      ],
    });
  });

  it('is there without cluster and workers, when Temporal has forgotten the campaign', async () => {
    const api = await withJobs(succeeded);
    tellApart(api);
    api.outage.worker = new KnownFailure('WorkerUnavailable', 'away');
    api.campaigns.forget(tenant, campaignId);
    api.store.manifests.set(campaignWorkflowId(tenant, campaignId), {
      version: 1,
      campaignId,
      logs: location,
      jobs: Array.from({ length: 600 }, (_, index) => jobView({ ...succeeded, key: `j${index}` })),
    });
    const files = await unzipped((await api.request('GET', url)).rawPayload);

    expect(files.size).toBe(600 * 5 + 2);
    expect(files.get(`${campaignId}/j599/stdout`)?.toString()).toBe('j599 stdout\n');
  });

  it('is cut when something breaks in the middle, and is then no archive', async () => {
    const api = await withJobs({ ...succeeded, key: 'a' }, { ...succeeded, key: 'b' });
    tellApart(api);
    const read = api.logs.read.bind(api.logs);
    api.logs.read = async (request) => {
      if (request.jobKey === 'b' && request.kind === 'stdout') throw new Error('broken');
      return read(request);
    };
    const response = await dial(api);
    let received = Buffer.alloc(0);
    response.on('data', (chunk: Buffer) => (received = Buffer.concat([received, chunk])));
    const [error] = await once(response, 'error');

    expect(response.statusCode).toBe(200);
    expect(error).toMatchObject({ code: 'ECONNRESET' });
    expect(received.length).toBeGreaterThan(0);
    await expect(unzipped(received)).rejects.toThrow('File is not a zip file');
  });

  it('reads no faster than it is read, and stops when its reader goes', async () => {
    const api = await withJobs(succeeded);
    let pages = 0;
    api.logs.read = async () => {
      pages += 1;
      const content = Buffer.from(crypto.getRandomValues(new Uint8Array(65_536)));
      return { content, nextPageToken: String(pages), atEnd: false };
    };
    const response = await dial(api);
    response.pause();
    await vi.waitFor(async () => {
      const before = pages;
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(before).toBeGreaterThan(1);
      expect(pages).toBe(before);
    }, 4_000);
    const whenFull = pages;
    response.destroy();
    await new Promise((resolve) => setTimeout(resolve, 200));

    expect(whenFull).toBeLessThan(400);
    expect(pages).toBeLessThan(whenFull + 5);
  });

  it('is cut when the service stops', async () => {
    const api = await withJobs(succeeded);
    api.logs.read = async () => ({ content: Buffer.from('x'), nextPageToken: '1', atEnd: false });
    const response = await dial(api);
    const reading = buffer(response);
    await Promise.all([api.close(), expect(reading).rejects.toMatchObject({ code: 'ECONNRESET' })]);
  });

  it('is a problem where there is no campaign, no worker, or no HEAD', async () => {
    const api = await withJobs(running);
    expectProblem(await api.request('GET', url.replace(clusterUrl(), clusterUrl(other))), 404, 'NotFound');
    api.outage.worker = new KnownFailure('WorkerUnavailable', 'away');
    expectProblem(await api.request('GET', url), 503, 'WorkerUnavailable');
    expectProblem(await api.request('PATCH', url), 405, 'MethodNotAllowed');
  });
});
