import { describe, expect, it } from 'vitest';
import type { FailureType } from '../../src/domain/failures.ts';
import type { CostRates } from '../../src/domain/cost-rates.ts';
import { type ChangeRequest, changeSpec, holdCluster, setBudget } from '../../src/workflows/messages.ts';
import { inVirtualTime } from '../support/virtual-time.ts';
import type { WorkflowRig } from '../support/workflow-rig.ts';

const run = inVirtualTime({ serverFor: 'file' });

/** Answers of EC2 that depend on the zone: the types that fail, by zone. */
function fullIn(rig: WorkflowRig, zones: readonly string[], type: FailureType = 'InsufficientCapacity') {
  const hits = (request: unknown) => zones.some((zone) => JSON.stringify(request).includes(`"${zone}"`));
  rig.world.failOn('createStack', type, { afterEffect: true, hits });
}

const id = (name: string) => name.padEnd(26, '2');
const rates: CostRates = {
  version: 1,
  region: 'us-east-1',
  headNodeUsdPerHour: 1,
  rootVolumeUsdPerHour: 0,
  computeResources: [],
  endpointsUsdPerHour: 0,
};
const hold = { name: 'upload', reason: 'results', durationSeconds: 40_000 };

describe('a cluster for which a zone has no capacity', () => {
  it('is placed anew in the next zone, whole, and says where it was tried', async () => {
    await run({ recordAs: 'placed-anew' }, async (rig) => {
      const tenant = rig.tenant('moves');
      rig.world.zones = ['zone-a', 'zone-b', 'zone-c'];
      fullIn(rig, ['zone-a', 'zone-b']);
      await rig.ensure(tenant);
      const view = await rig.until(tenant, 'ready');
      expect(view.failure).toBeUndefined();
      expect(view.tries).toMatchObject([
        { availabilityZone: 'zone-a', failure: { type: 'InsufficientCapacity' } },
        { availabilityZone: 'zone-b', supportBundle: expect.stringMatching(/^s3:.*support\/$/) },
      ]);
      const epochs = [...(view.tries ?? []).map(({ epoch }) => epoch), view.epoch];
      expect(new Set(epochs).size).toBe(3);
      // Each try is given back before the next begins, and looked into before that.
      const effects = rig.world.effects.filter((effect) => /Stack|Subnet|Bundle/.test(effect));
      const inVain = [
        'leaseSubnet',
        'createStack',
        'saveSupportBundle of the stack',
        'deleteStack',
        'releaseSubnet',
      ];
      expect(effects).toEqual([...inVain, ...inVain, 'leaseSubnet', 'createStack']);
      expect(await rig.leases()).toHaveLength(1);
    });
  });

  for (const type of ['UnsupportedInZone', 'InsufficientCapacity'] as const) {
    it(`fails with all tries where no zone is left (${type}), and leaves nothing`, async () => {
      await run({}, async (rig) => {
        const tenant = rig.tenant('nowhere');
        rig.world.zones = ['zone-a', 'zone-b'];
        fullIn(rig, ['zone-a', 'zone-b'], type);
        await rig.ensure(tenant);
        const view = await rig.until(tenant, 'failed');
        expect(view.failure?.type).toBe(type);
        expect(view.failure?.message).toMatch(/debug in zone-a: planted.*debug in zone-b: planted/);
        expect(view.tries).toHaveLength(2);
        expect(rig.world.leftovers()).toEqual([]);
        expect(await rig.leases()).toEqual([]);
        rig.world.heal('createStack');
        await rig.ensure(tenant);
        expect((await rig.until(tenant, 'ready')).tries).toBeUndefined();
      });
    });
  }

  it('is placed anew with its file system when FSx has no capacity there', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('no-lustre');
      rig.world.zones = ['zone-a', 'zone-b'];
      rig.world.failOn('ensureLustre', 'InsufficientCapacity', { times: 1, afterEffect: true });
      await rig.ensure(tenant, rig.spec({ lustre: { sizeGibibytes: 1200 } }));
      const view = await rig.until(tenant, 'ready');
      expect(view.tries).toMatchObject([
        { availabilityZone: 'zone-a', failure: { type: 'InsufficientCapacity' } },
      ]);
      expect(rig.world.effects.filter((effect) => /Lustre/.test(effect))).toEqual([
        'ensureLustre',
        'deleteLustre never-mounted',
        'ensureLustre',
      ]);
      expect(rig.world.createdStacks).toHaveLength(1);
    });
  });

  it('keeps what FSx says of a file system that it never made, before that goes', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('lustre-hangs');
      rig.world.failOn('ensureLustre', 'LustreCreateFailed', { afterEffect: true });
      await rig.ensure(tenant, rig.spec({ lustre: { sizeGibibytes: 1200 } }));
      const { tries = [] } = await rig.until(tenant, 'failed');
      expect(tries).toMatchObject([{ supportBundle: expect.stringMatching(/support\/$/) as unknown }]);
      expect(rig.world.effects.filter((effect) => /Lustre|Bundle/.test(effect))).toEqual([
        'ensureLustre',
        'saveSupportBundle of the file system',
        'deleteLustre never-mounted',
      ]);
    });
  });

  it('is placed anew also when its stack is complete and no node for the first job starts', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('starves');
      rig.world.zones = ['zone-a', 'zone-b'];
      rig.world.failOn('checkReadiness', 'InsufficientCapacity', { times: 1 });
      await rig.ensure(tenant);
      const view = await rig.until(tenant, 'ready');
      expect(view.tries).toMatchObject([
        { availabilityZone: 'zone-a', failure: { type: 'InsufficientCapacity' } },
      ]);
      expect(rig.world.createdStacks).toHaveLength(2);
    });
  });

  it('keeps its campaigns and holds, and is the same to whoever asks for it meanwhile', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('keeps');
      rig.world.zones = ['zone-a', 'zone-b'];
      fullIn(rig, ['zone-a']);
      const letGo = rig.world.holdBack('createStack');
      await rig.submit(tenant, id('waits'), ['a'], { spec: rig.spec() });
      await rig.cluster(tenant).executeUpdate(holdCluster, { args: [hold] });
      const letDelete = rig.world.holdBack('deleteStack');
      letGo();
      await rig.untilView(tenant, ({ state }) => state === 'deleting');
      expect(await rig.ensure(tenant)).toMatchObject({ outcome: 'exists' });
      letDelete();
      const view = await rig.until(tenant, 'ready');
      expect(view.holds).toMatchObject([{ name: 'upload' }]);
      expect((await rig.untilCampaignEnds(tenant, id('waits'))).jobsByState).toEqual({ succeeded: 1 });
    });
  });

  it('goes for good when it is deleted between two tries', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('stops');
      rig.world.zones = ['zone-a', 'zone-b'];
      fullIn(rig, ['zone-a']);
      const letDelete = rig.world.holdBack('deleteStack');
      await rig.ensure(tenant);
      await rig.untilView(tenant, ({ state }) => state === 'deleting');
      await rig.teardown(tenant);
      letDelete();
      await rig.until(tenant, 'deleted');
      expect(rig.world.effects.filter((effect) => effect === 'createStack')).toHaveLength(1);
      expect(rig.world.leftovers()).toEqual([]);
    });
  });

  it('forgets its tries when another specification is asked for between two of them', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('changes');
      rig.world.zones = ['zone-a', 'zone-b'];
      fullIn(rig, ['zone-a']);
      const letGo = rig.world.holdBack('saveSupportBundle');
      await rig.ensure(tenant);
      await rig.untilView(tenant, ({ state }) => state === 'deleting');
      rig.world.heal('createStack');
      const args: [ChangeRequest] = [{ spec: rig.spec({ maxLifetimeSeconds: 1000 }), reason: 'x' }];
      await rig.cluster(tenant).executeUpdate(changeSpec, { args });
      letGo();
      const view = await rig.until(tenant, 'ready');
      expect(view.tries).toBeUndefined();
      expect(view.spec?.maxLifetimeSeconds).toBe(1000);
    });
  });

  it('hears what becomes of it: deleted in the end, with the reason, and without the holds of the one before', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('words');
      rig.world.zones = ['zone-a', 'zone-b'];
      fullIn(rig, ['zone-a']);
      const letDelete = rig.world.holdBack('deleteStack');
      await rig.ensure(tenant);
      await rig.untilView(tenant, ({ state }) => state === 'deleting');
      // A hold in between is one of the cluster that comes.
      await rig.cluster(tenant).executeUpdate(holdCluster, { args: [hold] });
      await rig.teardown(tenant, 'The project has ended.');
      await rig.ensure(tenant, rig.spec({ tier: 'prod-batch' }));
      letDelete();
      const view = await rig.until(tenant, 'ready');
      expect(view.holds).toEqual([]);
      await rig.teardown(tenant, 'The project has ended.');
      expect((await rig.until(tenant, 'deleted')).message).toContain('The project has ended.');
    });
  });

  it('is not taken from its campaigns: who waits for it gets it or hears that it was deleted', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('waits');
      rig.world.zones = ['zone-a', 'zone-b'];
      fullIn(rig, ['zone-a']);
      const letDelete = rig.world.holdBack('deleteStack');
      const spec = rig.spec({ tier: 'prod-mpi' });
      await rig.submit(tenant, id('waits'), ['a'], { spec, queues: ['prod-mpi'] });
      await rig.untilView(tenant, ({ state }) => state === 'deleting');
      const args: [ChangeRequest] = [{ spec: rig.spec(), reason: 'x' }];
      await expect(rig.cluster(tenant).executeUpdate(changeSpec, { args })).rejects.toMatchObject({
        cause: { type: 'ClusterUpdating' },
      });
      await rig.teardown(tenant);
      await rig.ensure(tenant, rig.spec());
      letDelete();
      expect((await rig.until(tenant, 'ready')).spec?.tier).toBe('debug');
      expect((await rig.untilCampaignEnds(tenant, id('waits'))).jobsByState).toEqual({ cancelled: 1 });
      expect(rig.world.handedOver).toEqual([]);
    });
  });

  it('waits for a subnet of another zone rather than take one of the same', async () => {
    await run({ subnets: 2 }, async (rig) => {
      rig.world.zones = ['zone-a', 'zone-b'];
      const other = rig.tenant('other');
      const tenant = rig.tenant('queues');
      fullIn(rig, ['zone-a']);
      await rig.ensure(other);
      await rig.until(other, 'ready');
      await rig.ensure(tenant);
      await rig.untilView(tenant, ({ message }) => message.includes('Waiting for a subnet'));
      expect((await rig.view(tenant)).tries).toHaveLength(1);
      await rig.teardown(other);
      expect((await rig.until(tenant, 'ready')).subnetId).toBe('subnet-0001');
    });
  });
});

