import { describe, expect, it } from 'vitest';
import { newClusterSnapshot } from '../../src/domain/cluster-snapshot.ts';
import { campaignNeedsSchema } from '../../src/domain/campaign-needs.ts';
import type { ClusterSpec } from '../../src/domain/cluster-spec.ts';
import type { Tenant } from '../../src/domain/ids.ts';
import { changeSpec, comingSpec, holdCluster, judgeChange } from '../../src/workflows/messages.ts';
import { inVirtualTime } from '../support/virtual-time.ts';
import type { WorkflowRig } from '../support/workflow-rig.ts';

const run = inVirtualTime({ serverFor: 'file' });

const queue = (name: string, maxCount = 4, instanceType = 'm5.large') => ({
  name,
  computeResources: [{ name: 'nodes', instanceType, maxCount }],
});
const access = {
  address: '127.0.1.1',
  port: 22,
  user: 'sim',
  hostKey: 'ssh-ed25519 HOST',
  privateKeySecretArn: 'arn:fake',
};
const small = { tier: undefined, queues: [queue('main')] };
const larger = { tier: undefined, queues: [queue('main', 8), queue('more')] };
const otherKind = { tier: undefined, queues: [queue('main', 4, 'c7a.large')] };

/** A campaign's id that can be read. */
const id = (name: string) => name.padEnd(26, '2');

const changing = async (rig: WorkflowRig, tenant: Tenant, spec: ClusterSpec, from?: ClusterSpec) =>
  rig
    .cluster(tenant)
    .executeUpdate(changeSpec, { args: [{ spec, reason: 'tested', ...(from && { from }) }] });

async function ready(rig: WorkflowRig, name: string, values = {}): Promise<Tenant> {
  const tenant = rig.tenant(name);
  await rig.ensure(tenant, rig.spec({ ...small, ...values }));
  await rig.until(tenant, 'ready');
  return tenant;
}

describe('a change that concerns nothing in AWS', () => {
  it('is done at once: the cluster lives longer and goes sooner when idle', async () => {
    await run({}, async (rig) => {
      const tenant = await ready(rig, 'at-once', { maxLifetimeSeconds: 3600 });
      // While something keeps it, only its lifetime ends it, which is what the view then tells.
      const hold = { name: 'x', reason: 'looked at', durationSeconds: 60 };
      await rig.cluster(tenant).executeUpdate(holdCluster, { args: [hold] });
      const before = await rig.untilView(tenant, ({ idleSince }) => idleSince === undefined);
      const asked = rig.spec({ ...small, idleTimeoutSeconds: 60, maxLifetimeSeconds: 7200 });
      const { outcome, view } = await changing(rig, tenant, asked);
      expect(outcome).toBe('done');
      expect(view).toMatchObject({
        spec: asked,
        update: { mode: 'at-once', state: 'done', changes: ['idleTimeoutSeconds', 'maxLifetimeSeconds'] },
      });
      expect(Date.parse(view.teardownAt ?? '') - Date.parse(before.teardownAt ?? '')).toBe(3_600_000);
      expect(await changing(rig, tenant, asked)).toMatchObject({ outcome: 'unchanged' });
      await rig.until(tenant, 'deleted', 200);
      expect(rig.world.updatedStacks).toEqual([]);
    });
  });
});

