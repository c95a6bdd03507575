import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Activities } from '../../src/activities/port.ts';
import { createSubnetLeaseActivities } from '../../src/activities/subnet-lease.ts';
import type { TemporalServer } from '../../src/dev/temporal-server.ts';
import { defaultClusterPolicy } from '../../src/domain/cluster-snapshot.ts';
import { clusterSpecInputSchema, resolveClusterSpec } from '../../src/domain/cluster-spec-input.ts';
import { campaignWorkflowId, clusterWorkflowId, type Tenant } from '../../src/domain/ids.ts';
import { registerSearchAttributes } from '../../src/runtime/search-attributes.ts';
import {
  campaignView,
  clusterView,
  ensureCluster,
  submitCampaign,
  teardownCluster,
} from '../../src/workflows/messages.ts';
import { FakeWorld } from '../fakes/fake-world.ts';
import { replayServer } from '../support/replay-server.ts';
import { startTemporal } from '../support/temporal.ts';

// On a real Temporal: the time-skipping one hands tasks to workers that have gone.
const TASK_QUEUE = 'in-time';

let temporal: TemporalServer;
let connection: Connection;
let native: NativeConnection;

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  temporal = await startTemporal();
  connection = await Connection.connect({ address: temporal.address });
  native = await NativeConnection.connect({ address: temporal.address });
  await registerSearchAttributes(connection, 'default');
});

afterAll(async () => {
  await native?.close();
  await connection?.close();
  await temporal?.close();
});

const SPEC = resolveClusterSpec(clusterSpecInputSchema.parse({ tier: 'debug' }));
const TICK_SECONDS = 3;
const policy = { ...defaultClusterPolicy, busyTickSeconds: TICK_SECONDS, idleTickSeconds: TICK_SECONDS };

/** Workflows only: activities go on while it is away. */
async function besideWorkflowWorker(body: () => Promise<void>): Promise<void> {
  const workflowsPath = fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url));
  const worker = await Worker.create({ connection: native, taskQueue: TASK_QUEUE, workflowsPath });
  await worker.runUntil(body());
}

/** Runs a test with an in-memory world, whose activities always have a worker. */
async function withWorld(
  projectId: string,
  change: (inMemory: Activities) => Activities,
  body: (entity: WorkflowHandle, world: FakeWorld, tenant: Tenant) => Promise<void>,
): Promise<void> {
  const client = new Client({ connection });
  const tenant = { virtualLabId: 'lab', projectId };
  const world = new FakeWorld(async () => Date.now());
  const lease = createSubnetLeaseActivities({
    client,
    taskQueue: TASK_QUEUE,
    vpcId: `vpc-${projectId}`,
    whoLivesIn: async () => undefined,
  });
  const activities = change(world.activities(lease));
  const worker = await Worker.create({ connection: native, taskQueue: TASK_QUEUE, activities });
  await worker.runUntil(async () => {
    const workflowId = clusterWorkflowId(tenant);
    const args: [object] = [{ ...tenant, policy }];
    await client.workflow.start('cluster', { workflowId, taskQueue: TASK_QUEUE, args });
    await body(client.workflow.getHandle(workflowId), world, tenant);
  });
  expect(world.leftovers()).toEqual([]);
  expect(await replayServer(client)).toContain(clusterWorkflowId(tenant));
}

async function untilState(entity: WorkflowHandle, wanted: string): Promise<void> {
  const state = async () => (await entity.query(clusterView)).state;
  await expect.poll(state, { timeout: 60_000 }).toBe(wanted);
}

describe('a teardown', () => {
  it('is heard when the same workflow task brings the answer that the cluster is ready', async () => {
    const { promise: untilAnswer, resolve: answer } = Promise.withResolvers<void>();
    const late = (inMemory: Activities): Activities => ({
      ...inMemory,
      async checkReadiness(request) {
        const access = await inMemory.checkReadiness(request);
        await untilAnswer;
        return access;
      },
    });
    await withWorld('in-time', late, async (entity, world) => {
      await besideWorkflowWorker(async () => {
        await entity.executeUpdate(ensureCluster, { args: [{ spec: SPEC }] });
        await expect.poll(() => world.calls.get('checkReadiness'), { timeout: 10_000 }).toBe(1);
      });
      // Nobody takes workflow tasks now: answer and request wait for the same one.
      answer();
      const asked = entity.executeUpdate(teardownCluster, { args: [{ reason: 'in time' }] });
      await sleep(1000);
      await besideWorkflowWorker(async () => {
        await asked;
        await untilState(entity, 'deleted');
      });
    });
  });
});

describe('a campaign', () => {
  it('is told where to run when it arrives in the same workflow task as the next look at Slurm', async () => {
    const campaignId = 'rrrrrrrrrrrrrrrrrrrrrrrrrr';
    await withWorld(
      'at-a-look',
      (inMemory) => inMemory,
      async (entity, world, tenant) => {
        await besideWorkflowWorker(async () => {
          await entity.executeUpdate(ensureCluster, { args: [{ spec: SPEC }] });
          await untilState(entity, 'ready');
          world.jobDurationSeconds = 1;
          const looks = world.calls.get('observeSlurm') ?? 0;
          await expect
            .poll(() => world.calls.get('observeSlurm'), { timeout: 60_000 })
            .toBeGreaterThan(looks);
          // It sleeps now, until the next look.
          await sleep(1000);
        });
        const content = { bucket: 'control', key: 'content.json', sha256: 'a' };
        world.contents.set(content.key, [{ key: 'a' }]);
        const request = { campaignId, content, jobCount: 1, queues: [] };
        const sent = entity.executeUpdate(submitCampaign, { args: [request] });
        await sleep((TICK_SECONDS + 1) * 1000);
        await besideWorkflowWorker(async () => {
          expect(await sent).toMatchObject({ outcome: 'accepted' });
          const campaign = new Client({ connection }).workflow.getHandle(
            campaignWorkflowId(tenant, campaignId),
          );
          const state = async () => (await campaign.query(campaignView)).state;
          await expect.poll(state, { timeout: 30_000 }).toBe('succeeded');
          await entity.executeUpdate(teardownCluster, { args: [{ reason: 'done' }] });
          await untilState(entity, 'deleted');
        });
      },
    );
  });
});
