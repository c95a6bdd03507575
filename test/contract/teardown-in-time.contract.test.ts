import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Activities } from '../../src/activities/port.ts';
import { createSubnetLeaseActivities } from '../../src/activities/subnet-lease.ts';
import { readDevEnvironment } from '../../src/dev/environment.ts';
import { findTemporalProgram } from '../../src/dev/temporal-binaries.ts';
import { startTemporalServer, type TemporalServer } from '../../src/dev/temporal-server.ts';
import { defaultClusterPolicy } from '../../src/domain/cluster-snapshot.ts';
import { clusterSpecInputSchema, resolveClusterSpec } from '../../src/domain/cluster-spec.ts';
import { clusterWorkflowId } from '../../src/domain/ids.ts';
import { registerSearchAttributes } from '../../src/runtime/search-attributes.ts';
import { clusterView, ensureCluster, teardownCluster } from '../../src/workflows/messages.ts';
import { FakeWorld } from '../fakes/fake-world.ts';
import { replayServer } from '../support/replay-server.ts';

// On a real Temporal: the time-skipping one hands tasks to workers that have gone.
const TASK_QUEUE = 'in-time';
const TENANT = { virtualLabId: 'lab', projectId: 'in-time' };

let folder: string;
let temporal: TemporalServer;
let connection: Connection;
let native: NativeConnection;

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  folder = await mkdtemp(join(tmpdir(), 'in-time-'));
  const environment = readDevEnvironment();
  temporal = await startTemporalServer({
    executable: await findTemporalProgram('temporal', environment, () => {}),
    databaseFile: join(folder, 'temporal.db'),
    logDirectory: folder,
    env: environment.inherited,
  });
  connection = await Connection.connect({ address: temporal.address });
  native = await NativeConnection.connect({ address: temporal.address });
  await registerSearchAttributes(connection, 'default');
});

afterAll(async () => {
  await native?.close();
  await connection?.close();
  await temporal?.close();
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** Workflows only: activities go on while it is away. */
async function besideWorkflowWorker(body: () => Promise<void>): Promise<void> {
  const workflowsPath = fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url));
  const worker = await Worker.create({ connection: native, taskQueue: TASK_QUEUE, workflowsPath });
  await worker.runUntil(body());
}

describe('a teardown', () => {
  it('is heard when the same workflow task brings the answer that the cluster is ready', async () => {
    const client = new Client({ connection });
    const world = new FakeWorld(async () => Date.now());
    const lease = createSubnetLeaseActivities({ client, taskQueue: TASK_QUEUE, vpcId: 'vpc-in-time' });
    const { promise: untilAnswer, resolve: answer } = Promise.withResolvers<void>();
    const inMemory = world.activities(lease);
    const activities: Activities = {
      ...inMemory,
      async checkReadiness(request) {
        const access = await inMemory.checkReadiness(request);
        await untilAnswer;
        return access;
      },
    };
    const activityWorker = await Worker.create({ connection: native, taskQueue: TASK_QUEUE, activities });
    const spec = resolveClusterSpec(clusterSpecInputSchema.parse({ tier: 'debug' }));
    const entity = client.workflow.getHandle(clusterWorkflowId(TENANT));
    await activityWorker.runUntil(async () => {
      await besideWorkflowWorker(async () => {
        const args: [object] = [{ ...TENANT, policy: defaultClusterPolicy }];
        await client.workflow.start('cluster', {
          workflowId: entity.workflowId,
          taskQueue: TASK_QUEUE,
          args,
        });
        await entity.executeUpdate(ensureCluster, { args: [{ spec }] });
        await expect.poll(() => world.calls.get('checkReadiness'), { timeout: 10_000 }).toBe(1);
      });
      // Nobody takes workflow tasks now: answer and request wait for the same one.
      answer();
      const asked = entity.executeUpdate(teardownCluster, { args: [{ reason: 'in time' }] });
      await sleep(1000);
      await besideWorkflowWorker(async () => {
        await asked;
        const state = async () => (await entity.query(clusterView)).state;
        await expect.poll(state, { timeout: 60_000 }).toBe('deleted');
      });
    });
    expect(world.leftovers()).toEqual([]);
    expect(await replayServer(client)).toContain(entity.workflowId);
  });
});
