import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSubnetLeaseActivities } from '../../src/activities/subnet-lease.ts';
import { buildApp } from '../../src/api/app.ts';
import type { Server } from '../../src/api/server.ts';
import { createTemporalCampaigns } from '../../src/api/temporal-campaigns.ts';
import { createTemporalClusters } from '../../src/api/temporal-facade.ts';
import { createReadinessProbe } from '../../src/api/temporal-readiness.ts';
import { defaultClusterPolicy } from '../../src/domain/cluster-snapshot.ts';
import type { TemporalServer } from '../../src/dev/temporal-server.ts';
import { registerSearchAttributes } from '../../src/runtime/search-attributes.ts';
import { planningGround } from '../../src/domain/planning-ground.ts';
import { FakeLogs } from '../api/fake-logs.ts';
import { FakeStore } from '../api/fakes.ts';
import { FakeWorld } from '../fakes/fake-world.ts';
import { MemoryJobListingStore } from '../fakes/memory-job-listing-store.ts';
import { MemoryUsageStore } from '../fakes/memory-usage-store.ts';
import { replayServer } from '../support/replay-server.ts';
import { startTemporal } from '../support/temporal.ts';

/*
 * The API on a real Temporal, with the real workflows on a world in memory. The order matters: a server without a
 * worker, then with one, then none at all.
 */
const TASK_QUEUE = 'facade';
const TOKEN = 'facade-token-of-more-than-32-characters';

const store = new FakeStore();
let temporal: TemporalServer;
let connection: Connection;
let native: NativeConnection;
let app: Server;

async function request(method: 'GET' | 'PUT' | 'POST' | 'DELETE', url: string, body?: object, key?: string) {
  const started = performance.now();
  const response = await app.inject({
    method,
    url,
    headers: { authorization: `Bearer ${TOKEN}`, ...(key !== undefined && { 'idempotency-key': key }) },
    ...(body && { payload: body }),
  });
  return { response, status: response.statusCode, body: response.json(), ms: performance.now() - started };
}

const cluster = (project: string) => `/v1/virtual-labs/facade/projects/${project}/cluster`;

async function eventually<T>(read: () => Promise<T>, is: (value: T) => boolean): Promise<T> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const value = await read();
    if (is(value) || Date.now() > deadline) return value;
    await sleep(200);
  }
}

/** Runs a worker on the real workflows while the body runs. */
async function besideWorker(
  body: () => Promise<void>,
  world = new FakeWorld(async () => Date.now()),
): Promise<void> {
  world.campaignStore = store;
  const client = new Client({ connection });
  const lease = createSubnetLeaseActivities({
    client,
    taskQueue: TASK_QUEUE,
    vpcId: 'vpc-facade',
    whoLivesIn: async () => undefined,
  });
  const worker = await Worker.create({
    connection: native,
    taskQueue: TASK_QUEUE,
    workflowsPath: new URL('../../src/workflows/index.ts', import.meta.url).pathname,
    activities: world.activities(lease),
  });
  await worker.runUntil(body());
}

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  temporal = await startTemporal();
  connection = Connection.lazy({ address: temporal.address, interceptors: [] });
  native = await NativeConnection.connect({ address: temporal.address });
  await registerSearchAttributes(connection, 'default');
  const client = new Client({ connection });
  app = await buildApp({
    clusters: createTemporalClusters({
      client,
      taskQueue: TASK_QUEUE,
      policy: { ...defaultClusterPolicy, busyTickSeconds: 1 },
    }),
    campaigns: createTemporalCampaigns(client),
    store,
    logs: new FakeLogs(),
    usage: new MemoryUsageStore(),
    installation: { hasKeycloak: false, hasBuckets: false },
    planning: async () => planningGround({ region: 'us-east-1', hasLustre: false }),
    jobListings: new MemoryJobListingStore(),
    readiness: createReadinessProbe(client, TASK_QUEUE),
    token: TOKEN,
    logger: pino({ level: 'silent' }),
    version: '0.0.0',
  });
});

afterAll(async () => {
  await app?.close();
  await connection?.close();
  await temporal?.close();
});

const tomorrow = () => new Date(Date.now() + 86_400_000).toISOString();

