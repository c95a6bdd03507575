import { describe, expect, it, vi } from 'vitest';
import type { Tenant } from '../../src/domain/ids.ts';
import { costMetrics } from '../../src/workflows/cost-metrics.ts';
import { holdCluster, removeBudget, resolveBlock, setBudget } from '../../src/workflows/messages.ts';
import { budget, change, changeWithoutNotes, larger, rates, ready } from '../support/budgets.ts';
import { scrape } from '../support/time-skipping.ts';
import { inVirtualTime } from '../support/virtual-time.ts';
import type { WorkflowRig } from '../support/workflow-rig.ts';

const run = inVirtualTime({ serverFor: 'file' });

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

  it('counts the nodes that Slurm shows, and is copied every hour although nothing happens', async () => {
    await run({}, async (rig) => {
      const node = { queue: 'main', name: 'm5', instanceType: 'm5.large', usdPerHour: 2 };
      const tenant = await ready(rig, 'nodes', { computeResources: [node] });
      const { clusterName } = await rig.view(tenant);
      rig.world.slurmOf(clusterName).nodesUp = { 'main-dy-m5': 3 };
      await rig.untilView(tenant, ({ cost }) => cost?.ratePerHourUsd === 42, 600);
      await rig.pass(3 * 3600);
      expect(rig.world.keptCosts).toHaveLength(3);
      const { cost, budget: none } = await rig.view(tenant);
      expect(none).toBeUndefined();
      expect(rig.world.keptCosts.at(-1)?.meter.usd.nodes).toBeGreaterThan(2 * 6);
      expect(cost?.parts.find(({ part }) => part === 'nodes')).toMatchObject({ usdPerHour: 6 });
      // What is set by somebody is copied at once.
      await budget(rig, tenant, 1000);
      expect(rig.world.costAccounts.get(tenant.projectId)?.budget).toMatchObject({ limitUsd: 1000 });
      expect(rig.world.keptCosts).toHaveLength(4);
    });
  });
});

