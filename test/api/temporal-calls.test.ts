import { Client, Connection, ServiceError } from '@temporalio/client';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { buildApp } from '../../src/api/app.ts';
import { callTemporal } from '../../src/api/temporal-calls.ts';
import { createTemporalCampaigns } from '../../src/api/temporal-campaigns.ts';
import { createTemporalClusters } from '../../src/api/temporal-facade.ts';
import { createReadinessProbe } from '../../src/api/temporal-readiness.ts';
import { defaultClusterPolicy } from '../../src/domain/cluster-snapshot.ts';
import { planningGround } from '../../src/domain/planning-ground.ts';
import { MemoryJobListingStore } from '../fakes/memory-job-listing-store.ts';
import { MemoryUsageStore } from '../fakes/memory-usage-store.ts';
import { FakeLogs } from './fake-logs.ts';
import { clusterUrl, FakeStore } from './fakes.ts';
import { TOKEN } from './support.ts';

const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** A client of Temporal, connected when it is first used, as the API's is. */
function clientOf(address: string): Client {
  const connection = Connection.lazy({ address, interceptors: [] });
  closers.push(async () => connection.close());
  return new Client({ connection });
}

/** An error of a query, as the SDK throws it. */
function queryError(code: number, details: string): ServiceError {
  const cause = Object.assign(new Error(`${code} ${details}`), { code, details, metadata: {} });
  return new ServiceError('Failed to query Workflow', { cause });
}

/** A peer that takes connections and never says a word. */
async function silentPeer(): Promise<string> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => sockets.add(socket.on('error', () => {})));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('does not listen on a port');
  return `127.0.0.1:${address.port}`;
}

const soon = (milliseconds: number) => new Date(Date.now() + milliseconds);
/** Nobody listens on the port of `discard`. */
const NOWHERE = '127.0.0.1:9';

describe('a query that meets the death of its worker', () => {
  const cancelled = () => queryError(1, 'context canceled');

  it('is asked again', async () => {
    let attempts = 0;
    const answer = await callTemporal(clientOf(NOWHERE), soon(2_000), async () => {
      attempts += 1;
      if (attempts < 3) throw cancelled();
      return 'answer';
    });

    expect({ answer, attempts }).toEqual({ answer: 'answer', attempts: 3 });
  });

  it('that gets no other answer is a known failure, with what happened as its cause', async () => {
    const call = callTemporal(clientOf(NOWHERE), soon(500), async () => Promise.reject(cancelled()));

    await expect(call).rejects.toMatchObject({
      name: 'KnownFailure',
      type: 'TemporalUnavailable',
      cause: { cause: { code: 1 } },
    });
  });
});

describe('a Temporal that takes connections and says nothing', () => {
  it('is given up by the given moment, also when the call itself failed just before', async () => {
    const call = callTemporal(clientOf(await silentPeer()), soon(1_000), async () => {
      await sleep(700);
      throw queryError(14, 'UNAVAILABLE: Connection dropped');
    });

    await expect(Promise.race([call, sleep(1_150, 'later')])).rejects.toMatchObject({
      type: 'TemporalUnavailable',
    });
  });

  it('holds no caller over two seconds', async () => {
    const client = clientOf(await silentPeer());
    const app = await buildApp({
      clusters: createTemporalClusters({ client, taskQueue: 'q', policy: defaultClusterPolicy }),
      campaigns: createTemporalCampaigns(client),
      store: new FakeStore(),
      logs: new FakeLogs(),
      usage: new MemoryUsageStore(),
      installation: { hasKeycloak: false, hasBuckets: false },
      planning: async () => planningGround({ region: 'us-east-1', hasLustre: false }),
      jobListings: new MemoryJobListingStore(),
      readiness: createReadinessProbe(client, 'q'),
      token: TOKEN,
      logger: pino({ level: 'silent' }),
      version: '0.0.0',
    });
    closers.push(async () => app.close());
    const requests = [
      ['GET', clusterUrl()],
      ['PUT', clusterUrl(), { tier: 'debug' }],
      ['DELETE', clusterUrl()],
      ['GET', '/v1/clusters'],
      ['GET', `${clusterUrl()}/campaigns/${'a'.repeat(26)}`],
      ['POST', `${clusterUrl()}/campaigns`, { jobs: [{ key: 'j', command: ['x'] }] }],
      ['GET', '/readyz'],
    ] as const;
    const headers = { authorization: `Bearer ${TOKEN}`, 'idempotency-key': 'k' };
    const ask = async ([method, url, payload]: (typeof requests)[number]) => {
      const response = await app.inject({ method, url, headers, ...(payload && { payload }) });
      return [response.statusCode, response.json<{ type: string }>().type];
    };
    // What is loaded with the first request is not what is looked at.
    await ask(requests[0]);
    // A timer of this process, not a clock: on a busy machine both come late, but in this order.
    const late = sleep(2_000, 'later than two seconds');
    const answers = Promise.all(requests.map(ask));

    expect(await Promise.race([answers, late])).toEqual(
      requests.map(() => [503, '/problems/TemporalUnavailable']),
    );
  });
});