describe('a change in place', () => {
  it('updates the stack once, while the cluster counts as used, and is then what it is', async () => {
    await run({ recordAs: 'update-in-place' }, async (rig) => {
      const tenant = await ready(rig, 'in-place');
      const asked = rig.spec(larger);
      const open = rig.world.holdBack('updateStack');
      expect(await changing(rig, tenant, asked)).toMatchObject({ outcome: 'accepted' });
      expect(await changing(rig, tenant, asked)).toMatchObject({ outcome: 'accepted' });
      // What it is about to become finds it; something else has to wait.
      expect(await rig.ensure(tenant, asked)).toMatchObject({ outcome: 'exists' });
      await expect(changing(rig, tenant, rig.spec(otherKind))).rejects.toMatchObject({
        cause: { type: 'ClusterUpdating' },
      });
      expect(await rig.cluster(tenant).query(comingSpec)).toMatchObject({ spec: asked });
      expect((await rig.view(tenant)).update?.state).toBe('under-way');
      open();
      const view = await rig.untilView(tenant, ({ update }) => update?.state === 'done');
      expect(view).toMatchObject({ spec: asked, estimate: { idleUsdPerHour: 2 } });
      expect(rig.world.updatedStacks.map(({ queues }) => queues)).toEqual([['main', 'more']]);
      await rig.until(tenant, 'deleted');
      expect(rig.world.leftovers()).toEqual([]);
    });
  });

  it('that CloudFormation refuses leaves the cluster as it is, and says why', async () => {
    await run({}, async (rig) => {
      const tenant = await ready(rig, 'refused', { idleTimeoutSeconds: 1800 });
      rig.world.failOn('updateStack', 'StackUpdateFailed', { times: 1 });
      await changing(rig, tenant, rig.spec({ ...larger, idleTimeoutSeconds: 1800 }));
      const view = await rig.untilView(tenant, ({ update }) => update?.state === 'failed');
      expect(view).toMatchObject({
        state: 'ready',
        spec: rig.spec({ ...small, idleTimeoutSeconds: 1800 }),
        update: { failure: { type: 'StackUpdateFailed' } },
      });
      expect((await rig.shown(tenant)).details).toContain('did not succeed');
      await changing(rig, tenant, rig.spec({ ...larger, idleTimeoutSeconds: 1800 }));
      await rig.untilView(tenant, ({ update }) => update?.state === 'done');
    });
  });

  // Begun with the snapshot of the run before: the time-skipping server never cancels an activity that waits to be repeated.
  it('goes on in a run that was continued as new', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('continued');
      const at = new Date(await rig.env.currentTimeMs()).toISOString();
      const epoch = 'e1';
      rig.world.addStack(rig.tenant('continued'), epoch);
      const update = {
        id: 'u1',
        mode: 'in-place',
        spec: rig.spec(larger),
        changes: [],
        reason: 'x',
        askedAt: at,
      } as const;
      await rig.start(tenant, {
        ...newClusterSnapshot(at),
        state: 'ready',
        update,
        deployment: { epoch, startedAt: at, readyAt: at, spec: rig.spec(small), resources: {}, access },
      });
      const view = await rig.untilView(tenant, ({ update: shown }) => shown?.state === 'done');
      expect(view.spec).toEqual(rig.spec(larger));
    });
  });

  it('begins for a campaign that needs a queue which the cluster lacks; it runs when that is there', async () => {
    await run({}, async (rig) => {
      const tenant = await ready(rig, 'grown');
      rig.world.failOn('updateStack', 'AwsUnavailable', { times: Number.POSITIVE_INFINITY });
      await rig.submit(tenant, id('first'), ['a']);
      const { cluster } = await rig.submit(tenant, id('second'), ['b'], {
        spec: rig.spec({ tier: undefined, queues: [queue('more')] }),
        queues: ['more'],
      });
      expect(cluster.update).toMatchObject({
        state: 'under-way',
        reason: `Campaign ${id('second')} needs it.`,
      });
      // Who needs nothing new does not wait.
      expect((await rig.untilCampaignEnds(tenant, id('first'))).state).toBe('succeeded');
      expect(rig.world.handedOver).toEqual(['a']);
      rig.world.heal('updateStack');
      expect((await rig.untilCampaignEnds(tenant, id('second'))).state).toBe('succeeded');
      expect((await rig.view(tenant)).spec?.queues.map(({ name }) => name)).toEqual(['main', 'more']);
      expect(rig.world.updatedStacks).toHaveLength(1);
    });
  });

  it('leaves a cluster that has grown the one that was asked for, until it is changed by somebody', async () => {
    await run({}, async (rig) => {
      const tenant = await ready(rig, 'still-asked');
      const more = rig.spec({ tier: undefined, queues: [queue('more')] });
      await rig.submit(tenant, id('growing'), ['a'], { spec: more, queues: ['more'] });
      const { spec: grown } = await rig.untilView(tenant, ({ update }) => update?.state === 'done');
      expect(grown?.queues).toHaveLength(2);
      const again = async (spec: ClusterSpec) => rig.ensure(tenant, spec);
      expect(await again(rig.spec(small))).toMatchObject({ outcome: 'exists', view: { spec: grown } });
      expect(await again(grown ?? more)).toMatchObject({ outcome: 'exists' });
      await expect(again(more)).rejects.toMatchObject({ cause: { type: 'ClusterSpecConflict' } });
      const longer = { idleTimeoutSeconds: 7200 };
      await changing(rig, tenant, { ...(grown ?? more), ...longer });
      expect(await again(rig.spec({ ...small, ...longer }))).toMatchObject({ outcome: 'exists' });
      await changing(rig, tenant, rig.spec({ ...larger, ...longer }));
      await rig.untilView(
        tenant,
        ({ spec, update }) =>
          update?.state === 'done' && spec?.queues[0]?.computeResources[0]?.maxCount === 8,
      );
      await expect(again(rig.spec({ ...small, ...longer }))).rejects.toMatchObject({
        cause: { type: 'ClusterSpecConflict' },
      });
    });
  });

  it('leaves a cluster that was planned the one that its needs mean', async () => {
    await run({}, async (rig) => {
      const needs = {
        tasks: 1,
        memoryMebibytesPerTask: 1000,
        expectedSecondsPerJob: 60,
        deadlineSeconds: 3600,
      };
      const plan = { needs: campaignNeedsSchema.parse(needs), explanation: [], seconds: 1, usd: 1 };
      const tenant = rig.tenant('planned');
      await rig.ensure(tenant, rig.spec(small), { plan });
      await rig.until(tenant, 'ready');
      const spec = rig.spec({ tier: undefined, queues: [queue('more')] });
      await rig.submit(tenant, id('grows'), ['a'], { spec, queues: ['more'] });
      const view = await rig.untilView(tenant, ({ update }) => update?.state === 'done');
      expect(view).toMatchObject({ plan, estimate: { idleUsdPerHour: 2 } });
      expect(await rig.ensure(tenant, rig.spec(small), { plan })).toMatchObject({ outcome: 'exists' });
    });
  });

  it('that fails ends the campaign that needed it, with the reason', async () => {
    await run({}, async (rig) => {
      const tenant = await ready(rig, 'not-grown');
      rig.world.failOn('updateStack', 'StackUpdateFailed', { times: 1 });
      const spec = rig.spec({ tier: undefined, queues: [queue('more')] });
      await rig.submit(tenant, id('needsmore'), ['a'], { spec, queues: ['more'] });
      await rig.untilCampaignEnds(tenant, id('needsmore'));
      const job = await rig.job(tenant, id('needsmore'), 'a');
      expect(job?.state).toBe('cancelled');
      expect(job?.reason).toMatch(/planted StackUpdateFailed/);
      expect(rig.world.handedOver).toEqual([]);
    });
  });

  it('does not begin for a campaign that needs another kind of cluster', async () => {
    await run({}, async (rig) => {
      const tenant = await ready(rig, 'conflict');
      await expect(
        rig.submit(tenant, id('other'), ['a'], { spec: rig.spec(otherKind) }),
      ).rejects.toMatchObject({
        cause: { type: 'ClusterSpecConflict' },
      });
      expect((await rig.view(tenant)).update).toBeUndefined();
    });
  });

  it('ends with a cluster that is given back meanwhile', async () => {
    await run({}, async (rig) => {
      const tenant = await ready(rig, 'gone');
      const open = rig.world.holdBack('updateStack');
      await changing(rig, tenant, rig.spec(larger));
      await rig.teardown(tenant);
      open();
      const view = await rig.until(tenant, 'deleted');
      expect(view.update).toMatchObject({ state: 'failed', failure: { type: 'ClusterDeleting' } });
      expect(rig.world.leftovers()).toEqual([]);
    });
  });
});

