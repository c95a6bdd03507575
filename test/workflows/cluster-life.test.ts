import { describe, expect, it } from 'vitest';
import { inVirtualTime } from '../support/virtual-time.ts';

const run = inVirtualTime({ serverFor: 'file' });

describe('the life of a cluster', () => {
  it('provisions, runs a campaign, copies its logs, and gives everything back when idle', async () => {
    await run({ recordAs: 'whole-life' }, async (rig) => {
      const tenant = rig.tenant('happy');
      const { outcome, view } = await rig.ensure(tenant);
      expect(outcome).toBe('created');
      expect(view.clusterName).toBe(`pcluster-${tenant.virtualLabId}-happy`);
      const campaignId = 'aaaaaaaaaaaaaaaaaaaaaaaaaa';
      await rig.submit(tenant, campaignId, ['a', 'b', 'c']);
      const campaign = await rig.untilCampaignEnds(tenant, campaignId);
      expect(campaign).toMatchObject({ state: 'succeeded', jobsByState: { succeeded: 3 } });
      expect([...rig.world.copiedLogs].toSorted()).toEqual(['a', 'b', 'c']);
      expect(rig.world.manifests.get(campaignId)).toHaveLength(3);
      await rig.until(tenant, 'deleted');
      expect(rig.world.leftovers()).toEqual([]);
      expect(rig.world.effects.slice(-3)).toEqual([
        'deleteStack',
        'deleteKeyPair job-user',
        'deleteKeyPair admin',
      ]);
    });
  });
});
