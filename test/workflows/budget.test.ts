import { describe, expect, it } from 'vitest';
import type { CostRates } from '../../src/domain/cost-rates.ts';
import type { Tenant } from '../../src/domain/ids.ts';
import { costMetrics } from '../../src/workflows/cost-metrics.ts';
import { changeSpec, removeBudget, setBudget } from '../../src/workflows/messages.ts';
import { scrape } from '../support/time-skipping.ts';
import { inVirtualTime } from '../support/virtual-time.ts';
import type { WorkflowRig } from '../support/workflow-rig.ts';

const run = inVirtualTime({ serverFor: 'file' });

/** 36 USD an hour: a cent a second. */
const rates: CostRates = {
  version: 1,
  region: 'us-east-1',
  pricesAsOf: '2026-01-01',
  headNodeUsdPerHour: 36,
  rootVolumeUsdPerHour: 0,
  computeResources: [],
  endpointsUsdPerHour: 0,
};

const id = (name: string) => name.padEnd(26, '2');

async function ready(
  rig: WorkflowRig,
  name: string,
  own: Partial<CostRates> = {},
  values: Record<string, unknown> = {},
): Promise<Tenant> {
  const tenant = rig.tenant(name);
  const spec = rig.spec({ idleTimeoutSeconds: 80_000, maxLifetimeSeconds: 86_400, ...values });
  await rig.ensure(tenant, spec, { rates: { ...rates, ...own } });
  await rig.until(tenant, 'ready');
  return tenant;
}

const budget = async (rig: WorkflowRig, tenant: Tenant, limitUsd: number, hardLimitUsd?: number) =>
  rig.cluster(tenant).executeUpdate(setBudget, {
    args: [{ limitUsd, ...(hardLimitUsd && { hardLimitUsd }), by: 'Ada', reason: 'tested' }],
  });

const larger = {
  tier: undefined,
  queues: [{ name: 'more', computeResources: [{ name: 'nodes', instanceType: 'm5.large', maxCount: 2 }] }],
};

/** Changes the cluster of {@link ready}, beside whose queues others may stand. */
async function change(rig: WorkflowRig, tenant: Tenant, values: Record<string, unknown>) {
  const { spec } = await rig.view(tenant);
  if (!spec) throw new Error('no specification');
  const changed = rig.spec({ idleTimeoutSeconds: 80_000, maxLifetimeSeconds: 86_400, ...values });
  const queues = values['queues'] ? [...spec.queues, ...changed.queues] : spec.queues;
  const asked = { ...changed, tier: spec.tier, queues };
  return rig
    .cluster(tenant)
    .executeUpdate(changeSpec, { args: [{ spec: asked, notes: { rates }, reason: 'x' }] });
}

describe('the meter', () => {
  it('counts from the first step, and what all deployments of a month cost stays with the tenant', async () => {
    await run({ policy: { historyEventLimit: 60 } }, async (rig) => {
      const tenant = await ready(rig, 'meter');
      const before = await rig.view(tenant);
      await rig.pass(3600);
      const after = await rig.view(tenant);
      expect(before.cost).toMatchObject({ ratePerHourUsd: 36, pricesAsOf: '2026-01-01' });
      const seconds = (Date.parse(after.observedAt) - Date.parse(before.observedAt)) / 1000;
      const grown = (after.cost?.sinceStartUsd ?? 0) - (before.cost?.sinceStartUsd ?? 0);
      expect(grown).toBeCloseTo(seconds / 100, 1);
      await rig.teardown(tenant);
      await rig.until(tenant, 'deleted');
      const gone = await rig.view(tenant);
      expect(rig.world.usageRecords).toMatchObject([{ isPriced: true, isLast: true }]);
      const spent = gone.cost?.thisMonthUsd ?? 0;
      expect(gone.cost).toMatchObject({ ratePerHourUsd: 0, parts: [] });
      expect(spent).toBeGreaterThanOrEqual(after.cost?.thisMonthUsd ?? 0);
      const kept = rig.world.costAccounts.get(tenant.projectId);
      expect(Object.values(kept?.months ?? {}).reduce((a, b) => a + b, 0)).toBeCloseTo(spent, 2);
      expect(rig.world.keptCosts.at(-1)?.meter.usd.headNode).toBeCloseTo(spent, 2);
      await rig.pass(3600);
      expect((await rig.view(tenant)).cost?.thisMonthUsd).toBe(spent);
      await rig.ensure(tenant, rig.spec(), { rates });
      await rig.until(tenant, 'ready');
      expect((await rig.view(tenant)).cost?.thisMonthUsd).toBeGreaterThanOrEqual(spent);
    });
  });
});

describe('the metrics', () => {
  it('say rate, sum and share as the view does, count levels, and fall to nothing with the cluster and the budget', async () => {
    await run({}, async (rig) => {
      const tenant = await ready(rig, 'measured');
      await budget(rig, tenant, 10);
      await rig.untilView(tenant, ({ budget: found }) => found?.level === 'nearly-spent', 36_000);
      // Until it is published, which is at the next look.
      await rig.pass(300);
      const { memo } = await rig.shown(tenant);
      const found = await metricsOf(tenant);
      expect(memo).toMatchObject({
        cost: { ratePerHourUsd: 36, thisMonthUsd: found[costMetrics.month.name] },
        budget: { share: found[costMetrics.used.name] },
      });
      expect(found).toMatchObject({
        [costMetrics.rate.name]: 36,
        [`${costMetrics.levels.name} half-spent`]: 1,
        [`${costMetrics.levels.name} nearly-spent`]: 1,
      });
      await rig.cluster(tenant).executeUpdate(removeBudget, { args: [{}] });
      await rig.teardown(tenant);
      const { cost, observedAt } = await rig.until(tenant, 'deleted');
      const after = await metricsOf(tenant);
      expect(after).toMatchObject({
        [costMetrics.rate.name]: 0,
        [costMetrics.month.name]: cost?.thisMonthUsd,
        [costMetrics.used.name]: 0,
      });
      const observed = after[costMetrics.observed.name] ?? 0;
      expect(Date.parse(observedAt) / 1000 - observed).toBeLessThan(120);
    });
  });
});

/** What the worker says to Prometheus of a tenant: values by name, and by level where there is one. */
async function metricsOf({ virtualLabId, projectId }: Tenant): Promise<Record<string, number>> {
  const lines = (await scrape()).matchAll(/^(pcluster_\w+)\{([^}]*)\} (\S+)$/gm);
  const own = [...lines].filter(
    ([, , labels = '']) =>
      labels.includes(`virtual_lab_id="${virtualLabId}"`) && labels.includes(`project_id="${projectId}"`),
  );
  return Object.fromEntries(
    own.map(([, name = '', labels = '', value]) => {
      const [, level] = /level="([^"]*)"/.exec(labels) ?? [];
      return [level ? `${name} ${level}` : name, Number(value)];
    }),
  );
}

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
