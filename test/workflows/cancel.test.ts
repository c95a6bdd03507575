import { describe, expect, it } from 'vitest';
import { inVirtualTime } from '../support/virtual-time.ts';

const run = inVirtualTime({ serverFor: 'file' });

const campaignId = 'qqqqqqqqqqqqqqqqqqqqqqqqqq';
const request = { reason: 'wrong parameters', requestedBy: 'ada@example.org' };
const HOUR = 3600;

describe('a campaign that is cancelled', () => {
  it('ends at once while its cluster is not ready, and submits nothing', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('early');
      rig.world.failOn('checkReadiness', 'ClusterNotReady');
      await rig.submit(tenant, campaignId, ['a', 'b'], { spec: rig.spec() });
      const view = await rig.cancel(tenant, campaignId, request);
      expect(view.jobsByState).toEqual({ cancelled: 2 });
      const ended = await rig.untilCampaignEnds(tenant, campaignId, 60);
      expect(ended).toMatchObject({
        state: 'cancelled',
        message: '0 of 2 jobs succeeded. It was cancelled: wrong parameters (ada@example.org)',
      });
      rig.world.heal('checkReadiness');
      await rig.until(tenant, 'ready');
      await rig.pass(60);
      expect(rig.world.handedOver).toEqual([]);
      expect(rig.world.manifests.get(campaignId)).toMatchObject([
        { reason: 'Cancelled before it was submitted: wrong parameters (ada@example.org)' },
        { logsComplete: true },
      ]);
    });
  });

  it('ends what runs and what waits in Slurm, copies its logs, and says meanwhile what it does', async () => {
    const options = { policy: { busyTickSeconds: 60 }, recordAs: 'cancelled' };
    await run(options, async (rig) => {
      const tenant = rig.tenant('running');
      const slurm = await rig.readyCluster(tenant);
      rig.world.jobDurationSeconds = HOUR;
      rig.world.ownDurationSeconds.set('short', 10);
      const last = { key: 'last', dependsOn: [{ key: 'long', condition: 'afterok' } as const] };
      await rig.submit(tenant, campaignId, ['short', 'long', last]);
      await rig.pass(70);
      const view = await rig.cancel(tenant, campaignId, request);
      expect(view.jobsByState).toEqual({ succeeded: 1, running: 1, pending: 1 });
      await rig.pass(2);
      expect((await rig.campaign(tenant, campaignId)).message).toContain(
        'Being cancelled: 2 jobs (wrong parameters (ada@example.org)). The campaign as a whole was cancelled.',
      );
      const ended = await rig.untilCampaignEnds(tenant, campaignId, 60);
      expect(ended).toMatchObject({ state: 'cancelled', jobsByState: { succeeded: 1, cancelled: 2 } });
      expect(slurm.jobs.map(({ isCancelled }) => isCancelled)).toEqual([false, true, true]);
      expect([...rig.world.copiedLogs].toSorted()).toEqual(['last', 'long', 'short']);
      expect((await rig.view(tenant)).state).toBe('ready');
    });
  });

  it('stays cancelled although one of its jobs had failed before', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('mixed');
      await rig.readyCluster(tenant);
      rig.world.jobDurationSeconds = HOUR;
      rig.world.ownDurationSeconds.set('bad', 10);
      rig.world.exitCodes.set('bad', 1);
      await rig.submit(tenant, campaignId, ['bad', 'long']);
      await rig.pass(60);
      await rig.cancel(tenant, campaignId, request);
      const ended = await rig.untilCampaignEnds(tenant, campaignId, 60);
      expect(ended).toMatchObject({ state: 'cancelled', jobsByState: { failed: 1, cancelled: 1 } });
    });
  });

  it('cancels right after the submission what was being submitted', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('in-flight');
      const slurm = await rig.readyCluster(tenant);
      rig.world.jobDurationSeconds = HOUR;
      const goOn = rig.world.holdBack('submitJobs');
      const keys = Array.from({ length: 101 }, (_, index) => `job-${index}`);
      await rig.submit(tenant, campaignId, keys);
      await expect.poll(() => rig.world.calls.get('submitJobs'), { timeout: 5000 }).toBe(1);
      const view = await rig.cancel(tenant, campaignId, request);
      // The second batch was never begun.
      expect(view.jobsByState).toEqual({ submitting: 100, cancelled: 1 });
      goOn();
      const ended = await rig.untilCampaignEnds(tenant, campaignId, 60);
      expect(ended).toMatchObject({ state: 'cancelled', jobsByState: { cancelled: 101 } });
      expect(slurm.jobs).toHaveLength(100);
      expect(slurm.jobs.every(({ isCancelled }) => isCancelled)).toBe(true);
    });
  });

  it('is told to Slurm again when it is cancelled again', async () => {
    await run({ policy: { busyTickSeconds: 600 } }, async (rig) => {
      const tenant = rig.tenant('repeated');
      const slurm = await rig.readyCluster(tenant);
      rig.world.jobDurationSeconds = HOUR;
      await rig.submit(tenant, campaignId, ['a']);
      await rig.pass(5);
      await rig.cancel(tenant, campaignId, request);
      await rig.pass(5);
      // As if the controller had died with the request.
      Object.assign(slurm.jobs[0] ?? {}, { isCancelled: false, endMs: Number.MAX_SAFE_INTEGER });
      await rig.cancel(tenant, campaignId, { reason: 'again' });
      const ended = await rig.untilCampaignEnds(tenant, campaignId, 1200);
      expect(ended.state).toBe('cancelled');
      expect(rig.world.calls.get('cancelCampaignJobs')).toBe(2);
    });
  });

  it('says so when Slurm cannot be told, and goes on', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('untold');
      await rig.readyCluster(tenant);
      rig.world.failOn('cancelCampaignJobs', 'HostKeyMismatch');
      await rig.submit(tenant, campaignId, ['a']);
      await rig.pass(5);
      await rig.cancel(tenant, campaignId, request);
      const ended = await rig.untilCampaignEnds(tenant, campaignId);
      expect(ended).toMatchObject({ state: 'succeeded', failure: { type: 'HostKeyMismatch' } });
      expect(rig.world.calls.get('cancelCampaignJobs')).toBe(1);
    });
  });
});

