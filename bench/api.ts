import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { Client, Connection, WithStartWorkflowOperation } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { pino } from 'pino';
import { createSubnetLeaseActivities } from '../src/activities/subnet-lease.ts';
import { buildApp } from '../src/api/app.ts';
import { campaignIdFor } from '../src/api/campaign-id.ts';
import { createTemporalCampaigns } from '../src/api/temporal-campaigns.ts';
import { createTemporalClusters } from '../src/api/temporal-facade.ts';
import { createReadinessProbe } from '../src/api/temporal-readiness.ts';
import { clusterSpecInputSchema, resolveClusterSpec } from '../src/domain/cluster-spec-input.ts';
import { defaultClusterPolicy } from '../src/domain/cluster-snapshot.ts';
import { clusterWorkflowId, type Tenant } from '../src/domain/ids.ts';
import { campaignContentSchema } from '../src/domain/job.ts';
import { submitCampaign } from '../src/workflows/messages.ts';
import { registerSearchAttributes } from '../src/runtime/search-attributes.ts';
import { planningGround } from '../src/domain/planning-ground.ts';
import { FakeLogs } from '../test/api/fake-logs.ts';
import { clusterUrl, FakeStore } from '../test/api/fakes.ts';
import { FakeWorld } from '../test/fakes/fake-world.ts';
import { MemoryJobListingStore } from '../test/fakes/memory-job-listing-store.ts';
import { MemoryUsageStore } from '../test/fakes/memory-usage-store.ts';
import { startTemporal } from '../test/support/temporal.ts';

/**
 * How long a campaign takes to be accepted through the API, beside the bare update-with-start that makes it durable:
 * the same request to the same workflows, on one Temporal server and worker. The ways take turns. The world behind the
 * worker and the control bucket are in memory, so that what is measured is the API's own part. Run by `node bench/api.ts`.
 */
const ROUNDS = 100;
const WARM_UPS = 20;
const TASK_QUEUE = 'bench';
const TOKEN = 'bench-token-of-more-than-32-characters';
const policy = defaultClusterPolicy;
const spec = resolveClusterSpec(clusterSpecInputSchema.parse({ tier: 'debug' }));
const jobs = Array.from({ length: 8 }, (_, index) => ({
  key: `sim-${index}`,
  script: `#!/bin/bash\n${'# parameters\n'.repeat(20)}srun special ${index}\n`,
  environment: { CURRENT_NA: String(index / 10) },
}));

type Way = 'bare update-with-start' | 'POST …/campaigns';
const ways: readonly Way[] = ['bare update-with-start', 'POST …/campaigns'];
const tenants: Readonly<Record<Way, Tenant>> = {
  'bare update-with-start': { virtualLabId: 'bench', projectId: 'bare' },
  'POST …/campaigns': { virtualLabId: 'bench', projectId: 'api' },
};

/** Hands a campaign to the cluster entity as the API does; resolves to the milliseconds that it took. */
async function bare(client: Client, store: FakeStore, tenant: Tenant): Promise<number> {
  const campaignId = campaignIdFor(tenant, randomUUID());
  const content = await store.put(tenant, campaignContentSchema.parse({ version: 1, campaignId, jobs }));
  const started = performance.now();
  await client.workflow.executeUpdateWithStart(submitCampaign, {
    args: [{ campaignId, content, jobCount: jobs.length, queues: [], spec }],
    startWorkflowOperation: new WithStartWorkflowOperation('cluster', {
      workflowId: clusterWorkflowId(tenant),
      taskQueue: TASK_QUEUE,
      args: [{ ...tenant, policy }],
      workflowIdConflictPolicy: 'USE_EXISTING',
    }),
  });
  return performance.now() - started;
}

/**
 * Sends it over HTTP, on a connection that is kept; resolves to the milliseconds until the whole answer is there. What is
 * answered by 503, because the machine was busy, is repeated at once: its time counts.
 */
async function post(address: string, agent: Agent, tenant: Tenant): Promise<number> {
  const key = randomUUID();
  const started = performance.now();
  for (;;) {
    const { status, body } = await postOnce(address, agent, tenant, key);
    if (status === 202) return performance.now() - started;
    if (status !== 503) throw new Error(`${String(status)}: ${body}`);
  }
}

