import { describe, expect, it } from 'vitest';
import { clusterWorkflowId } from '../../src/domain/ids.ts';
import { holdCluster, releaseHold } from '../../src/workflows/messages.ts';
import { inVirtualTime } from '../support/virtual-time.ts';

const run = inVirtualTime({ serverFor: 'file' });

const TEN_MINUTES = 600;

describe('an idle cluster', () => {
  it('goes after the configured time and not before', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('idle');
      await rig.ensure(tenant, rig.spec({ idleTimeoutSeconds: TEN_MINUTES }));
      const { readyAt } = await rig.until(tenant, 'ready');
      await rig.pass(TEN_MINUTES - 10);
      expect((await rig.view(tenant)).state).toBe('ready');
      const { since } = await rig.until(tenant, 'deleted', 30);
      const livedSeconds = (Date.parse(since) - Date.parse(readyAt ?? '')) / 1000;
      expect(livedSeconds).toBeGreaterThanOrEqual(TEN_MINUTES);
      expect(livedSeconds).toBeLessThan(TEN_MINUTES + 15);
    });
  });

  it('is kept by a job that only Slurm knows of', async () => {
    await run({ policy: { busyTickSeconds: 300 } }, async (rig) => {
      const tenant = rig.tenant('foreign');
      await rig.ensure(tenant, rig.spec({ idleTimeoutSeconds: TEN_MINUTES }));
      const { clusterName } = await rig.until(tenant, 'ready');
      const busyUntilMs = (await rig.env.currentTimeMs()) + 2 * 3600_000;
      rig.world.slurmOf(clusterName).foreignUntilMs = busyUntilMs;
      await rig.pass(2 * 3600 - 30);
      expect((await rig.view(tenant)).state).toBe('ready');
      const { since } = await rig.until(tenant, 'deleted', 3600);
      expect(Date.parse(since)).toBeGreaterThanOrEqual(busyUntilMs + TEN_MINUTES * 1000);
    });
  });

  it('is kept while Slurm does not answer, and says since when and why we are blind', async () => {
    await run({ policy: { busyTickSeconds: 60 } }, async (rig) => {
      const tenant = rig.tenant('blind');
      await rig.ensure(tenant, rig.spec({ idleTimeoutSeconds: TEN_MINUTES }));
      const { clusterName } = await rig.until(tenant, 'ready');
      await rig.pass(TEN_MINUTES / 2);
      rig.world.slurmOf(clusterName).reachable = false;
      await rig.pass(3600);
      const blind = await rig.view(tenant);
      expect(blind.state).toBe('ready');
      expect(blind.blindSince).toBeDefined();
      const { blindBecause } = blind;
      expect(blindBecause).toMatchObject({ type: 'SlurmUnavailable', nextStep: expect.any(String) });
      rig.world.failOn('observeSlurm', 'HostKeyMismatch', { times: 1 });
      await rig.pass(60);
      const { blindSince, blindBecause: other, message } = await rig.view(tenant);
      expect([blindSince, other?.type]).toEqual([blind.blindSince, 'HostKeyMismatch']);
      expect(message).toContain('HostKeyMismatch');
      rig.world.slurmOf(clusterName).reachable = true;
      const seenAgainAt = await rig.env.currentTimeMs();
      await rig.pass(60);
      const seeing = await rig.view(tenant);
      expect([seeing.blindSince, seeing.blindBecause]).toEqual([undefined, undefined]);
      const { since } = await rig.until(tenant, 'deleted', 3600);
      // The idle time from before the blindness does not count.
      expect(Date.parse(since)).toBeGreaterThanOrEqual(seenAgainAt + TEN_MINUTES * 1000);
    });
  });

  it('is kept by a hold, and goes when that is released', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('held');
      await rig.ensure(tenant);
      await rig.until(tenant, 'ready');
      await rig.cluster(tenant).executeUpdate(holdCluster, {
        args: [{ name: 'results', reason: 'still being registered', durationSeconds: 86_400 }],
      });
      await rig.pass(6 * 3600);
      expect(await rig.view(tenant)).toMatchObject({ state: 'ready', holds: [{ name: 'results' }] });
      await rig.cluster(tenant).executeUpdate(releaseHold, { args: [{ name: 'results' }] });
      await rig.until(tenant, 'deleted', 1200);
    });
  });

  it('ends with its maximum lifetime although it is busy, and the campaign is told', async () => {
    await run({ policy: { busyTickSeconds: 300 } }, async (rig) => {
      const tenant = rig.tenant('lifetime');
      const campaignId = 'cccccccccccccccccccccccccc';
      rig.world.jobDurationSeconds = 86_400;
      await rig.ensure(tenant, rig.spec({ maxLifetimeSeconds: 3600 }));
      await rig.submit(tenant, campaignId, ['long']);
      await rig.until(tenant, 'deleted', 2 * 3600);
      const campaign = await rig.untilCampaignEnds(tenant, campaignId);
      expect(campaign).toMatchObject({ state: 'cancelled', jobsByState: { cancelled: 1 } });
      expect(rig.world.copiedLogs).toContain('long');
      expect(rig.world.leftovers()).toEqual([]);
    });
  });

  it.each([
    ['its maximum lifetime is over', { maxLifetimeSeconds: 3600 }, false],
    ['somebody asks for its end', {}, true],
  ])('stays for a hold when %s', async (_what, times, isAskedFor) => {
    await run({}, async (rig) => {
      const tenant = rig.tenant(isAskedFor ? 'held-and-deleted' : 'held-and-old');
      await rig.ensure(tenant, rig.spec(times));
      await rig.until(tenant, 'ready');
      await rig.cluster(tenant).executeUpdate(holdCluster, {
        args: [{ name: 'results', reason: 'still being registered', durationSeconds: 8 * 3600 }],
      });
      if (isAskedFor) await rig.teardown(tenant);
      await rig.pass(5 * 3600);
      const { message, ...held } = await rig.view(tenant);
      expect(held).toMatchObject({ state: 'exporting', holds: [{ name: 'results' }] });
      expect(message).toMatch(/^Nothing runs any more\. Held by results until .*: still being registered/);
      expect(rig.world.leftovers()).not.toEqual([]);
      if (isAskedFor) await rig.cluster(tenant).executeUpdate(releaseHold, { args: [{ name: 'results' }] });
      await rig.until(tenant, 'deleted', isAskedFor ? 600 : 4 * 3600);
      expect(rig.world.leftovers()).toEqual([]);
    });
  });

  it('stays for a hold over continued runs', async () => {
    await run({ policy: { idleTickSeconds: 60, historyEventLimit: 300 } }, async (rig) => {
      const tenant = rig.tenant('held-for-long');
      await rig.ensure(tenant);
      await rig.until(tenant, 'ready');
      const { firstExecutionRunId } = await rig
        .cluster(tenant)
        .describe()
        .then(({ raw }) => ({
          firstExecutionRunId: raw.workflowExecutionInfo?.execution?.runId,
        }));
      await rig.cluster(tenant).executeUpdate(holdCluster, {
        args: [{ name: 'results', reason: 'still being registered', durationSeconds: 6 * 3600 }],
      });
      await rig.teardown(tenant);
      await rig.pass(5 * 3600);
      const { runId } = await rig.cluster(tenant).describe();
      expect(runId).not.toBe(firstExecutionRunId);
      expect((await rig.view(tenant)).state).toBe('exporting');
      await rig.until(tenant, 'deleted', 2 * 3600);
    });
  });

  it('is called back by a campaign that arrives before anything is deleted', async () => {
    await run({ recordAs: 'recalled' }, async (rig) => {
      const tenant = rig.tenant('recalled');
      await rig.ensure(tenant);
      const { epoch } = await rig.until(tenant, 'ready');
      // The drain hangs at cancelling jobs, so that the campaign arrives in the middle of it.
      rig.world.failOn('cancelJobs', 'HeadNodeUnreachable', { times: 3 });
      await rig.until(tenant, 'draining', 1200);
      const campaignId = 'dddddddddddddddddddddddddd';
      await rig.submit(tenant, campaignId, ['late']);
      const campaign = await rig.untilCampaignEnds(tenant, campaignId);
      expect(campaign.state).toBe('succeeded');
      expect(rig.world.createdStacks).toHaveLength(1);
      expect(campaign.logs?.epoch).toBe(epoch);
    });
  });
});

