import { describe, expect, it } from 'vitest';
import type { SlurmJobFact } from '../../src/domain/slurm-facts.ts';
import { slurmFacts } from '../../src/workflows/messages.ts';
import { inVirtualTime } from '../support/virtual-time.ts';

const run = inVirtualTime({ serverFor: 'file' });

const campaignId = 'rrrrrrrrrrrrrrrrrrrrrrrrrr';
const HOUR = 3600;

describe('a job that Slurm loses', () => {
  it('is submitted again exactly once, although another one has its id by then', async () => {
    await run({ recordAs: 'lost-job' }, async (rig) => {
      const tenant = rig.tenant('lost');
      const slurm = await rig.readyCluster(tenant);
      rig.world.jobDurationSeconds = 120;
      await rig.submit(tenant, campaignId, ['a', 'b']);
      await rig.pass(5);
      const lostId = slurm.find(campaignId, 'a')?.jobId;
      slurm.lose(campaignId, ['a', 'b']);
      await rig.pass(30);
      expect(rig.world.handedOver).toEqual(['a', 'b', 'a', 'b']);
      // Ids are given out anew, in the order of submission.
      expect(slurm.find(campaignId, 'a')?.jobId).toBe(lostId);
      const ended = await rig.untilCampaignEnds(tenant, campaignId);
      expect(ended).toMatchObject({ state: 'succeeded', jobsByState: { succeeded: 2 } });
      expect(slurm.jobs.map(({ jobKey }) => jobKey)).toEqual(['a', 'b']);
      expect(rig.world.handedOver).toHaveLength(4);
    });
  });

  it('is submitted again each time that it is lost', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('twice');
      const slurm = await rig.readyCluster(tenant);
      rig.world.jobDurationSeconds = 120;
      await rig.submit(tenant, campaignId, ['a', 'b']);
      for (let times = 1; times <= 2; times++) {
        await rig.pass(20);
        slurm.lose(campaignId, ['b']);
        await rig.pass(20);
        expect(rig.world.handedOver).toEqual(['a', 'b', ...Array.from({ length: times }, () => 'b')]);
      }
      const ended = await rig.untilCampaignEnds(tenant, campaignId);
      expect(ended).toMatchObject({ state: 'succeeded', jobsByState: { succeeded: 2 } });
      expect(rig.world.handedOver).toHaveLength(4);
    });
  });

  it('brings those that depend on it along in their order', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('chain');
      const slurm = await rig.readyCluster(tenant);
      const second = { key: 'second', dependsOn: [{ key: 'first', condition: 'afterok' } as const] };
      await rig.submit(tenant, campaignId, [second, 'first']);
      await rig.pass(5);
      slurm.lose(campaignId, ['first', 'second']);
      const ended = await rig.untilCampaignEnds(tenant, campaignId);
      expect(ended.jobsByState).toEqual({ succeeded: 2 });
      expect(rig.world.handedOver).toEqual(['first', 'second', 'first', 'second']);
    });
  });
});

describe('what cannot be known', () => {
  it('ends no job: a state that nobody knows is none that is final', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('strange');
      const slurm = await rig.readyCluster(tenant);
      await rig.submit(tenant, campaignId, ['a']);
      await rig.pass(5);
      Object.assign(slurm.jobs[0] ?? {}, { isStrange: true });
      await rig.pass(600);
      expect(await rig.campaign(tenant, campaignId)).toMatchObject({
        state: 'running',
        jobsByState: { unknown: 1 },
      });
      Object.assign(slurm.jobs[0] ?? {}, { isStrange: false });
      expect((await rig.untilCampaignEnds(tenant, campaignId)).state).toBe('succeeded');
    });
  });

  it('changes no job: while Slurm does not answer, the cluster says since when', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('blind');
      const slurm = await rig.readyCluster(tenant);
      rig.world.ownDurationSeconds.set('short', 120);
      rig.world.jobDurationSeconds = HOUR;
      await rig.submit(tenant, campaignId, ['short', 'long']);
      await rig.pass(30);
      const before = await rig.campaign(tenant, campaignId);
      const blindFrom = await rig.env.currentTimeMs();
      slurm.reachable = false;
      await rig.pass(600);
      expect(await rig.campaign(tenant, campaignId)).toEqual({
        ...before,
        observedAt: expect.any(String),
      });
      const { blindSince, state } = await rig.view(tenant);
      expect(state).toBe('ready');
      expect(Date.parse(blindSince ?? '') - blindFrom).toBeLessThan(30_000);
      slurm.reachable = true;
      await rig.pass(20);
      expect((await rig.view(tenant)).blindSince).toBeUndefined();
      expect((await rig.campaign(tenant, campaignId)).jobsByState).toEqual({ succeeded: 1, running: 1 });
    });
  });
});