describe('a change that takes another cluster', () => {
  it('waits for the campaigns that run; those that come wait for it, and run there', async () => {
    await run({ recordAs: 'update-after-drain' }, async (rig) => {
      const tenant = await ready(rig, 'replaced');
      const { epoch } = await rig.view(tenant);
      rig.world.jobDurationSeconds = 600;
      await rig.submit(tenant, id('before'), ['a']);
      await rig.untilView(tenant, ({ activity }) => activity?.running === 1);
      const { outcome, view } = await changing(rig, tenant, rig.spec(otherKind));
      expect([outcome, view.update?.state]).toEqual(['accepted', 'waits-for-campaigns']);
      await rig.submit(tenant, id('after'), ['b']);
      expect((await rig.untilCampaignEnds(tenant, id('before'))).state).toBe('succeeded');
      expect((await rig.untilCampaignEnds(tenant, id('after'))).state).toBe('succeeded');
      const now = await rig.view(tenant);
      expect(now.epoch).not.toBe(epoch);
      const [before, after] = await Promise.all(
        ['before', 'after'].map(async (name) => rig.campaign(tenant, id(name))),
      );
      expect([before?.logs?.epoch, after?.logs?.epoch]).toEqual([epoch, now.epoch]);
      expect(now).toMatchObject({ spec: rig.spec(otherKind), update: { state: 'done' } });
      await rig.until(tenant, 'deleted');
      expect(rig.world.createdStacks).toHaveLength(2);
      expect(rig.world.leftovers()).toEqual([]);
    });
  });

  it('waits for holds as well, and can be withdrawn as long as no campaign waits for it', async () => {
    await run({}, async (rig) => {
      const tenant = await ready(rig, 'held');
      await rig
        .cluster(tenant)
        .executeUpdate(holdCluster, { args: [{ name: 'x', reason: 'results', durationSeconds: 1200 }] });
      await changing(rig, tenant, rig.spec(otherKind));
      await rig.pass(900);
      expect(await rig.view(tenant)).toMatchObject({
        state: 'ready',
        update: { state: 'waits-for-campaigns' },
      });
      expect((await changing(rig, tenant, rig.spec(small))).view.update).toBeUndefined();
      await changing(rig, tenant, rig.spec(otherKind));
      await rig.submit(tenant, id('waits'), ['a']);
      await expect(changing(rig, tenant, rig.spec(small))).rejects.toMatchObject({
        cause: { type: 'ClusterUpdating', message: expect.stringContaining('1 campaign') },
      });
      expect((await rig.untilCampaignEnds(tenant, id('waits'), 7200)).state).toBe('succeeded');
    });
  });

  it('whose cluster cannot be made says so, and dismisses who waits', async () => {
    await run({}, async (rig) => {
      const tenant = await ready(rig, 'unlucky');
      await changing(rig, tenant, rig.spec(otherKind));
      await rig.submit(tenant, id('waits'), ['a']);
      rig.world.failOn('createStack', 'StackCreateFailed');
      const view = await rig.until(tenant, 'failed');
      expect(view.update).toMatchObject({ state: 'failed', failure: { type: 'StackCreateFailed' } });
      expect((await rig.untilCampaignEnds(tenant, id('waits'))).jobsByState).toEqual({ cancelled: 1 });
    });
  });
});