describe('a cluster with fallback tiers', () => {
  it('gets the nodes of the first that has capacity, after all zones, in the queue that was asked for', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('falls');
      rig.world.zones = ['zone-a', 'zone-b'];
      const hits = (request: unknown) => !JSON.stringify(request).includes('m5.8xlarge');
      rig.world.failOn('createStack', 'InsufficientCapacity', { afterEffect: true, hits });
      const spec = rig.spec({ tier: 'prod-mpi', fallbackTiers: ['prod-mpi-intel', 'prod-batch'] });
      await rig.ensure(tenant, spec);
      const view = await rig.until(tenant, 'ready');
      expect(view.spec).toMatchObject({ tier: 'prod-batch', queues: [{ name: 'prod-mpi' }] });
      const tiers = (view.tries ?? []).map(({ tier, availabilityZone }) => `${tier} ${availabilityZone}`);
      expect(tiers).toEqual(
        ['prod-mpi', 'prod-mpi-intel'].flatMap((tier) => [`${tier} zone-a`, `${tier} zone-b`]),
      );
      // Who asks for the same again, or brings a campaign for it, means this cluster.
      expect(await rig.ensure(tenant, spec)).toMatchObject({ outcome: 'exists' });
      await rig.submit(tenant, id('same'), ['a'], { spec, queues: ['prod-mpi'] });
      expect((await rig.untilCampaignEnds(tenant, id('same'))).jobsByState).toEqual({ succeeded: 1 });
      await expect(rig.ensure(tenant, rig.spec({ tier: 'prod-mpi-mem' }))).rejects.toMatchObject({
        cause: { type: 'ClusterSpecConflict' },
      });
    });
  });

  it('stands for what was asked for also when its times are changed', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('stands');
      const hits = (request: unknown) => !JSON.stringify(request).includes('m5.8xlarge');
      rig.world.failOn('createStack', 'InsufficientCapacity', { afterEffect: true, hits });
      const times = { idleTimeoutSeconds: 50_000 };
      const spec = rig.spec({ tier: 'prod-mpi', fallbackTiers: ['prod-batch'], ...times });
      await rig.ensure(tenant, spec);
      const { spec: found = spec } = await rig.until(tenant, 'ready');
      const args: [ChangeRequest] = [{ spec: { ...found, idleTimeoutSeconds: 60_000 }, reason: 'x' }];
      await rig.cluster(tenant).executeUpdate(changeSpec, { args });
      await rig.submit(tenant, id('same'), ['a'], { spec, queues: ['prod-mpi'] });
      const asked = { ...spec, idleTimeoutSeconds: 60_000 };
      expect(await rig.ensure(tenant, asked)).toMatchObject({ outcome: 'exists' });
    });
  });

  it('does not get nodes that a budget forbids: what has no price is not free', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('dear');
      rig.world.failOn('createStack', 'InsufficientCapacity', { times: 1, afterEffect: true });
      await rig.ensure(tenant, rig.spec({ tier: 'prod-mpi', fallbackTiers: ['prod-mpi-hpc'] }), { rates });
      await rig
        .cluster(tenant)
        .executeUpdate(setBudget, { args: [{ limitUsd: 10, by: 'Ada', reason: 'x' }] });
      const view = await rig.until(tenant, 'failed');
      expect(view.failure).toMatchObject({
        type: 'PriceUnknown',
        message: expect.stringContaining('Tried before: prod-mpi in us-east-1a: planted') as unknown,
      });
      expect(rig.world.leftovers()).toEqual([]);
    });
  });

  it('has none any more when it has grown by another queue', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('grows');
      await rig.ensure(tenant, rig.spec({ fallbackTiers: ['prod-batch'] }));
      await rig.until(tenant, 'ready');
      const more = { name: 'more', computeResources: [{ name: 'n', instanceType: 'm5.large', maxCount: 2 }] };
      const spec = rig.spec({ tier: undefined, queues: [more] });
      await rig.submit(tenant, id('more'), ['a'], { spec, queues: ['more'] });
      await rig.untilCampaignEnds(tenant, id('more'));
      const grown = (await rig.view(tenant)).spec;
      expect(grown?.queues).toHaveLength(2);
      expect(grown).not.toHaveProperty('fallbackTiers');
    });
  });

  it('is not tried in other zones for a quota, which is the same in all of them', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('quota');
      rig.world.zones = ['zone-a', 'zone-b'];
      rig.world.failOn('createStack', 'QuotaExceeded', { times: 1, afterEffect: true });
      await rig.ensure(tenant, rig.spec({ tier: 'prod-mpi', fallbackTiers: ['prod-batch'] }));
      const view = await rig.until(tenant, 'ready');
      expect(view.tries).toMatchObject([{ tier: 'prod-mpi', failure: { type: 'QuotaExceeded' } }]);
      expect(view.spec?.tier).toBe('prod-batch');
    });
  });

  it('is tried elsewhere for what a preflight found, if that differs there, and nothing was made yet', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('looks');
      rig.world.zones = ['zone-a', 'zone-b'];
      rig.world.preflightChecks = [
        { name: 'instance-types', outcome: 'failed', cause: 'none here', nextStep: 'x' },
      ];
      await rig.ensure(tenant);
      const view = await rig.until(tenant, 'failed');
      expect(view.tries?.map(({ availabilityZone }) => availabilityZone)).toEqual(['zone-a', 'zone-b']);
      expect(
        rig.world.effects.filter((effect) => effect !== 'leaseSubnet' && effect !== 'releaseSubnet'),
      ).toEqual([]);
      rig.world.preflightChecks = [{ name: 'database', outcome: 'failed', cause: 'down', nextStep: 'x' }];
      await rig.ensure(tenant);
      expect((await rig.until(tenant, 'failed')).tries).toHaveLength(1);
    });
  });
});

describe('a deployment that failed', () => {
  it('is looked into before its stack goes, and goes also if that fails', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('evidence');
      rig.world.failOn('createStack', 'StackCreateFailed', { times: 1, afterEffect: true });
      rig.world.failOn('saveSupportBundle', 'AwsAccessDenied');
      await rig.ensure(tenant);
      const view = await rig.until(tenant, 'failed');
      expect(view.tries?.[0]).not.toHaveProperty('supportBundle');
      expect(rig.world.leftovers()).toEqual([]);
    });
  });

  it('is ended by its deadline when its creation hangs, with what is known of it kept', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('hangs');
      rig.world.crashOn('createStack', Number.POSITIVE_INFINITY);
      await rig.ensure(tenant);
      const view = await rig.until(tenant, 'failed', 4 * 3600);
      expect(view.failure?.message).toBe('createStack: planted crash');
      expect(view.tries?.[0]?.supportBundle).toBeDefined();
      expect(rig.world.leftovers()).toEqual([]);
    });
  });
});