describe('a job that is cancelled', () => {
  it('ends alone, with those that wait for its success', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('one');
      await rig.readyCluster(tenant);
      rig.world.jobDurationSeconds = 300;
      const dependent = { key: 'dependent', dependsOn: [{ key: 'a', condition: 'afterok' } as const] };
      await rig.submit(tenant, campaignId, ['a', 'b', dependent]);
      await rig.pass(30);
      await rig.cancel(tenant, campaignId, { ...request, jobKeys: ['a'] });
      const ended = await rig.untilCampaignEnds(tenant, campaignId);
      expect(ended).toMatchObject({ state: 'cancelled', jobsByState: { cancelled: 2, succeeded: 1 } });
      expect(ended.message).toBe('1 of 3 jobs succeeded.');
      expect(await rig.job(tenant, campaignId, 'b')).toMatchObject({ state: 'succeeded' });
    });
  });

  it('ends at once while it waits for others to be known to Slurm', async () => {
    await run({ policy: { busyTickSeconds: 14 } }, async (rig) => {
      const tenant = rig.tenant('waiting');
      const slurm = await rig.readyCluster(tenant);
      slurm.purgedKeys.add('first');
      rig.world.jobDurationSeconds = 300;
      const second = { key: 'second', dependsOn: [{ key: 'first', condition: 'afterok' } as const] };
      const third = { key: 'third', dependsOn: [{ key: 'second', condition: 'afterany' } as const] };
      await rig.submit(tenant, campaignId, ['first', second, third]);
      await rig.pass(5);
      const view = await rig.cancel(tenant, campaignId, { ...request, jobKeys: ['second'] });
      expect(view.jobsByState).toMatchObject({ cancelled: 1 });
      await rig.untilCampaignEnds(tenant, campaignId);
      expect(slurm.jobs.map(({ jobKey }) => jobKey)).toEqual(['first', 'third']);
      expect(rig.world.calls.get('cancelCampaignJobs')).toBeUndefined();
    });
  });

  it('is refused when the campaign has no such job, or the request is not valid', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('refused');
      await rig.readyCluster(tenant);
      rig.world.jobDurationSeconds = HOUR;
      await rig.submit(tenant, campaignId, ['a']);
      await rig.pass(30);
      const before = await rig.campaign(tenant, campaignId);
      for (const [wrong, type] of [
        [{ ...request, jobKeys: ['a', 'b'] }, 'NotFound'],
        [{ ...request, jobKeys: [] }, 'InvalidRequest'],
        [{ reason: ' ' }, 'InvalidRequest'],
      ] as const) {
        await expect(rig.cancel(tenant, campaignId, wrong)).rejects.toMatchObject({ cause: { type } });
      }
      expect(await rig.campaign(tenant, campaignId)).toEqual({
        ...before,
        observedAt: expect.any(String),
      });
      expect(rig.world.calls.get('cancelCampaignJobs')).toBeUndefined();
    });
  });

  it('is not submitted again when Slurm loses it', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('lost');
      const slurm = await rig.readyCluster(tenant);
      rig.world.jobDurationSeconds = HOUR;
      await rig.submit(tenant, campaignId, ['a']);
      await rig.pass(5);
      slurm.reachable = false;
      await rig.cancel(tenant, campaignId, { ...request, jobKeys: ['a'] });
      await rig.pass(5);
      slurm.lose(campaignId, ['a']);
      slurm.reachable = true;
      const ended = await rig.untilCampaignEnds(tenant, campaignId);
      expect(ended.state).toBe('cancelled');
      expect(rig.world.handedOver).toEqual(['a']);
      expect((await rig.job(tenant, campaignId, 'a'))?.reason).toMatch(/lost it .* it was cancelled: wrong/);
    });
  });
});
