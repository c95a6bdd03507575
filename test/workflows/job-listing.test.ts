import { describe, expect, it } from 'vitest';
import type { Tenant } from '../../src/domain/ids.ts';
import { type ListJobsAnswer, listJobs } from '../../src/workflows/messages.ts';
import { inVirtualTime } from '../support/virtual-time.ts';
import type { WorkflowRig } from '../support/workflow-rig.ts';

const run = inVirtualTime({ serverFor: 'file' });

const ask = async (rig: WorkflowRig, tenant: Tenant): Promise<ListJobsAnswer> =>
  rig.cluster(tenant).executeUpdate(listJobs);

const calls = (rig: WorkflowRig) => rig.world.calls.get('listSlurmJobs') ?? 0;

describe('the list of all jobs in Slurm', () => {
  it('is made when somebody asks, and given to all who ask in the next seconds', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('listing');
      await rig.readyCluster(tenant);
      const { epoch } = await rig.view(tenant);
      const first = await ask(rig, tenant);
      expect(first).toMatchObject({ status: 'listed', epoch });
      expect(await ask(rig, tenant)).toEqual(first);
      expect(calls(rig)).toBe(1);
      await rig.pass(6);
      expect(await ask(rig, tenant)).not.toEqual(first);
      expect(calls(rig)).toBe(2);
    });
  });

  it('is made once for all who ask at a time, who are told when it takes long', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('slow');
      await rig.readyCluster(tenant);
      const letGo = rig.world.holdBack('listSlurmJobs');
      const pending = await Promise.all(Array.from({ length: 5 }, async () => ask(rig, tenant)));
      expect(new Set(pending.map(({ status }) => status))).toEqual(new Set(['pending']));
      letGo();
      await expect.poll(async () => (await ask(rig, tenant)).status, { timeout: 10_000 }).toBe('listed');
      expect(calls(rig)).toBe(1);
    });
  });

  it('tells who repeats a request why Slurm did not answer, without asking it again at once', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('unavailable');
      await rig.readyCluster(tenant);
      rig.world.failOn('listSlurmJobs', 'HeadNodeUnreachable');
      // The activity is repeated once, after a second: longer than a request waits.
      expect(await ask(rig, tenant)).toMatchObject({ status: 'pending' });
      for (let request = 0; request < 2; request++) {
        await rig.pass(5);
        await expect(ask(rig, tenant)).rejects.toMatchObject({ cause: { type: 'HeadNodeUnreachable' } });
      }
      expect(calls(rig)).toBe(2);
      rig.world.heal('listSlurmJobs');
      await rig.pass(15);
      expect(await ask(rig, tenant)).toMatchObject({ status: 'listed' });
    });
  });

  it('is refused, without asking Slurm, while there is no cluster that is ready', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('not-ready');
      const letGo = rig.world.holdBack('createStack');
      await rig.ensure(tenant);
      await expect(ask(rig, tenant)).rejects.toMatchObject({ cause: { type: 'ClusterNotReady' } });
      letGo();
      await rig.until(tenant, 'ready');
      await rig.teardown(tenant);
      await rig.until(tenant, 'deleted');
      await expect(ask(rig, tenant)).rejects.toMatchObject({ cause: { type: 'NotFound' } });
      expect(calls(rig)).toBe(0);
    });
  });

  it('does not keep a cluster that goes', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('goes');
      await rig.readyCluster(tenant);
      const letGo = rig.world.holdBack('listSlurmJobs');
      expect(await ask(rig, tenant)).toMatchObject({ status: 'pending' });
      await rig.teardown(tenant);
      const cancelled = async () => {
        const { events } = await rig.cluster(tenant).fetchHistory();
        return events?.filter((event) => event.activityTaskCancelRequestedEventAttributes).length;
      };
      // The test server loses a workflow task that cancels an activity which ends in the same moment.
      await expect.poll(cancelled, { timeout: 10_000 }).toBe(1);
      letGo();
      await rig.until(tenant, 'deleted');
    });
  });

  it('is not given out for the next cluster, though it took so long that it would be for a while', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('next');
      await rig.readyCluster(tenant);
      const { epoch } = await rig.view(tenant);
      const letGo = rig.world.holdBack('listSlurmJobs');
      // Time goes on by itself while an activity is held back: these take some 0.8 s each, so it is kept for 30 s.
      for (let request = 0; request < 4; request++) {
        expect(await ask(rig, tenant)).toMatchObject({ status: 'pending' });
      }
      letGo();
      await expect.poll(async () => ask(rig, tenant), { timeout: 10_000 }).toMatchObject({ epoch });
      await rig.teardown(tenant);
      await rig.until(tenant, 'deleted');
      await rig.readyCluster(tenant);
      const next = await rig.view(tenant);
      expect(next.epoch).not.toBe(epoch);
      expect(await ask(rig, tenant)).toMatchObject({ status: 'listed', epoch: next.epoch });
    });
  });

  it('outlives no run: a cluster that continues as new lists its jobs anew', async () => {
    await run({ policy: { historyEventLimit: 60 } }, async (rig) => {
      const tenant = rig.tenant('continued');
      await rig.readyCluster(tenant, rig.spec({ idleTimeoutSeconds: 86_400 }));
      for (let round = 0; round < 12; round++) {
        expect(await ask(rig, tenant)).toMatchObject({ status: 'listed' });
        await rig.pass(600);
      }
      expect(await rig.continuedRuns(rig.cluster(tenant).workflowId)).toBeGreaterThan(1);
    });
  });
});
