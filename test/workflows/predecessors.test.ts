import { describe, expect, it } from 'vitest';
import type { CampaignDependency } from '../../src/domain/dependencies.ts';
import { inVirtualTime } from '../support/virtual-time.ts';
import type { WorkflowRig } from '../support/workflow-rig.ts';

const run = inVirtualTime({ serverFor: 'file' });
const policy = { busyTickSeconds: 14 };
const first = 'f'.repeat(26);
const second = 's'.repeat(26);

async function submitBoth(rig: WorkflowRig, condition: CampaignDependency['condition']) {
  const tenant = rig.tenant('order');
  await rig.submit(tenant, first, ['a'], { spec: rig.spec() });
  const dependsOn = [{ campaignId: first, condition }];
  await rig.submit(tenant, second, ['b', 'c'], { dependsOn });
  await rig.until(tenant, 'ready');
  return tenant;
}

describe('a campaign that depends on another', () => {
  it('begins when that has ended as asked, says so, and keeps the cluster meanwhile', async () => {
    await run({ policy, recordAs: 'predecessor' }, async (rig) => {
      rig.world.jobDurationSeconds = 1000;
      const tenant = await submitBoth(rig, 'afterok');
      await rig.pass(300);
      expect(rig.world.handedOver).toEqual(['a']);
      const waiting = await rig.campaign(tenant, second);
      expect(waiting).toMatchObject({ state: 'waiting-for-campaigns', jobsByState: { waiting: 2 } });
      expect(waiting.message).toBe(`Waiting until campaign ${first} has ended.`);
      expect(await rig.untilCampaignEnds(tenant, second)).toMatchObject({ state: 'succeeded' });
      expect(rig.world.handedOver).toEqual(['a', 'b', 'c']);
    });
  });

  it('ends without having begun when that ended in another way', async () => {
    await run({ policy }, async (rig) => {
      rig.world.exitCodes.set('a', 3);
      const tenant = await submitBoth(rig, 'afterok');
      const ended = await rig.untilCampaignEnds(tenant, second);
      expect(ended).toMatchObject({ state: 'cancelled', jobsByState: { cancelled: 2 } });
      expect(rig.world.handedOver).toEqual(['a']);
      expect(rig.world.manifests.get(second)?.[0]?.reason).toBe(
        `Never submitted: campaign ${first} ended as failed, and it was to start only if that succeeds.`,
      );
    });
  });

  it('ends without having begun when nobody knows how that ended', async () => {
    await run({ policy }, async (rig) => {
      rig.world.failOn('readCampaignEnd', 'CampaignUnattended');
      const tenant = await submitBoth(rig, 'afterany');
      expect(await rig.untilCampaignEnds(tenant, second)).toMatchObject({ state: 'cancelled' });
      expect(rig.world.manifests.get(second)?.[0]?.reason).toContain('planted CampaignUnattended');
    });
  });

  it('begins after a failure when that is what it waits for', async () => {
    await run({ policy }, async (rig) => {
      rig.world.exitCodes.set('a', 3);
      const tenant = await submitBoth(rig, 'afternotok');
      expect(await rig.untilCampaignEnds(tenant, second)).toMatchObject({ state: 'succeeded' });
    });
  });

  it('can be cancelled while it waits', async () => {
    await run({ policy }, async (rig) => {
      rig.world.jobDurationSeconds = 5000;
      const tenant = await submitBoth(rig, 'afterany');
      await rig.pass(60);
      await rig.cancel(tenant, second, { reason: 'changed my mind' });
      expect(await rig.untilCampaignEnds(tenant, second, 120)).toMatchObject({ state: 'cancelled' });
      expect(rig.world.manifests.has(first)).toBe(false);
    });
  });
});
