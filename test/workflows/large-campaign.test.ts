import { describe, expect, it } from 'vitest';
import { campaignWorkflowId } from '../../src/domain/ids.ts';
import { atScale } from '../support/scale.ts';
import { inVirtualTime } from '../support/virtual-time.ts';

// One server for each test: see `endOf` in continue-as-new.test.ts.
const run = inVirtualTime({ serverFor: 'test' });

const campaignId = 'ssssssssssssssssssssssssss';

function keysOf(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `simulation-${String(index).padStart(5, '0')}`);
}

/** Ten thousand, the most, at full size. Otherwise as many as need several chunks and parts. */
const jobCount = atScale(2_500, 10_000);

describe(`a campaign of ${jobCount} jobs`, () => {
  it('hands each to Slurm once, continues as new in the middle, and ends with a manifest of all', async () => {
    const keys = keysOf(jobCount);
    await run({ workflowThread: true, policy: { historyEventLimit: 400 } }, async (rig) => {
      const tenant = rig.tenant('large');
      await rig.readyCluster(tenant);
      await rig.submit(tenant, campaignId, keys);
      await rig.campaignHandle(tenant, campaignId).result();
      expect(await rig.campaign(tenant, campaignId)).toMatchObject({
        state: 'succeeded',
        jobCount,
        jobsByState: { succeeded: jobCount },
      });
      expect(rig.world.handedOver).toEqual(keys);
      expect(await rig.continuedRuns(campaignWorkflowId(tenant, campaignId))).toBeGreaterThanOrEqual(1);
      expect(rig.world.copiedLogs.size).toBe(jobCount);
      expect(rig.world.manifests.get(campaignId)?.map(({ key }) => key)).toEqual(keys);
    });
  }, 60_000);
});

const taskCount = atScale(300, 10_000);

describe(`one array of ${taskCount} tasks`, () => {
  it('is handed to Slurm once, and ends with the state and the logs of each task', async () => {
    await run({ workflowThread: true, policy: { historyEventLimit: 400 } }, async (rig) => {
      const tenant = rig.tenant('array');
      await rig.readyCluster(tenant);
      rig.world.exitCodes.set(`sim_${taskCount - 1}`, 3);
      await rig.submit(tenant, campaignId, [{ key: 'sim', array: { indexes: `0-${taskCount - 1}` } }]);
      await rig.campaignHandle(tenant, campaignId).result();
      expect((await rig.campaign(tenant, campaignId)).jobsByState).toEqual({
        succeeded: taskCount - 1,
        failed: 1,
      });
      expect(rig.world.handedOver).toEqual(['sim']);
      expect(rig.world.copiedLogs.size).toBe(taskCount);
      expect(rig.world.manifests.get(campaignId)).toHaveLength(taskCount);
    });
  }, 120_000);
});

describe('a campaign that continues as new again and again', () => {
  it.each([
    ['more jobs than one chunk holds', 1100, {}],
    ['few jobs', 20, { recordAs: 'continued-chunks' }],
  ])(
    'keeps dependencies and wishes to cancel over its runs: %s',
    async (_name, count, recording) => {
      const options = { policy: { historyEventLimit: 60, busyTickSeconds: 14 }, ...recording };
      await run(options, async (rig) => {
        const tenant = rig.tenant('chunks');
        const slurm = await rig.readyCluster(tenant);
        const keys = keysOf(count);
        rig.world.jobDurationSeconds = 150;
        slurm.purgedKeys.add('first');
        const last = { key: 'last', dependsOn: [{ key: 'first', condition: 'afterok' } as const] };
        await rig.submit(tenant, campaignId, [last, 'first', ...keys]);
        await rig.pass(100);
        // More facts than one look tells: the rest is told at once, but not in no time.
        await expect
          .poll(async () => (await rig.campaign(tenant, campaignId)).jobsByState, { timeout: 20_000 })
          .toEqual({ running: count + 1, waiting: 1 });
        const runsBefore = await rig.continuedRuns(campaignWorkflowId(tenant, campaignId));
        expect(runsBefore).toBeGreaterThanOrEqual(1);
        await rig.cancel(tenant, campaignId, { jobKeys: [keys.at(-1) ?? ''], reason: 'one too many' });
        await rig.campaignHandle(tenant, campaignId).result();
        expect(await rig.campaign(tenant, campaignId)).toMatchObject({
          state: 'cancelled',
          jobsByState: { succeeded: count + 1, cancelled: 1 },
        });
        expect(await rig.continuedRuns(campaignWorkflowId(tenant, campaignId))).toBeGreaterThan(runsBefore);
        expect(slurm.jobs).toHaveLength(count + 2);
        expect(rig.world.manifests.get(campaignId)).toHaveLength(count + 2);
      });
    },
    60_000,
  );
});