describe('what Slurm says', () => {
  it('is asked for at once again when it did not fit into one answer', async () => {
    await run({ policy: { busyTickSeconds: 600 } }, async (rig) => {
      const tenant = rig.tenant('more');
      const slurm = await rig.readyCluster(tenant);
      slurm.maxFactsPerCampaign = 100;
      rig.world.jobDurationSeconds = HOUR;
      const keys = Array.from({ length: 250 }, (_, index) => `job-${index}`);
      await rig.submit(tenant, campaignId, keys);
      await rig.pass(60);
      expect((await rig.campaign(tenant, campaignId)).jobsByState).toEqual({ running: 250 });
    });
  });
});

describe('a message about jobs', () => {
  it('changes nothing when a later one, or one of another epoch, was there before', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('late');
      await rig.readyCluster(tenant);
      rig.world.jobDurationSeconds = HOUR;
      await rig.submit(tenant, campaignId, ['a']);
      await rig.pass(60);
      const before = await rig.job(tenant, campaignId, 'a');
      expect(before?.state).toBe('running');
      const { epoch = '' } = await rig.view(tenant);
      const failed: SlurmJobFact & { jobKey: string } = {
        jobKey: 'a',
        jobId: before?.slurmJobId ?? '',
        comment: '',
        user: 'sim',
        name: 'a',
        partition: 'debug',
        state: 'FAILED',
        flags: [],
        reason: 'NonZeroExitCode',
        exitCode: 1,
        nodes: '',
        restarts: 0,
        source: 'accounting',
      };
      const tell = async (message: { epoch: string; sequence: number }) => {
        const observedAt = new Date(await rig.env.currentTimeMs()).toISOString();
        await rig
          .campaignHandle(tenant, campaignId)
          .signal(slurmFacts, { ...message, observedAt, facts: [failed] });
        return (await rig.job(tenant, campaignId, 'a'))?.state;
      };
      expect(await tell({ epoch, sequence: 1 })).toBe('running');
      expect(await tell({ epoch: 'another', sequence: 1000 })).toBe('running');
      // The message itself is one that is believed otherwise.
      expect(await tell({ epoch, sequence: 1000 })).toBe('failed');
    });
  });
});

describe('logs', () => {
  it('of early jobs are copied while later ones are still being submitted', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('early-logs');
      await rig.readyCluster(tenant);
      const keys = Array.from({ length: 110 }, (_, index) => `job-${index}`);
      const hits = (request: unknown) => JSON.stringify(request).includes('"job-109"');
      rig.world.failOn('submitJobs', 'SlurmUnavailable', { hits });
      await rig.submit(tenant, campaignId, keys);
      await rig.pass(60 + 60);
      expect(await rig.campaign(tenant, campaignId)).toMatchObject({
        state: 'submitting',
        jobsByState: { succeeded: 100, submitting: 10 },
      });
      expect(rig.world.copiedLogs.size).toBe(100);
      rig.world.heal('submitJobs');
      const ended = await rig.untilCampaignEnds(tenant, campaignId);
      expect(ended.jobsByState).toEqual({ succeeded: 110 });
      expect(rig.world.copiedLogs.size).toBe(110);
    });
  });

  it('of running jobs are followed, again at each tick, and nobody minds when that fails', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('followed');
      const slurm = await rig.readyCluster(tenant);
      slurm.foreignUntilMs = (await rig.env.currentTimeMs()) + 60_000;
      await rig.pass(60);
      expect(rig.world.calls.get('followJobLogs')).toBeUndefined();
      rig.world.failOn('followJobLogs', 'AwsAccessDenied', { times: 2 });
      await rig.submit(tenant, campaignId, ['a']);
      const ended = await rig.untilCampaignEnds(tenant, campaignId);
      expect(ended).toMatchObject({ state: 'succeeded' });
      expect(ended.failure).toBeUndefined();
      expect(rig.world.calls.get('followJobLogs')).toBeGreaterThanOrEqual(4);
      expect((await rig.view(tenant)).failure).toBeUndefined();
    });
  });

  it('are no longer followed when a teardown begins', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('followed-to-the-end');
      await rig.readyCluster(tenant);
      rig.world.jobDurationSeconds = HOUR;
      await rig.submit(tenant, campaignId, ['a']);
      const letGo = rig.world.holdBack('followJobLogs');
      await expect.poll(() => rig.world.calls.get('followJobLogs'), { timeout: 20_000 }).toBe(1);
      await rig.teardown(tenant);
      const asked = async () => {
        const { events } = await rig.cluster(tenant).fetchHistory();
        return events?.filter((event) => event.activityTaskCancelRequestedEventAttributes).length;
      };
      await expect.poll(asked, { timeout: 10_000 }).toBe(1);
      expect((await rig.view(tenant)).state).toBe('ready');
      letGo();
      await rig.until(tenant, 'deleted');
      expect(rig.world.leftovers()).toEqual([]);
    });
  });
});
