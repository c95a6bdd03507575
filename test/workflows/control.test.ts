import { describe, expect, it } from 'vitest';
import { MAX_CONTROLLED_JOBS } from '../../src/domain/job-control.ts';
import { controlJobs } from '../../src/workflows/messages.ts';
import { inVirtualTime } from '../support/virtual-time.ts';
import type { WorkflowRig } from '../support/workflow-rig.ts';

const run = inVirtualTime({ serverFor: 'file' });

const campaignId = 'kkkkkkkkkkkkkkkkkkkkkkkkkk';

/** A campaign whose jobs run for a long time. */
async function running(rig: WorkflowRig, jobs: Parameters<WorkflowRig['submit']>[2]) {
  const tenant = rig.tenant('control');
  rig.world.jobDurationSeconds = 300;
  const slurm = await rig.readyCluster(tenant);
  await rig.submit(tenant, campaignId, jobs);
  await rig.pass(30);
  const control = async (...args: Parameters<typeof controlRequest>) =>
    rig.campaignHandle(tenant, campaignId).executeUpdate(controlJobs, { args: [controlRequest(...args)] });
  return { tenant, slurm, control };
}

function controlRequest(kind: 'hold' | 'release' | 'requeue', ...jobKeys: string[]) {
  return { jobKeys, action: { kind } };
}

describe('an action at jobs', () => {
  it('reaches Slurm, which is told how often each was requeued, and is answered job by job', async () => {
    await run({}, async (rig) => {
      const { tenant, slurm, control } = await running(rig, ['a', 'b', 'c']);
      slurm.said.set('a', { restarts: 2 });
      rig.world.controlOutcomes.set('b', { jobKey: 'b', status: 'refused', message: 'no' });
      await rig.pass(30);
      expect(await control('requeue', 'a', 'b')).toEqual([
        { jobKey: 'a', status: 'done' },
        { jobKey: 'b', status: 'refused', message: 'no' },
      ]);
      expect(rig.world.controls).toMatchObject([
        {
          campaignId,
          action: { kind: 'requeue' },
          jobs: [
            { jobKey: 'a', restarts: 2 },
            { jobKey: 'b', restarts: 0 },
          ],
          access: { user: 'sim' },
          adminAccess: { user: 'ec2-user', hostKey: 'ssh-ed25519 HOST' },
        },
      ]);
      expect((await rig.job(tenant, campaignId, 'c'))?.state).toBe('running');
    });
  });

  it('is refused without asking Slurm where Slurm does not have the job, or no longer', async () => {
    await run({}, async (rig) => {
      rig.world.ownDurationSeconds.set('short', 10);
      rig.world.refusals.set('refused', 'no such queue');
      const { control } = await running(rig, ['short', 'refused', 'long']);
      expect(await control('hold', 'short', 'refused')).toEqual([
        { jobKey: 'short', status: 'refused', message: 'It has ended: it is succeeded.' },
        { jobKey: 'refused', status: 'refused', message: 'It has ended: it is rejected.' },
      ]);
      expect(rig.world.controls).toEqual([]);
    });
  });

  it('is refused for more jobs than one call of Slurm’s programs may change, each task counted', async () => {
    await run({}, async (rig) => {
      const array = { key: 'arr', array: { indexes: `0-${MAX_CONTROLLED_JOBS}` } };
      const { control } = await running(rig, [array, 'a']);
      await expect(control('hold', 'arr')).rejects.toMatchObject({
        cause: { type: 'JobActionRefused', message: expect.stringContaining('at most 200') as unknown },
      });
      expect(rig.world.controls).toEqual([]);
      const tasks = Array.from({ length: MAX_CONTROLLED_JOBS }, (_, index) => `arr_${index}`);
      expect(await control('hold', ...tasks)).toHaveLength(MAX_CONTROLLED_JOBS);
    });
  });

  it('is refused as a request when the campaign has no such job, or when Slurm does not answer', async () => {
    await run({}, async (rig) => {
      const { control } = await running(rig, ['a']);
      await expect(control('hold', 'b')).rejects.toMatchObject({ cause: { type: 'NotFound' } });
      rig.world.failOn('controlJobs', 'SlurmUnavailable');
      await expect(control('hold', 'a')).rejects.toMatchObject({ cause: { type: 'SlurmUnavailable' } });
    });
  });
});

describe('a job that Slurm requeues', () => {
  it('goes on up to its limit, then fails and says why', async () => {
    await run({}, async (rig) => {
      const { tenant, slurm } = await running(rig, [{ key: 'a', requeueLimit: 3 }, 'b']);
      slurm.said.set('a', { restarts: 3 }).set('b', { restarts: 3 });
      await rig.pass(30);
      expect((await rig.job(tenant, campaignId, 'a'))?.state).toBe('running');
      slurm.said.set('a', { restarts: 4 }).set('b', { restarts: 4 });
      await rig.pass(30);
      slurm.said.delete('a');
      await rig.untilCampaignEnds(tenant, campaignId);
      expect(await rig.job(tenant, campaignId, 'a')).toMatchObject({
        state: 'failed',
        reason: 'Slurm requeued it 4 times by itself, which is more than its requeueLimit of 3.',
        nextStep: expect.stringContaining('nodes'),
      });
      expect((await rig.job(tenant, campaignId, 'b'))?.state).toBe('succeeded');
      expect((await rig.campaign(tenant, campaignId)).state).toBe('failed');
    });
  });

  it('goes on however often somebody asked for that', async () => {
    await run({}, async (rig) => {
      const { tenant, slurm, control } = await running(rig, [{ key: 'a', requeueLimit: 1 }]);
      for (let restarts = 1; restarts <= 4; restarts++) {
        expect(await control('requeue', 'a')).toEqual([{ jobKey: 'a', status: 'done' }]);
        slurm.said.set('a', { restarts });
        await rig.pass(30);
        expect(await rig.job(tenant, campaignId, 'a')).toMatchObject({ state: 'running', restarts });
      }
      rig.world.controlOutcomes.set('a', { jobKey: 'a', status: 'refused', message: 'no' });
      await control('requeue', 'a');
      slurm.said.set('a', { restarts: 6 });
      await rig.pass(30);
      slurm.said.delete('a');
      await rig.untilCampaignEnds(tenant, campaignId);
      expect(await rig.job(tenant, campaignId, 'a')).toMatchObject({
        state: 'failed',
        reason: 'Slurm requeued it 2 times by itself, which is more than its requeueLimit of 1.',
      });
    });
  });

  it('stays held when somebody held it', async () => {
    await run({}, async (rig) => {
      const { slurm } = await running(rig, ['a']);
      slurm.said.set('a', { state: 'PENDING', reason: 'JobHeldUser' });
      await rig.pass(60);
      expect(rig.world.controls).toEqual([]);
    });
  });
});
