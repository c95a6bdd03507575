import { describe, expect, it } from 'vitest';
import type { CampaignView } from '../../src/domain/campaign-view.ts';
import { newClusterSnapshot } from '../../src/domain/cluster-snapshot.ts';
import { CAMPAIGN_VIEW_MEMO } from '../../src/domain/cluster-view.ts';
import { failureOf } from '../../src/domain/failures.ts';
import { campaignWorkflowId, clusterWorkflowId, type Tenant } from '../../src/domain/ids.ts';
import {
  type AcquireRequest,
  acquireLease,
  holdCluster,
  poolLeases,
  releaseLease,
} from '../../src/workflows/messages.ts';
import { inVirtualTime } from '../support/virtual-time.ts';
import type { WorkflowRig } from '../support/workflow-rig.ts';

// One server for each test, for the reason given at `endOf`.
const run = inVirtualTime({ serverFor: 'test' });

/** Less than the 15 minutes after which a waiting cluster asks by itself. */
const SOON_SECONDS = 60;

describe('a campaign that continues as new', () => {
  it('hands each job to Slurm once, although it continues between two batches', async () => {
    // A batch has a hundred jobs.
    const keys = Array.from({ length: 110 }, (_, index) => `job-${index}`);
    await run({ policy: { historyEventLimit: 20 } }, async (rig) => {
      const tenant = rig.tenant('batches');
      const campaignId = 'mmmmmmmmmmmmmmmmmmmmmmmmmm';
      await rig.submit(tenant, campaignId, keys, { spec: rig.spec() });
      const accepted = await rig.campaign(tenant, campaignId);
      await rig.until(tenant, 'ready');
      await rig.pass(30);
      const running = await rig.campaign(tenant, campaignId);
      expect(running).toMatchObject({ state: 'running', jobsByState: { running: 110 } });
      const continuedBefore = await rig.continuedRuns(campaignWorkflowId(tenant, campaignId));
      expect(continuedBefore).toBeGreaterThanOrEqual(1);
      const ended = await endOf(rig, tenant, campaignId);
      expect(await rig.continuedRuns(campaignWorkflowId(tenant, campaignId))).toBeGreaterThan(
        continuedBefore,
      );
      expect(rig.world.handedOver).toEqual(keys);
      const { acceptedAt, content } = accepted;
      expect(ended).toMatchObject({
        state: 'succeeded',
        jobsByState: { succeeded: 110 },
        acceptedAt,
        content,
      });
      const manifest = rig.world.manifests.get(campaignId) ?? [];
      expect(manifest.map(({ key }) => key)).toEqual(keys);
      expect(
        manifest.every(({ submittedAt, endedAt, slurmJobId }) => submittedAt && endedAt && slurmJobId),
      ).toBe(true);
      expect([...rig.world.copiedLogs].toSorted()).toEqual(keys.toSorted());
    });
  });

  it('knows what it was told before, which nobody tells it again', async () => {
    const options = {
      policy: { historyEventLimit: 30, busyTickSeconds: 60 },
      recordAs: 'told-once',
    };
    await run(options, async (rig) => {
      const tenant = rig.tenant('told');
      const campaignId = 'nnnnnnnnnnnnnnnnnnnnnnnnnn';
      const workflowId = campaignWorkflowId(tenant, campaignId);
      rig.world.ownDurationSeconds.set('short', 50).set('longer', 110).set('long', 400);
      // The log of the first job cannot be copied until the end of the second was seen.
      rig.world.failOn('copyJobLogs', 'HeadNodeUnreachable', { times: 6 });
      await rig.submit(tenant, campaignId, ['short', 'longer', 'long'], { spec: rig.spec() });
      await rig.until(tenant, 'ready');
      await rig.pass(150);
      const before = await rig.campaign(tenant, campaignId);
      expect(before).toMatchObject({ state: 'running', jobsByState: { succeeded: 2, running: 1 } });
      expect([...rig.world.copiedLogs]).toEqual([]);
      const continuedBefore = await rig.continuedRuns(workflowId);
      await rig.pass(150);
      expect(await rig.continuedRuns(workflowId)).toBeGreaterThan(continuedBefore);
      expect([...rig.world.copiedLogs]).toEqual(['short', 'longer']);
      const after = await rig.campaign(tenant, campaignId);
      expect(after).toEqual({ ...before, observedAt: after.observedAt });
      const { memo } = await rig.client.workflow.getHandle(workflowId).describe();
      expect(memo?.[CAMPAIGN_VIEW_MEMO]).toMatchObject({ ...after, observedAt: expect.any(String) });
      const ended = await endOf(rig, tenant, campaignId);
      expect(ended).toMatchObject({ state: 'succeeded', jobsByState: { succeeded: 3 }, logs: before.logs });
      expect(rig.world.handedOver).toEqual(['short', 'longer', 'long']);
      const manifest = rig.world.manifests.get(campaignId) ?? [];
      expect(manifest.map(({ key, state }) => [key, state])).toEqual([
        ['short', 'succeeded'],
        ['longer', 'succeeded'],
        ['long', 'succeeded'],
      ]);
    });
  });
});