describe('without a worker', () => {
  it('is not ready, and says what is missing', async () => {
    const { status, body } = await request('GET', '/readyz');
    expect({ status, body }).toMatchObject({ status: 503, body: { type: '/problems/WorkerUnavailable' } });
  });

  it.each([
    ['PUT', cluster('a'), { tier: 'debug' }],
    [
      'POST',
      `${cluster('a')}/campaigns`,
      { jobs: [{ key: 'j', command: ['x'] }], cluster: { tier: 'debug' } },
    ],
  ] as const)('%s %s answers 503 within two seconds', async (method, url, sent) => {
    const { status, body, ms, response } = await request(method, url, sent, 'k');

    expect({ status, body }).toMatchObject({ status: 503, body: { type: '/problems/WorkerUnavailable' } });
    expect(response.headers['retry-after']).toBeDefined();
    expect(ms).toBeLessThan(2_000);
  });

  it('knows no cluster, and takes no campaign for one', async () => {
    const answers = await Promise.all([
      request('GET', cluster('b')),
      request('DELETE', cluster('b')),
      request('POST', `${cluster('b')}/extensions`, { until: tomorrow() }),
      request('POST', `${cluster('b')}/campaigns`, { jobs: [{ key: 'j', command: ['x'] }] }, 'k'),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 422]);
  });

  it('does not show an entity that never got its first request', async () => {
    expect((await request('GET', cluster('a'))).status).toBe(404);
    expect((await request('GET', '/v1/clusters')).body).toEqual({ clusters: [] });
  });
});