async function postOnce(
  address: string,
  agent: Agent,
  tenant: Tenant,
  key: string,
): Promise<{ readonly status: number | undefined; readonly body: string }> {
  const body = JSON.stringify({ jobs, cluster: { tier: 'debug' } });
  return new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
    const sent = request(`${address}${clusterUrl(tenant)}/campaigns`, {
      agent,
      method: 'POST',
      headers: {
        authorization: `Bearer ${TOKEN}`,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        'idempotency-key': key,
      },
    });
    sent.once('error', reject).once('response', (response) => {
      text(response).then((body) => resolve({ status: response.statusCode, body }), reject);
    });
    sent.end(body);
  });
}

async function measure(connection: Connection, native: NativeConnection): Promise<void> {
  const client = new Client({ connection });
  const store = new FakeStore();
  const world = new FakeWorld(async () => Date.now());
  world.campaignStore = store;
  // Clusters are being made all the while: what was accepted waits, and takes no time from what follows.
  const finishStacks = world.holdBack('createStack');
  const lease = createSubnetLeaseActivities({
    client,
    taskQueue: TASK_QUEUE,
    vpcId: 'vpc-bench',
    whoLivesIn: async () => undefined,
  });
  const worker = await Worker.create({
    connection: native,
    taskQueue: TASK_QUEUE,
    workflowsPath: new URL('../src/workflows/index.ts', import.meta.url).pathname,
    activities: world.activities(lease),
  });
  const app = await buildApp({
    clusters: createTemporalClusters({ client, taskQueue: TASK_QUEUE, policy }),
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
  const agent = new Agent({ keepAlive: true });
  await worker.runUntil(async () => {
    try {
      const address = await app.listen({ host: '127.0.0.1', port: 0 });
      report(
        await takeTurns({
          'bare update-with-start': async (tenant) => bare(client, store, tenant),
          'POST …/campaigns': async (tenant) => post(address, agent, tenant),
        }),
      );
    } finally {
      // The worker waits for its activities when it stops.
      finishStacks();
      agent.destroy();
      await app.close();
    }
  });
}

async function takeTurns(
  run: Readonly<Record<Way, (tenant: Tenant) => Promise<number>>>,
): Promise<Record<Way, number[]>> {
  const taken: Record<Way, number[]> = { 'bare update-with-start': [], 'POST …/campaigns': [] };
  for (let round = -WARM_UPS; round < ROUNDS; round++) {
    for (const way of round % 2 === 0 ? ways : ways.toReversed()) {
      const ms = await run[way](tenants[way]);
      if (round >= 0) taken[way].push(ms);
    }
  }
  return taken;
}

function report(taken: Readonly<Record<Way, readonly number[]>>): void {
  const quantile = (way: Way, part: number) =>
    taken[way].toSorted((a, b) => a - b)[Math.floor(taken[way].length * part)] ?? NaN;
  print(`a campaign of ${jobs.length} jobs is accepted, ${ROUNDS} times each way`);
  for (const way of ways) {
    const [p50, p95] = [quantile(way, 0.5), quantile(way, 0.95)].map(
      (ms) => `${ms.toFixed(1).padStart(6)} ms`,
    );
    print(`${way.padEnd(24)} p50 ${p50}   p95 ${p95}`);
  }
  const ratio = (part: number) =>
    quantile('POST …/campaigns', part) / quantile('bare update-with-start', part);
  print(`API / bare update        p50 ${ratio(0.5).toFixed(2)} (target 1.3)   p95 ${ratio(0.95).toFixed(2)}`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main(): Promise<void> {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const temporal = await startTemporal();
  const connection = await Connection.connect({ address: temporal.address, interceptors: [] });
  const native = await NativeConnection.connect({ address: temporal.address });
  try {
    await registerSearchAttributes(connection, 'default');
    await measure(connection, native);
  } finally {
    await native.close();
    await connection.close();
    await temporal.close();
  }
}

await main();
