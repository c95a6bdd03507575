import { describe, expect, it, vi } from 'vitest';
import { inVirtualTime } from '../support/virtual-time.ts';

const run = inVirtualTime({ serverFor: 'file' });

const campaignId = 'uuuuuuuuuuuuuuuuuuuuuuuuuu';

describe('what jobs used', () => {
  it('is recorded at most every ten minutes while they run, and before the stack is deleted', async () => {
    await run({ policy: { busyTickSeconds: 60, idleTickSeconds: 60 } }, async (rig) => {
      const tenant = rig.tenant('used');
      rig.world.jobDurationSeconds = 3600;
      await rig.submit(tenant, campaignId, ['a'], { spec: rig.spec() });
      await rig.untilCampaignEnds(tenant, campaignId, 7200);
      const { usageRecords } = rig.world;
      const gaps = usageRecords.slice(1).map(({ atMs }, index) => atMs - (usageRecords[index]?.atMs ?? 0));
      expect(gaps.length).toBeGreaterThanOrEqual(4);
      expect(gaps.length).toBeLessThanOrEqual(6);
      expect(Math.min(...gaps)).toBeGreaterThanOrEqual(600_000);
      await rig.until(tenant, 'deleted');
      expect(usageRecords.filter(({ isLast }) => isLast)).toHaveLength(1);
      expect(usageRecords.at(-1)).toMatchObject({ isLast: true, hasStack: true });
    });
  });

  it('is recorded once more after the last of them has ended, although nothing runs any more', async () => {
    await run({ policy: { busyTickSeconds: 60 } }, async (rig) => {
      const tenant = rig.tenant('short');
      rig.world.jobDurationSeconds = 90;
      await rig.submit(tenant, campaignId, ['a'], { spec: rig.spec({ idleTimeoutSeconds: 7200 }) });
      await rig.untilCampaignEnds(tenant, campaignId);
      const endedAtMs = await rig.env.currentTimeMs();
      await rig.pass(3600);
      const after = rig.world.usageRecords.filter(({ atMs }) => atMs > endedAtMs);
      expect(after).toMatchObject([{ isLast: false }]);
    });
  });

  it('is recorded only at the end where nothing ran', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('unused');
      await rig.readyCluster(tenant, rig.spec({ idleTimeoutSeconds: 7200 }));
      await rig.pass(3600);
      expect(rig.world.usageRecords).toEqual([]);
      await rig.teardown(tenant);
      await rig.until(tenant, 'deleted');
      expect(rig.world.usageRecords).toMatchObject([{ isLast: true, hasStack: true }]);
    });
  });

  it('neither harms the cluster nor keeps it for long when it cannot be recorded', async () => {
    await run({ policy: { busyTickSeconds: 60 } }, async (rig) => {
      const tenant = rig.tenant('unrecorded');
      rig.world.jobDurationSeconds = 900;
      rig.world.failOn('recordUsage', 'SlurmUnavailable');
      await rig.submit(tenant, campaignId, ['a'], { spec: rig.spec({ idleTimeoutSeconds: 7200 }) });
      const campaign = await rig.untilCampaignEnds(tenant, campaignId);
      expect(campaign.state).toBe('succeeded');
      await rig.teardown(tenant);
      const askedAtMs = await rig.env.currentTimeMs();
      const { since } = await rig.until(tenant, 'deleted');
      expect(Date.parse(since) - askedAtMs).toBeLessThan(6 * 60_000);
      expect(rig.world.usageRecords).toEqual([]);
      expect(rig.world.leftovers()).toEqual([]);
    });
  });

  it('is recorded later where the record failed that followed the last job', async () => {
    await run({ policy: { busyTickSeconds: 60, idleTickSeconds: 60 } }, async (rig) => {
      const tenant = rig.tenant('later');
      rig.world.jobDurationSeconds = 30;
      rig.world.failOn('recordUsage', 'SlurmUnavailable');
      await rig.submit(tenant, campaignId, ['a'], { spec: rig.spec({ idleTimeoutSeconds: 7200 }) });
      await rig.untilCampaignEnds(tenant, campaignId);
      // Slurm has nothing to tell any more.
      await rig.pass(1800);
      expect(rig.world.usageRecords).toEqual([]);
      rig.world.heal('recordUsage');
      await rig.pass(1200);
      expect(rig.world.usageRecords).toMatchObject([{ isLast: false }]);
    });
  });

  it('does not stop an idle cluster from being called back while it is recorded', async () => {
    await run({ policy: { busyTickSeconds: 60, idleTickSeconds: 60 } }, async (rig) => {
      const tenant = rig.tenant('called-back');
      await rig.readyCluster(tenant, rig.spec({ idleTimeoutSeconds: 120 }));
      const release = rig.world.holdBack('recordUsage');
      const passing = rig.pass(300);
      await vi.waitFor(() => expect(rig.world.calls.get('recordUsage')).toBe(1), { timeout: 10_000 });
      await rig.submit(tenant, campaignId, ['a']);
      expect((await rig.view(tenant)).state).toBe('ready');
      release();
      await passing;
      await rig.untilCampaignEnds(tenant, campaignId);
      expect(rig.world.createdStacks).toHaveLength(1);
    });
  });
});