describe('with a worker', () => {
  it('a cluster lives from the first request to the last', async () => {
    await besideWorker(async () => {
      const ready = await eventually(
        async () => request('GET', '/readyz'),
        ({ status }) => status === 200,
      );
      expect(ready.status).toBe(200);

      const created = await request('PUT', cluster('c'), { tier: 'debug' });
      const repeated = await request('PUT', cluster('c'), { tier: 'debug' });
      const other = await request('PUT', cluster('c'), { tier: 'prod-batch' });
      expect([created.status, repeated.status, other.status]).toEqual([202, 200, 409]);
      expect(other.body.differences).toContainEqual({
        path: 'tier',
        existing: 'debug',
        requested: 'prod-batch',
      });

      const jobs = [
        { key: 'one', command: ['x'] },
        { key: 'two', command: ['x'] },
      ];
      const accepted = await request('POST', `${cluster('c')}/campaigns`, { jobs }, 'k');
      const again = await request('POST', `${cluster('c')}/campaigns`, { jobs }, 'k');
      const conflict = await request('POST', `${cluster('c')}/campaigns`, { jobs: [jobs[0]] }, 'k');
      const queue = { ...jobs[0], queue: 'gpu' };
      const missing = await request('POST', `${cluster('c')}/campaigns`, { jobs: [queue] }, 'other');
      expect([accepted.status, again.status, conflict.status, missing.status]).toEqual([202, 202, 422, 422]);
      expect(missing.body.type).toBe('/problems/QueueNotInCluster');
      expect(again.response.headers['idempotent-replayed']).toBe('true');

      const url = String(accepted.response.headers.location);
      const campaign = await request('GET', `${url}?pageSize=1`);
      expect(campaign).toMatchObject({ status: 200, body: { jobCount: 2, jobs: [{ key: 'one' }] } });
      expect((await request('GET', `${url}/jobs/two`)).body).toMatchObject({ key: 'two' });
      expect((await request('GET', `${url}/jobs/three`)).status).toBe(404);

      const cancelled = await request('DELETE', `${url}/jobs/two`, { reason: 'Not needed.' });
      expect(cancelled).toMatchObject({ status: 202, body: { key: 'two' } });
      expect((await request('DELETE', `${url}/jobs/three`)).status).toBe(404);
      expect(await request('DELETE', url)).toMatchObject({ status: 202, body: { jobCount: 2 } });
      const ended = await eventually(
        async () => request('DELETE', url),
        ({ status }) => status === 200,
      );
      expect(ended.body).toMatchObject({ state: 'cancelled', jobsByState: { cancelled: 2 } });

      const live = await eventually(
        async () => request('GET', cluster('c')),
        ({ body }) => body.state === 'ready',
      );
      expect(live.body).toMatchObject({ state: 'ready', access: { user: 'sim' } });
      const held = await request('POST', `${cluster('c')}/holds`, {
        name: 'h',
        reason: 'r',
        durationSeconds: 60,
      });
      expect(held.body).toMatchObject({ holds: [{ name: 'h' }] });
      expect((await request('DELETE', `${cluster('c')}/holds/h`)).body).toMatchObject({ holds: [] });
      expect((await request('POST', `${cluster('c')}/extensions`, { until: tomorrow() })).status).toBe(200);
      const resolution = { choice: 'retry', by: 'Ada', reason: 'r' };
      expect((await request('POST', `${cluster('c')}/resolution`, resolution)).status).toBe(400);

      const going = await request('DELETE', cluster('c'));
      const repeatedly = await request('DELETE', cluster('c'));
      expect([going.status, repeatedly.status]).toEqual([202, 202]);
      const gone = await eventually(
        async () => request('GET', cluster('c')),
        ({ body }) => body.state === 'deleted',
      );
      expect(gone.body.state).toBe('deleted');
      expect((await request('DELETE', cluster('c'))).status).toBe(202);
    });
  });

  it('forty callers at once get one cluster, and no request waits over two seconds', async () => {
    await besideWorker(async () => {
      const waits: number[] = [];
      /** As a caller should: what was too much at once is asked again. */
      const persist = async (): Promise<number> => {
        for (;;) {
          const { status, ms } = await request('PUT', cluster('crowd'), { tier: 'debug' });
          waits.push(ms);
          if (status !== 503) return status;
        }
      };
      const statuses = await Promise.all(Array.from({ length: 40 }, persist));
      // None: the request that made it was told to ask again, and then found its own work.
      expect(statuses.filter((status) => status === 202).length).toBeLessThanOrEqual(1);
      expect(statuses.filter((status) => status !== 202 && status !== 200)).toEqual([]);
      expect(Math.max(...waits)).toBeLessThan(2_000);
    });
  });

  it('lists every cluster once, page by page, by state', async () => {
    const client = new Client({ connection });
    await besideWorker(async () => {
      for (const project of ['l1', 'l2', 'l3']) await request('PUT', cluster(project), { tier: 'debug' });
      await eventually(
        async () => request('GET', '/v1/clusters?state=ready'),
        ({ body }) => body.clusters.length >= 5,
      );
    });
    const seen: string[] = [];
    let token = '';
    do {
      const { body, status } = await request('GET', `/v1/clusters?state=ready&pageSize=2${token}`);
      expect(status).toBe(200);
      expect(body.clusters.length).toBeLessThanOrEqual(2);
      seen.push(...body.clusters.map(({ projectId }: { projectId: string }) => projectId));
      token = body.nextPageToken ? `&pageToken=${String(body.nextPageToken)}` : '';
    } while (token);

    // `a`: a request that was answered 503 before there was a worker was done all the same.
    expect(seen.toSorted()).toEqual(['a', 'crowd', 'l1', 'l2', 'l3']);
    expect((await request('GET', '/v1/clusters?pageToken=bm9wZQ')).status).toBe(400);
    expect((await request('GET', '/v1/clusters?state=deleted')).body.clusters).toHaveLength(1);
    await client.workflow.getHandle('cluster/facade/l3').terminate('by a test');
    const terminated = await request('GET', cluster('l3'));
    expect(terminated.body).toMatchObject({ state: 'ready', failure: { type: 'ClusterUnattended' } });
    expect((await request('DELETE', cluster('l3'))).status).toBe(409);
  });

  it('says that nobody follows a campaign whose workflow was terminated', async () => {
    await besideWorker(async () => {
      const jobs = [{ key: 'one', command: ['x'] }];
      const { response } = await eventually(
        async () => request('POST', `${cluster('l2')}/campaigns`, { jobs }, 'terminated'),
        ({ status }) => status === 202,
      );
      const url = String(response.headers.location);
      expect((await request('GET', url)).body.failure).toBeUndefined();
      const workflowId = `campaign/facade/l2/${url.slice(url.lastIndexOf('/') + 1)}`;
      await new Client({ connection }).workflow.getHandle(workflowId).terminate('by a test');
      expect((await request('GET', url)).body).toMatchObject({ failure: { type: 'CampaignUnattended' } });
    });
  });

  it('shows the view and the end of it when the worker has gone', async () => {
    expect((await request('GET', cluster('l1'))).body).toMatchObject({ state: 'ready' });
    const { status, ms, body } = await request('DELETE', cluster('l1'));

    expect({ status, body }).toMatchObject({ status: 503, body: { type: '/problems/WorkerUnavailable' } });
    expect(ms).toBeLessThan(2_000);
  });

  it('leaves histories that the code can replay, also those of runs that were terminated', async () => {
    const replayed = await replayServer(new Client({ connection }));
    expect(replayed).toEqual(
      expect.arrayContaining(['cluster/facade/c', 'cluster/facade/l3', 'subnet-pool/vpc-facade']),
    );
    expect(replayed).toContainEqual(expect.stringMatching(/^campaign\/facade\/c\//));
  });
});

describe('without Temporal', () => {
  it('answers 503 within two seconds, whatever is asked', async () => {
    await native.close();
    await temporal.close();
    const answers = await Promise.all([
      request('GET', cluster('l1')),
      request('PUT', cluster('l1'), { tier: 'debug' }),
      request('DELETE', cluster('l1')),
      request('GET', '/v1/clusters'),
      request('GET', '/readyz'),
    ]);

    expect(answers.map(({ status, body }) => [status, body.type])).toEqual(
      answers.map(() => [503, '/problems/TemporalUnavailable']),
    );
    expect(Math.max(...answers.map(({ ms }) => ms))).toBeLessThan(2_000);
  });
});
