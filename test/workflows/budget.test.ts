import { describe, expect, it } from 'vitest';
import { extendCluster, holdCluster, releaseHold, removeBudget } from '../../src/workflows/messages.ts';
import { budget, change, larger, rates, ready } from '../support/budgets.ts';
import { inVirtualTime } from '../support/virtual-time.ts';

const run = inVirtualTime({ serverFor: 'file' });

const id = (name: string) => name.padEnd(26, '2');

describe('a budget', () => {
  it('is half spent, nearly spent, then used up: new work is refused until it is raised', async () => {
    await run({}, async (rig) => {
      const tenant = await ready(rig, 'levels');
      await budget(rig, tenant, 100);
      for (const level of ['half-spent', 'nearly-spent', 'exhausted']) {
        await rig.untilView(tenant, ({ budget: found }) => found?.level === level, 36_000);
        expect((await rig.shown(tenant)).memo).toMatchObject({ budget: { level } });
      }

      await expect(rig.submit(tenant, id('late'), ['a'])).rejects.toMatchObject({
        cause: { type: 'BudgetExhausted' },
      });
      expect((await rig.view(tenant)).state).toBe('ready');
      await expect(change(rig, tenant, larger)).rejects.toMatchObject({ cause: { type: 'BudgetExhausted' } });
      expect(await change(rig, tenant, { maxLifetimeSeconds: 80_000 })).toMatchObject({ outcome: 'done' });
      await budget(rig, tenant, 1000);
      await rig.submit(tenant, id('raised'), ['a']);
      await budget(rig, tenant, 10);
      await rig.cluster(tenant).executeUpdate(removeBudget, { args: [{}] });
      await rig.submit(tenant, id('removed'), ['a']);
    });
  });

  it('ends the cluster at its hard limit, jobs cancelled and data exported, and refuses another one until the month is over', async () => {
    await run({ recordAs: 'budget-hard-limit' }, async (rig) => {
      const tenant = await ready(rig, 'hard', {}, { lustre: { sizeGibibytes: 2400 } });
      await rig.submit(tenant, id('endless'), ['a']);
      await budget(rig, tenant, 50, 60);
      await rig.until(tenant, 'deleted', 10_000);
      const effects = rig.world.effects.filter((effect) => /exportLustre|delete(Stack|Lustre)/.test(effect));
      expect(effects).toEqual([
        'exportLustre mounted',
        'deleteStack',
        'exportLustre',
        'deleteLustre exported',
      ]);
      const view = await rig.view(tenant);
      expect(view.message).toContain('hard limit');
      expect(view.budget?.spentUsd).toBeGreaterThanOrEqual(60);
      expect(view.budget?.spentUsd).toBeLessThan(80);
      await expect(rig.ensure(tenant, rig.spec(), { rates })).rejects.toMatchObject({
        cause: { type: 'BudgetExhausted' },
      });
      await rig.pass(31 * 86_400);
      await rig.ensure(tenant, rig.spec(), { rates });
      expect((await rig.view(tenant)).budget).toMatchObject({ level: 'ok' });
    });
  });

  it.each([
    ['its stack is tried again and again', 'createStack', 'AwsUnavailable', 'provisioning', {}],
    [
      'it is waited for its Slurm',
      'checkReadiness',
      'ClusterNotReady',
      'waiting-ready',
      { recordAs: 'budget-hard-limit-early' },
    ],
  ] as const)('ends a cluster at its hard limit while %s', async (_, step, failure, state, options) => {
    await run(options, async (rig) => {
      const tenant = rig.tenant(`early-${state}`);
      rig.world.failOn(step, failure);
      await rig.ensure(tenant, rig.spec(), { rates });
      await rig.until(tenant, state);
      // At a cent a second.
      await budget(rig, tenant, 3, 6);
      const view = await rig.until(tenant, 'deleted', 1200);
      expect(view.message).toContain('hard limit');
      expect(view.budget?.spentUsd).toBeGreaterThanOrEqual(6);
      expect(view.budget?.spentUsd).toBeLessThan(7);
      expect(rig.world.leftovers()).toEqual([]);
    });
  });

  it('without a hard limit only warns while a cluster is made', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('early-soft');
      rig.world.failOn('checkReadiness', 'ClusterNotReady', { times: 100 });
      await rig.ensure(tenant, rig.spec(), { rates });
      await budget(rig, tenant, 1);
      const view = await rig.until(tenant, 'ready');
      expect(view.budget).toMatchObject({ level: 'exhausted' });
      expect(rig.world.budgetNotices.at(-1)?.standing.level).toBe('exhausted');
    });
  });

  it('ends a cluster at its hard limit while it is updated', async () => {
    await run({}, async (rig) => {
      const tenant = await ready(rig, 'updating');
      rig.world.failOn('updateStack', 'AwsUnavailable');
      expect(await change(rig, tenant, larger)).toMatchObject({ outcome: 'accepted' });
      await budget(rig, tenant, 3, 6);
      const view = await rig.until(tenant, 'deleted', 1200);
      expect(view.budget?.spentUsd).toBeLessThan(7);
      expect(rig.world.updatedStacks).toEqual([]);
    });
  });

  it('tells each level once, and the last one also where it ends the cluster', async () => {
    await run({ policy: { historyEventLimit: 200 } }, async (rig) => {
      const tenant = await ready(rig, 'told');
      rig.world.failOn('notifyBudget', 'AwsUnavailable', { times: 1, afterEffect: true });
      await budget(rig, tenant, 100, 110);
      await rig.until(tenant, 'deleted', 36_000);
      const told = rig.world.budgetNotices;
      expect([...new Set(told.map(({ standing }) => standing.level))]).toEqual([
        'half-spent',
        'nearly-spent',
        'exhausted',
        'hard-limit',
      ]);
      // The answer of the first was lost.
      expect(told).toHaveLength(5);
      expect(told[0]).toMatchObject({ tenant, budget: { limitUsd: 100, hardLimitUsd: 110 } });
      expect(told[0]?.budget).not.toHaveProperty('reason');
    });
  });

  it('ends a cluster that idles at its hard limit, not at the next look', async () => {
    await run({ policy: { idleTickSeconds: 6 * 3600 } }, async (rig) => {
      const tenant = await ready(rig, 'idling');
      await budget(rig, tenant, 50, 60);
      const view = await rig.until(tenant, 'deleted', 10_000);
      expect(view.budget?.spentUsd).toBeGreaterThanOrEqual(60);
      expect(view.budget?.spentUsd).toBeLessThan(62);
    });
  });

  it('that is used up lets nobody make spending last longer, and everybody make it shorter', async () => {
    await run({}, async (rig) => {
      const lustre = { lustre: { sizeGibibytes: 2400 } };
      const tenant = await ready(rig, 'longer', {}, lustre);
      const changeTo = async (values: Record<string, unknown>) =>
        change(rig, tenant, { ...lustre, ...values });
      const cluster = rig.cluster(tenant);
      const exhausted = { cause: { type: 'BudgetExhausted' } };
      const hold = async (name: string, durationSeconds: number) =>
        cluster.executeUpdate(holdCluster, { args: [{ name, reason: 'x', durationSeconds }] });
      const extend = async (seconds: number) => {
        const until = new Date((await rig.env.currentTimeMs()) + seconds * 1000).toISOString();
        return cluster.executeUpdate(extendCluster, { args: [{ until }] });
      };
      await hold('first', 40_000);
      await budget(rig, tenant, 1);
      await rig.untilView(tenant, ({ budget: found }) => found?.level === 'exhausted');

      await expect(hold('second', 80_000)).rejects.toMatchObject(exhausted);
      await expect(extend(20 * 86_400)).rejects.toMatchObject(exhausted);
      await expect(changeTo({ maxLifetimeSeconds: 86_401 })).rejects.toMatchObject(exhausted);
      await expect(changeTo({ idleTimeoutSeconds: 80_001 })).rejects.toMatchObject(exhausted);
      await hold('second', 1000);
      await hold('first', 2000);
      await extend(80_000);
      await changeTo({ idleTimeoutSeconds: 600 });
      await cluster.executeUpdate(releaseHold, { args: [{ name: 'first' }] });
      await cluster.executeUpdate(releaseHold, { args: [{ name: 'second' }] });

      rig.world.failOn('exportLustre', 'AwsUnavailable');
      const { spec } = await rig.until(tenant, 'exporting');
      if (!spec) throw new Error('no specification');
      await expect(rig.ensure(tenant, spec, { rates })).rejects.toMatchObject(exhausted);
      await expect(hold('third', 60)).rejects.toMatchObject(exhausted);
      await expect(changeTo({ idleTimeoutSeconds: 300 })).rejects.toMatchObject(exhausted);
      await budget(rig, tenant, 1000);
      expect(await rig.ensure(tenant, spec, { rates })).toMatchObject({
        outcome: 'exists',
        view: { state: 'ready' },
      });
    });
  });

  it('goes on without anybody being told where the topic does not answer, and tells the present level later', async () => {
    await run({}, async (rig) => {
      const tenant = await ready(rig, 'untold');
      rig.world.failOn('notifyBudget', 'AwsUnavailable');
      await budget(rig, tenant, 100);
      await rig.untilView(tenant, ({ budget: found }) => found?.level === 'exhausted', 36_000);
      expect(rig.world.budgetNotices).toEqual([]);
      rig.world.heal('notifyBudget');
      await rig.pass(1200);
      expect(rig.world.budgetNotices.map(({ standing }) => standing.level)).toEqual(['exhausted']);
      expect((await rig.view(tenant)).state).toBe('ready');
    });
  });

  it('lets a cluster grow only by what has a price', async () => {
    await run({}, async (rig) => {
      const tenant = await ready(rig, 'grows');
      await budget(rig, tenant, 1000);
      const unpriced = { rates: { ...rates, unpriced: ['x9.none'] } };
      const grow = { spec: rig.spec(larger), queues: ['more'] };
      await expect(rig.submit(tenant, id('x'), ['a'], { ...grow, notes: unpriced })).rejects.toMatchObject({
        cause: { type: 'PriceUnknown' },
      });
      expect((await rig.view(tenant)).update).toBeUndefined();
      await rig.submit(tenant, id('y'), ['a'], { ...grow, notes: { rates } });
      // While it grows, what needs nothing new is taken as before.
      await rig.submit(tenant, id('z'), ['a']);
    });
  });

  it('is not watched where a part of the cluster has no price: that is refused, not counted as free', async () => {
    await run({}, async (rig) => {
      const tenant = await ready(rig, 'unpriced', { unpriced: ['x9.none'] });
      await rig.submit(tenant, id('free'), ['a']);
      await budget(rig, tenant, 100);
      await expect(rig.submit(tenant, id('watched'), ['a'])).rejects.toMatchObject({
        cause: { type: 'PriceUnknown' },
      });
    });
  });

  it('can be set before there is a cluster, and outlives the workflow that kept it', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('early');
      rig.world.costAccounts.set(tenant.projectId, {
        version: 1,
        months: { [new Date(await rig.env.currentTimeMs()).toISOString().slice(0, 7)]: 70 },
        budget: { limitUsd: 70, by: 'Ada', reason: 'kept', setAt: '2026-01-01T00:00:00.000Z' },
      });
      await expect(rig.ensure(tenant, rig.spec(), { rates })).rejects.toMatchObject({
        cause: { type: 'BudgetExhausted' },
      });
    });
  });
});
