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
      expect(await rig.leases()).toEqual([]);
      // Nobody may be given the subnet before the stack is gone, nor reach what is left without keys.
      expect(rig.world.effects.slice(-4)).toEqual([
        'deleteStack',
        'releaseSubnet',
        'deleteKeyPair job-user',
        'deleteKeyPair admin',
      ]);
    });
  });

  it('runs jobs that name no queue in the first one', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('queues');
      const computeResources = [{ name: 'c', instanceType: 'c7a.large', maxCount: 2 }];
      const queues = ['wanted', 'other', 'last'].map((name) => ({ name, computeResources }));
      await rig.readyCluster(tenant, rig.spec({ tier: undefined, queues }));
      const campaignId = 'qqqqqqqqqqqqqqqqqqqqqqqqqq';
      await rig.submit(tenant, campaignId, ['a']);
      await rig.untilCampaignEnds(tenant, campaignId);
      expect(rig.world.defaultQueues).toEqual(['wanted']);
    });
  });

  it('is shown past its queries, in the memo and in the UI of Temporal, from beginning to end', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('shown');
      await rig.readyCluster(tenant);
      const { clusterName, epoch, subnetId } = await rig.view(tenant);
      const ready = await rig.shown(tenant);
      expect(ready.memo).toMatchObject({ clusterName, state: 'ready', epoch, subnetId });
      expect(ready.details).toContain(`## ${clusterName}: ready\n`);
      expect(ready.details).toContain(`- **subnet** \`${subnetId}\``);
      const { message } = await rig.until(tenant, 'deleted');
      const gone = await rig.shown(tenant);
      expect(gone.memo).toMatchObject({ clusterName, state: 'deleted', message });
      expect(gone.details).toContain(`## ${clusterName}: deleted\n${message}`);
    });
  });
});