describe('a cluster that lives long', () => {
  it('lives thirty days at a tick of six hours over several continued runs', async () => {
    const policy = { busyTickSeconds: 6 * 3600, idleTickSeconds: 6 * 3600, historyEventLimit: 300 };
    await run({ policy, recordAs: 'thirty-days' }, async (rig) => {
      const tenant = rig.tenant('thirty-days');
      const days = 86_400;
      const startedAt = performance.now();
      await rig.ensure(tenant, rig.spec({ idleTimeoutSeconds: 7 * days, maxLifetimeSeconds: 60 * days }));
      const { clusterName } = await rig.until(tenant, 'ready');
      rig.world.slurmOf(clusterName).foreignUntilMs = (await rig.env.currentTimeMs()) + 60 * days * 1000;
      await rig.pass(30 * days);
      const view = await rig.view(tenant);
      expect(view.state).toBe('ready');
      expect(rig.world.createdStacks).toHaveLength(1);
      expect(rig.world.calls.get('observeSlurm')).toBeGreaterThanOrEqual(119);
      expect(await rig.continuedRuns(clusterWorkflowId(tenant))).toBeGreaterThanOrEqual(3);
      // Some seconds alone; hours, if time were not skipped.
      expect((performance.now() - startedAt) / 1000).toBeLessThan(60);
    });
  });
});