describe('a subnet pool that continues as new', () => {
  it('gives no leased subnet again, and the first in the queue the next that comes free', async () => {
    const options = { subnets: 2, recordAs: 'full-pool' };
    await run(options, async (rig) => {
      await rig.startPool(60);
      const held = [await lease(rig, 'held-1'), await lease(rig, 'held-2')];
      const waiting = rig.tenant('first');
      await rig.ensure(waiting);
      await rig.pass(5);
      expect((await rig.view(waiting)).message).toContain('place 1 in the queue');
      const before = await rig.pool().query(poolLeases);
      while ((await rig.continuedRuns(rig.pool().workflowId)) === 0) await lease(rig, 'held-2');
      expect(await rig.pool().query(poolLeases)).toEqual(before);
      expect([await lease(rig, 'held-1'), await lease(rig, 'held-2')]).toEqual(held);
      expect(await lease(rig, 'second')).toEqual({ status: 'waiting', position: 2, poolSize: 2 });
      await rig.pool().executeUpdate(releaseLease, { args: [{ epoch: 'held-1' }] });
      const { subnetId } = await rig.until(waiting, 'ready', SOON_SECONDS);
      expect(held[0]).toMatchObject({ status: 'leased', lease: { subnetId } });
      expect(await lease(rig, 'second')).toMatchObject({ status: 'waiting', position: 1 });
    });
  });

  it('answers a request first that arrived before, and the same one again with the same lease', async () => {
    await run({ subnets: 2 }, async (rig) => {
      const limit = 30;
      await rig.startPool(limit);
      const goOn = rig.world.holdBack('describePoolSubnets');
      const args: [AcquireRequest] = [{ epoch: 'e1', holderWorkflowId: 'nobody' }];
      const request = { updateId: 'the-same', args };
      const inFlight = await rig.pool().startUpdate(acquireLease, { ...request, waitForStage: 'ACCEPTED' });
      for (let index = 0; (await rig.pool().describe()).historyLength <= limit; index++) {
        await rig.pool().executeUpdate(releaseLease, { args: [{ epoch: `unknown-${index}` }] });
      }
      expect(await rig.continuedRuns(rig.pool().workflowId)).toBe(0);
      goOn();
      const first = await inFlight.result();
      expect(first).toMatchObject({ status: 'leased' });
      expect(await rig.pool().executeUpdate(acquireLease, request)).toEqual(first);
      expect(await rig.continuedRuns(rig.pool().workflowId)).toBe(1);
      // It ran, rather than Temporal remembering its answer.
      expect(rig.world.calls.get('describePoolSubnets')).toBe(2);
      expect(await rig.leases()).toHaveLength(1);
    });
  });
});