describe('while a cluster goes', () => {
  const levels = (rig: WorkflowRig) => rig.world.budgetNotices.map(({ standing }) => standing.level);

  it('costs of days in which it is blocked are told, copied and shown, and stay when it is given up', async () => {
    await run({ policy: { historyEventLimit: 300 } }, async (rig) => {
      const tenant = await ready(rig, 'blocked');
      await budget(rig, tenant, 1000, 1500);
      rig.world.failOn('deleteStack', 'StackDeleteFailed');
      await rig.teardown(tenant);
      await rig.until(tenant, 'blocked', 7200);
      const copies = rig.world.keptCosts.length;
      await rig.pass(2 * 86_400);
      const { memo } = await rig.shown(tenant);
      expect(levels(rig)).toEqual(['half-spent', 'nearly-spent', 'exhausted', 'hard-limit']);
      expect(rig.world.keptCosts.length - copies).toBeGreaterThan(40);
      expect(rig.world.keptCosts.length - copies).toBeLessThan(55);
      expect(memo).toMatchObject({ state: 'blocked', budget: { level: 'hard-limit' } });
      // The last look is an hour ago at most.
      expect(memo).toHaveProperty('cost.thisMonthUsd', expect.closeTo(48 * 36, -2));
      // An entity that waits for somebody for months has no endless history.
      expect(await rig.continuedRuns(rig.cluster(tenant).workflowId)).toBeGreaterThan(0);
      await rig.pass(1800);
      await rig.cluster(tenant).executeUpdate(resolveBlock, {
        args: [{ choice: 'abandon', by: 'Ada', reason: 'mine now' }],
      });
      const gone = await rig.until(tenant, 'failed');
      const spent = gone.cost?.thisMonthUsd ?? 0;
      expect(spent).toBeGreaterThan(48.5 * 36);
      expect(gone.message).toContain('cost what nothing here counts');
      await rig.pass(60);
      expect(rig.world.keptCosts.at(-1)?.meter.usd.headNode).toBeCloseTo(spent, 2);
      const kept = rig.world.costAccounts.get(tenant.projectId)?.months ?? {};
      expect(Object.values(kept).reduce((sum, usd) => sum + usd, 0)).toBeCloseTo(spent, 2);
    });
  });

  it('those of an export that takes long are told, copied and shown', async () => {
    await run({ recordAs: 'costs-while-exporting' }, async (rig) => {
      const tenant = await ready(rig, 'exporting', {}, { lustre: { sizeGibibytes: 2400 } });
      await budget(rig, tenant, 500);
      rig.world.failOn('exportLustre', 'AwsUnavailable');
      await rig.teardown(tenant);
      await rig.until(tenant, 'exporting');
      const copies = rig.world.keptCosts.length;
      await rig.pass(12 * 3600);
      expect(levels(rig)).toEqual(['half-spent', 'nearly-spent']);
      expect(rig.world.keptCosts.length - copies).toBeGreaterThanOrEqual(11);
      expect((await rig.shown(tenant)).memo).toMatchObject({
        state: 'exporting',
        budget: { level: 'nearly-spent' },
      });
      rig.world.heal('exportLustre');
      await rig.until(tenant, 'deleted', 7200);
    });
  });

  it('a hold keeps it no longer than to the hard limit', async () => {
    await run({ policy: { idleTickSeconds: 6 * 3600 } }, async (rig) => {
      const tenant = await ready(rig, 'held');
      await rig.cluster(tenant).executeUpdate(holdCluster, {
        args: [{ name: 'results', reason: 'x', durationSeconds: 40_000 }],
      });
      await rig.teardown(tenant);
      await budget(rig, tenant, 10, 20);
      await rig.pass(1800);
      expect(await rig.view(tenant)).toMatchObject({ state: 'exporting', budget: { level: 'exhausted' } });
      const { budget: spent } = await rig.until(tenant, 'deleted', 7200);
      expect(spent?.spentUsd).toBeGreaterThanOrEqual(20);
      expect(spent?.spentUsd).toBeLessThan(22);
    });
  });

  it('nothing waits for a message or a copy, and none is lost that did not go out before', async () => {
    await run({}, async (rig) => {
      const tenant = await ready(rig, 'patient');
      rig.world.failOn('deleteStack', 'StackDeleteFailed');
      await rig.teardown(tenant);
      await rig.until(tenant, 'blocked', 7200);
      rig.world.heal('deleteStack');
      const letGo = (['notifyBudget', 'keepCosts'] as const).map((name) => rig.world.holdBack(name));
      await rig.cluster(tenant).startUpdate(setBudget, {
        args: [{ limitUsd: 0.01, by: 'Ada', reason: 'tested' }],
        waitForStage: 'ACCEPTED',
      });
      await rig.cluster(tenant).executeUpdate(resolveBlock, {
        args: [{ choice: 'retry', by: 'Ada', reason: 'mended' }],
      });
      await vi.waitFor(() => expect(rig.world.leftovers()).toEqual([]), { timeout: 5000 });
      await vi.waitFor(async () => expect((await rig.view(tenant)).cost?.ratePerHourUsd).toBe(0));
      // The last copy waits for the one before, which would overwrite it.
      expect(rig.world.calls.get('keepCosts')).toBe(1);
      for (const go of letGo) go();
      await rig.until(tenant, 'deleted');
      expect(levels(rig)).toEqual(['exhausted']);
      expect(rig.world.keptCosts).toHaveLength(2);
    });
  });

  it('what could not be told is told at its end', async () => {
    await run({}, async (rig) => {
      const tenant = await ready(rig, 'late');
      rig.world.failOn('deleteKeyPair', 'AwsUnavailable');
      rig.world.failOn('notifyBudget', 'AwsUnavailable');
      await budget(rig, tenant, 0.01);
      await rig.teardown(tenant);
      // From then on nothing more is spent, and nobody looks any more.
      await rig.untilView(tenant, ({ cost }) => cost?.ratePerHourUsd === 0);
      await rig.pass(700);
      rig.world.heal('notifyBudget');
      rig.world.heal('deleteKeyPair');
      expect(levels(rig)).toEqual([]);
      await rig.until(tenant, 'deleted');
      expect(levels(rig)).toEqual(['exhausted']);
    });
  });

  it('one that was to follow does not come if the budget is used up by then', async () => {
    await run({}, async (rig) => {
      const tenant = await ready(rig, 'successor');
      await budget(rig, tenant, 100);
      rig.world.failOn('deleteStack', 'AwsUnavailable');
      expect(await change(rig, tenant, { scaledownIdleTimeSeconds: 1200 })).toMatchObject({
        outcome: 'accepted',
      });
      await rig.until(tenant, 'deleting');
      await rig.pass(3 * 3600);
      rig.world.heal('deleteStack');
      const view = await rig.until(tenant, 'failed');
      expect(view.failure).toMatchObject({ type: 'BudgetExhausted' });
      expect(rig.world.createdStacks).toHaveLength(1);
    });
  });
});