describe('a change that is not made', () => {
  it.each([
    ['would replace storage', { ...small, lustre: {} }, 'ChangeRefused'],
    ['was made of a specification that is no longer there', larger, 'ClusterSpecConflict'],
  ])('%s', async (_why, values, type) => {
    await run({}, async (rig) => {
      const tenant = await ready(rig, 'no');
      const from = type === 'ClusterSpecConflict' ? rig.spec(otherKind) : undefined;
      await expect(changing(rig, tenant, rig.spec(values), from)).rejects.toMatchObject({ cause: { type } });
      expect((await rig.view(tenant)).update).toBeUndefined();
    });
  });

  it('comes while the cluster is being made', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('making');
      const open = rig.world.holdBack('createStack');
      await rig.ensure(tenant, rig.spec(small));
      await rig.until(tenant, 'provisioning');
      await rig.pass(1);
      await expect(changing(rig, tenant, rig.spec(larger))).rejects.toMatchObject({
        cause: { type: 'ClusterNotReady' },
      });
      const judged = async (spec: ClusterSpec) =>
        rig.cluster(tenant).query(judgeChange, { spec, reason: 'looked at' });
      expect(await judged(rig.spec(larger))).toMatchObject({
        refusal: { type: 'ClusterNotReady', message: expect.stringContaining('provisioning') },
      });
      open();
      await rig.until(tenant, 'ready');
      expect(await judged(rig.spec(larger))).toEqual({});
      expect(await judged(rig.spec({ ...small, lustre: { sizeGibibytes: 1200 } }))).toMatchObject({
        refusal: { type: 'ChangeRefused' },
      });
      expect((await rig.view(tenant)).update).toBeUndefined();
    });
  });
});
