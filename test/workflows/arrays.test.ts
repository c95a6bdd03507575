import { describe, expect, it } from 'vitest';
import { campaignJobs, cancelCampaign, controlJobs } from '../../src/workflows/messages.ts';
import { inVirtualTime } from '../support/virtual-time.ts';

const run = inVirtualTime({ serverFor: 'file' });
const policy = { busyTickSeconds: 14 };
const campaignId = 'qqqqqqqqqqqqqqqqqqqqqqqqqq';

const array = { key: 'sim', array: { indexes: '0-3,8' } };

describe('a job array', () => {
  it('is one submission whose tasks are followed one by one, and waited for as a whole', async () => {
    await run({ policy, recordAs: 'array' }, async (rig) => {
      const tenant = rig.tenant('array');
      rig.world.exitCodes.set('sim_8', 7);
      rig.world.ownDurationSeconds.set('sim_1', 200);
      const after = (condition: 'afterok' | 'afterany', key: string, on: string) => ({
        key,
        dependsOn: [{ key: on, condition }],
      });
      const jobs = [array, after('afterany', 'collect', 'sim'), after('afterok', 'one', 'sim_1')];
      await rig.submit(tenant, campaignId, jobs, { spec: rig.spec() });
      await rig.until(tenant, 'ready');
      await rig.pass(90);
      expect(rig.world.handedOver).toEqual(['sim', 'collect', 'one']);
      const running = await rig.campaign(tenant, campaignId);
      expect(running.jobCount).toBe(7);
      expect(running.jobsByState).toMatchObject({ succeeded: 3, failed: 1, running: 1, pending: 2 });
      expect(await rig.untilCampaignEnds(tenant, campaignId)).toMatchObject({ state: 'failed' });
      const page = await rig.campaignHandle(tenant, campaignId).query(campaignJobs, { offset: 0, limit: 10 });
      expect(page.jobs.map(({ key, state, slurmJobId }) => [key, state, slurmJobId])).toEqual([
        ['sim_0', 'succeeded', '1_0'],
        ['sim_1', 'succeeded', '1_1'],
        ['sim_2', 'succeeded', '1_2'],
        ['sim_3', 'succeeded', '1_3'],
        ['sim_8', 'failed', '1_8'],
        ['collect', 'succeeded', '2'],
        ['one', 'succeeded', '3'],
      ]);
      expect(page.jobs[4]).toMatchObject({ arrayKey: 'sim', arrayTaskId: 8, exitCode: 7 });
      expect([...rig.world.copiedLogs].filter((name) => name.includes('sim_'))).toHaveLength(5);
    });
  });

  it('goes to Slurm without the tasks that were cancelled before', async () => {
    await run({ policy }, async (rig) => {
      const tenant = rig.tenant('fewer');
      await rig.submit(tenant, campaignId, [array], { spec: rig.spec() });
      const handle = rig.campaignHandle(tenant, campaignId);
      const request = { jobKeys: ['sim_2', 'sim_8'], reason: 'not needed' };
      await handle.executeUpdate(cancelCampaign, { args: [request] });
      await rig.untilCampaignEnds(tenant, campaignId);
      const { jobs } = await handle.query(campaignJobs, { offset: 0, limit: 10 });
      expect(jobs.map(({ state }) => state)).toEqual([
        'succeeded',
        'succeeded',
        'cancelled',
        'succeeded',
        'cancelled',
      ]);
      const { clusterName } = await rig.until(tenant, 'ready');
      const inSlurm = rig.world.slurmOf(clusterName).jobs.map(({ jobKey }) => jobKey);
      expect(inSlurm).toEqual(['sim_0', 'sim_1', 'sim_3']);
    });
  });

  it('is named by its key where all of its tasks are meant', async () => {
    await run({ policy }, async (rig) => {
      const tenant = rig.tenant('whole');
      rig.world.jobDurationSeconds = 10_000;
      await rig.submit(tenant, campaignId, [array, { key: 'other' }], { spec: rig.spec() });
      await rig.until(tenant, 'ready');
      await rig.pass(60);
      const handle = rig.campaignHandle(tenant, campaignId);
      const hold = { jobKeys: ['sim'], action: { kind: 'hold' as const } };
      const outcomes = await handle.executeUpdate(controlJobs, { args: [hold] });
      expect(outcomes.map(({ jobKey }) => jobKey)).toEqual(['sim_0', 'sim_1', 'sim_2', 'sim_3', 'sim_8']);
      const request = { jobKeys: ['sim'], reason: 'enough' };
      await handle.executeUpdate(cancelCampaign, { args: [request] });
      await rig.pass(60);
      expect((await rig.campaign(tenant, campaignId)).jobsByState).toMatchObject({
        cancelled: 5,
        running: 1,
      });
    });
  });
});