describe('a cluster that continues as new', () => {
  it('goes on waiting for its subnet, in its place, with all that it was asked for', async () => {
    const options = { subnets: 1, policy: { historyEventLimit: 40 }, recordAs: 'waiting-for-subnet' };
    await run(options, async (rig) => {
      await rig.startPool();
      const held = await lease(rig, 'held');
      const tenant = rig.tenant('waiting');
      const campaignId = 'oooooooooooooooooooooooooo';
      await rig.submit(tenant, campaignId, ['a'], { spec: rig.spec({ idleTimeoutSeconds: 1200 }) });
      await rig.cluster(tenant).executeUpdate(holdCluster, {
        args: [{ name: 'results', reason: 'to be registered', durationSeconds: 86_400 }],
      });
      await rig.pass(5);
      const before = await rig.view(tenant);
      expect(before).toMatchObject({ state: 'provisioning', holds: [{ name: 'results' }] });
      const [waiter] = (await rig.pool().query(poolLeases)).waiting;
      expect(waiter?.epoch).toBe(before.epoch);
      await rig.pass(2 * 3600);
      expect(await rig.continuedRuns(clusterWorkflowId(tenant))).toBeGreaterThanOrEqual(2);
      const after = await rig.view(tenant);
      expect(after).toEqual({ ...before, observedAt: after.observedAt });
      expect((await rig.pool().query(poolLeases)).waiting).toEqual([
        { ...waiter, lastAskedAt: expect.any(String) },
      ]);
      await rig.pool().executeUpdate(releaseLease, { args: [{ epoch: 'held' }] });
      const ready = await rig.until(tenant, 'ready', SOON_SECONDS);
      expect(held).toMatchObject({ status: 'leased', lease: { subnetId: ready.subnetId } });
      expect(ready).toMatchObject({ epoch: before.epoch, holds: before.holds, spec: before.spec });
      expect((await endOf(rig, tenant, campaignId)).state).toBe('succeeded');
      expect(rig.world.createdStacks).toHaveLength(1);
    });
  });

  // These begin with the snapshot of the run before: the time-skipping server sometimes stands still when a cluster
  // continues at the end of all that it does, cannot continue a workflow whose cancellation was requested, nor be made to
  // continue in the moment between a decision and its effect.
  it('shows how it stands although nothing happens any more', async () => {
    await run({}, async (rig) => {
      const startedAt = new Date(await rig.env.currentTimeMs()).toISOString();
      const blocked = {
        ...newClusterSnapshot(startedAt),
        state: 'blocked',
        failure: failureOf('StackDeleteFailed', 'DELETE_FAILED: Network'),
        deployment: { epoch: 'e1', startedAt, spec: rig.spec(), resources: {} },
      } as const;
      const tenant = rig.tenant('blocked');
      await rig.start(tenant, blocked);
      expect((await rig.view(tenant)).failure?.type).toBe('StackDeleteFailed');
      const { currentDetails } = await rig
        .cluster(tenant)
        .query<{ currentDetails: string }>('__temporal_workflow_metadata');
      expect(currentDetails).toContain('StackDeleteFailed');
    });
  });

  it('ends when an operator had cancelled the run before', async () => {
    await run({}, async (rig) => {
      const snapshot = newClusterSnapshot(new Date(await rig.env.currentTimeMs()).toISOString());
      const gone = { ...snapshot, state: 'deleted', cancelled: true } as const;
      const handle = await rig.start(rig.tenant('cancelled'), gone);
      await expect(handle.result()).resolves.toBeUndefined();
    });
  });

  it('acts on the decision that an operator had made in the run before', async () => {
    await run({}, async (rig) => {
      const startedAt = new Date(await rig.env.currentTimeMs()).toISOString();
      const deployment = { epoch: 'e1', startedAt, spec: rig.spec(), resources: {} };
      const resolution = { choice: 'retry', by: 'operator@example.org', reason: 'mended' } as const;
      const snapshot = {
        ...newClusterSnapshot(startedAt),
        state: 'blocked',
        deployment,
        resolution,
      } as const;
      const tenant = rig.tenant('decided');
      await rig.start(tenant, snapshot);
      const { epoch } = await rig.until(tenant, 'deleted', SOON_SECONDS);
      expect(epoch).toBeUndefined();
    });
  });
});

/**
 * Waits for the end of a campaign by its result instead of in steps: when a child that continued as new has ended, the
 * time-skipping server never skips time again.
 */
async function endOf(rig: WorkflowRig, tenant: Tenant, campaignId: string): Promise<CampaignView> {
  await rig.client.workflow.getHandle(campaignWorkflowId(tenant, campaignId)).result();
  return rig.campaign(tenant, campaignId);
}

/** Asks the pool for a subnet, as a cluster's activity does. */
async function lease(rig: WorkflowRig, epoch: string) {
  return rig.pool().executeUpdate(acquireLease, { args: [{ epoch, holderWorkflowId: `cluster/${epoch}` }] });
}
