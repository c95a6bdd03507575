import { describe, expect, it } from 'vitest';
import { inVirtualTime } from '../support/virtual-time.ts';

const run = inVirtualTime({ serverFor: 'file' });

const campaignId = 'ssssssssssssssssssssssssss';
const HOUR = 3600;

describe('a campaign whose workflow an operator cancels', () => {
  it('cancels its jobs, copies their logs and writes its manifest, and leaves the cluster alone', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('by-operator');
      const slurm = await rig.readyCluster(tenant);
      rig.world.jobDurationSeconds = HOUR;
      await rig.submit(tenant, campaignId, ['a', 'b']);
      await rig.pass(60);
      await rig.campaignHandle(tenant, campaignId).cancel();
      const ended = await rig.untilCampaignEnds(tenant, campaignId, 60);
      expect(ended).toMatchObject({
        state: 'cancelled',
        message: '0 of 2 jobs succeeded. It was cancelled: An operator cancelled the workflow.',
      });
      expect(slurm.jobs.map(({ isCancelled }) => isCancelled)).toEqual([true, true]);
      expect([...rig.world.copiedLogs].toSorted()).toEqual(['a', 'b']);
      expect(rig.world.manifests.get(campaignId)).toHaveLength(2);
      expect((await rig.view(tenant)).state).toBe('ready');
    });
  });

  it('submits nothing when its cluster is not ready', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('by-operator-early');
      rig.world.failOn('checkReadiness', 'ClusterNotReady');
      await rig.submit(tenant, campaignId, ['a'], { spec: rig.spec() });
      await rig.campaignHandle(tenant, campaignId).cancel();
      expect((await rig.untilCampaignEnds(tenant, campaignId, 60)).state).toBe('cancelled');
      rig.world.heal('checkReadiness');
      await rig.until(tenant, 'ready');
      expect(rig.world.handedOver).toEqual([]);
    });
  });
});