describe('after a change', () => {
  const node = { queue: 'more', name: 'nodes', instanceType: 'm5.large', usdPerHour: 10 };
  const dearer = { ...rates, headNodeUsdPerHour: 72, computeResources: [node] };

  it('of which nobody says what it costs the meter goes on, and the hard limit holds', async () => {
    await run({}, async (rig) => {
      const tenant = await ready(rig, 'at-once');
      await budget(rig, tenant, 10, 20);
      await changeWithoutNotes(rig, tenant, { maxLifetimeSeconds: 85_000 });
      const view = await rig.until(tenant, 'deleted', 7200);
      expect(view.message).toContain('hard limit');
      expect(view.budget?.spentUsd).toBeGreaterThanOrEqual(20);
      expect(view.budget?.spentUsd).toBeLessThan(22);
    });
  });

  it('in place it counts what the service says of the new queues, from the moment their nodes are up', async () => {
    await run({}, async (rig) => {
      const tenant = await ready(rig, 'in-place');
      await budget(rig, tenant, 1000);
      rig.world.notesOf = () => ({ rates: { ...dearer, unpriced: ['x9.none'] } });
      await expect(changeWithoutNotes(rig, tenant, larger)).rejects.toMatchObject({
        cause: { type: 'PriceUnknown' },
      });
      // When it is asked for, and when the stack is updated.
      const said = [72, 90];
      rig.world.notesOf = () => ({ rates: { ...dearer, headNodeUsdPerHour: said.shift() } });
      rig.world.failOn('checkQueues', 'ClusterNotReady');
      const { view } = await changeWithoutNotes(rig, tenant, larger);
      expect(view.update).toMatchObject({ state: 'under-way' });
      rig.world.slurmOf(view.clusterName).nodesUp = { 'more-st-nodes': 2 };
      await rig.untilView(tenant, ({ cost }) => cost?.ratePerHourUsd === 36 + 20, 600);
      rig.world.heal('checkQueues');
      const done = await rig.untilView(tenant, ({ update }) => update?.state === 'done', 1200);
      expect(done.cost?.ratePerHourUsd).toBe(90 + 20);
    });
  });

  it.each([
    ['the service says', false, 72],
    ['its predecessor did, where nobody answers', true, 36],
  ])('after its campaigns its successor counts what %s', async (_, isSilent, perHour) => {
    await run({}, async (rig) => {
      const tenant = await ready(rig, `drained-${perHour}`);
      rig.world.notesOf = () => ({ rates: dearer });
      if (isSilent) rig.world.failOn('priceSpec', 'InvalidRequest');
      await changeWithoutNotes(rig, tenant, { scaledownIdleTimeSeconds: 1200 });
      const isNew = () => rig.world.createdStacks.length === 2;
      const view = await rig.untilView(tenant, ({ state }) => state === 'ready' && isNew());
      expect(view.cost?.ratePerHourUsd).toBe(perHour);
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
