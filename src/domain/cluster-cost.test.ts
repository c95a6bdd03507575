import { describe, expect, it } from 'vitest';
import {
  budgetAt,
  budgetNow,
  costFields,
  costsAt,
  hardLimitInMs,
  nextLevelInMs,
  settleCosts,
} from './cluster-cost.ts';
import { type ClusterSnapshot, newClusterSnapshot } from './cluster-snapshot.ts';
import { clusterSpecInputSchema, resolveClusterSpec } from './cluster-spec-input.ts';
import type { CostRates } from './cost-rates.ts';
import { sumOfParts } from './cost-rates.ts';

const START = '2026-11-26T00:00:00.000Z';
const at = (seconds: number) => new Date(Date.parse(START) + seconds * 1000).toISOString();
const TICK = 300;

const spec = resolveClusterSpec(clusterSpecInputSchema.parse({ tier: 'debug' }));

/** A dollar an hour for the head node, ten for each node. */
const rates: CostRates = {
  version: 1,
  region: 'us-east-1',
  headNodeUsdPerHour: 1,
  rootVolumeUsdPerHour: 0,
  computeResources: [{ queue: 'q', name: 'n', instanceType: 't', usdPerHour: 10 }],
  endpointsUsdPerHour: 0,
};

/** A cluster that is ready, whose nodes were seen when the meter starts. */
function running(nodesUp: Readonly<Record<string, number>> = {}): ClusterSnapshot {
  const snapshot: ClusterSnapshot = {
    ...newClusterSnapshot(START),
    state: 'ready',
    account: { version: 1, months: {} },
    activity: { running: 0, pending: 0, stuck: 0, interactiveSessions: 0, at: START },
    deployment: {
      epoch: 'e',
      startedAt: START,
      spec,
      notes: { rates },
      resources: { stack: 'requested' },
      nodesUp,
    },
  };
  settleCosts(snapshot, START, TICK);
  return snapshot;
}

const meterOf = (snapshot: ClusterSnapshot) => snapshot.deployment?.meter ?? expect.unreachable();
const budgetOf = (snapshot: ClusterSnapshot, now: string) =>
  costFields(snapshot, now).budget ?? expect.unreachable();
const rateOf = (snapshot: ClusterSnapshot) => sumOfParts(meterOf(snapshot).usdPerHour);

function withBudgetOf(snapshot: ClusterSnapshot, limitUsd: number, hardLimitUsd?: number): ClusterSnapshot {
  const budget = { limitUsd, ...(hardLimitUsd && { hardLimitUsd }), by: 'Ada', reason: 'x', setAt: START };
  return { ...snapshot, account: { version: 1, months: {}, ...snapshot.account, budget } };
}

describe('what a cluster has cost', () => {
  it('is rate × time up to a change of what exists, and goes to the month and the deployment alike', () => {
    const snapshot = running({ 'q-dy-n': 2 });
    settleCosts(snapshot, at(1800), TICK);
    if (snapshot.deployment) snapshot.deployment.nodesUp = {};
    settleCosts(snapshot, at(1800), TICK);
    settleCosts(snapshot, at(3600), TICK);
    expect(sumOfParts(meterOf(snapshot).usd)).toBeCloseTo(21 / 2 + 1 / 2, 9);
    expect(snapshot.account?.months['2026-11']).toBeCloseTo(11, 9);
    expect(costFields(snapshot, at(7200)).cost).toMatchObject({ ratePerHourUsd: 1, sinceStartUsd: 12 });
  });

  it('goes on from what is known alone, and changes nothing when it is only asked for', () => {
    const snapshot = running();
    const before = structuredClone(snapshot);
    expect(costsAt(snapshot, at(7200)).account?.months).toEqual({ '2026-11': 2 });
    expect(snapshot).toEqual(before);
  });
});

describe('nodes that nobody sees', () => {
  it('are none while they are looked at in time', () => {
    const snapshot = running();
    for (let seconds = TICK; seconds <= 3600; seconds += TICK) {
      if (snapshot.activity) snapshot.activity = { ...snapshot.activity, at: at(seconds) };
      settleCosts(snapshot, at(seconds), TICK);
    }
    expect(meterOf(snapshot).assumedSeconds).toBe(0);
    expect(costFields(snapshot, at(3600)).cost).not.toHaveProperty('assumedSeconds');
  });

  it('are assumed while Slurm does not answer', () => {
    const snapshot = running({ 'q-dy-n': 1 });
    snapshot.blindSince = at(0);
    settleCosts(snapshot, at(0), TICK);
    settleCosts(snapshot, at(100), TICK);
    expect(meterOf(snapshot).assumedSeconds).toBe(100);
    expect(rateOf(snapshot)).toBe(11);
  });

  it.each(['waiting-ready', 'draining', 'deleting', 'blocked'] as const)(
    'are assumed in state %s, where nobody looks',
    (state) => {
      const snapshot = { ...running(), state };
      settleCosts(snapshot, at(0), TICK);
      settleCosts(snapshot, at(60), TICK);
      expect(meterOf(snapshot).assumedSeconds).toBe(60);
    },
  );

  it('are assumed from two ticks after the last look on, e.g. while no worker runs, however often that is read', () => {
    const once = running();
    settleCosts(once, at(36_000), TICK);
    expect(meterOf(once).assumedSeconds).toBe(36_000 - 2 * TICK);
    const often = running();
    for (const seconds of [100, 500, 700, 20_000, 36_000]) settleCosts(often, at(seconds), TICK);
    expect(meterOf(often).assumedSeconds).toBe(36_000 - 2 * TICK);
  });

  it('are seen while a cluster that goes is held, as long as it is looked at', () => {
    const snapshot = { ...running(), state: 'exporting' as const };
    settleCosts(snapshot, at(0), TICK);
    settleCosts(snapshot, at(900), TICK);
    expect(meterOf(snapshot).assumedSeconds).toBe(300);
  });

  it('of which nobody said what they cost count like the dearest that is known, and are assumed', () => {
    const snapshot = running({ 'other-dy-x': 2 });
    expect(rateOf(snapshot)).toBe(21);
    settleCosts(snapshot, at(60), TICK);
    expect(meterOf(snapshot).assumedSeconds).toBe(60);
  });

  it('of a queue that an update adds cost what was said of it, before the update is done', () => {
    const snapshot = running({ 'more-st-m': 2 });
    const resource = { queue: 'more', name: 'm', instanceType: 't', usdPerHour: 100 };
    const coming = { ...rates, computeResources: [resource] };
    const update = { id: 'u', spec, notes: { rates: coming }, changes: [], reason: 'x', askedAt: START };
    snapshot.update = { ...update, mode: 'in-place' };
    settleCosts(snapshot, at(0), TICK);
    expect(rateOf(snapshot)).toBe(201);
    settleCosts(snapshot, at(60), TICK);
    expect(meterOf(snapshot).assumedSeconds).toBe(0);
    // Nothing of one that follows is there yet.
    snapshot.update = { ...update, mode: 'after-drain' };
    settleCosts(snapshot, at(60), TICK);
    expect(rateOf(snapshot)).toBe(21);
  });

  it('of a queue that an update adds without a price count like the dearest as well', () => {
    const snapshot = running({ 'more-st-m': 1 });
    const coming = { ...rates, computeResources: [{ queue: 'more', name: 'm', instanceType: 'x9' }] };
    const update = { id: 'u', spec, notes: { rates: coming }, changes: [], reason: 'x', askedAt: START };
    snapshot.update = { ...update, mode: 'in-place' };
    settleCosts(snapshot, at(0), TICK);
    expect(rateOf(snapshot)).toBe(11);
    expect(meterOf(snapshot).isAssumed).toBe(true);
  });
});

describe('a limit', () => {
  it('is reached at the present rate after so long', () => {
    const snapshot = withBudgetOf(running(), 8, 10);
    expect(hardLimitInMs(snapshot, at(0))).toBe(10 * 3_600_000);
    expect(hardLimitInMs(snapshot, at(3600))).toBe(9 * 3_600_000);
    expect(hardLimitInMs(snapshot, at(11 * 3600))).toBe(0);
    expect(nextLevelInMs(snapshot, at(0))).toBe(4 * 3_600_000);
    expect(nextLevelInMs(snapshot, at(5 * 3600))).toBeCloseTo(1.4 * 3_600_000, -1);
    expect(budgetAt(snapshot, at(5 * 3600))?.standing).toMatchObject({ spentUsd: 5, level: 'half-spent' });
  });

  it('is not reached in a month that ends before, whose successor has a sum of its own', () => {
    // November has five days left.
    const hours = 5 * 24;
    expect(hardLimitInMs(withBudgetOf(running(), 1, hours - 1), START)).toBe((hours - 1) * 3_600_000);
    expect(hardLimitInMs(withBudgetOf(running(), 1, hours + 1), START)).toBe(Number.POSITIVE_INFINITY);
    expect(nextLevelInMs(withBudgetOf(running(), 1000), START)).toBe(Number.POSITIVE_INFINITY);
  });

  it('that nobody has set is never reached', () => {
    expect(hardLimitInMs(running(), START)).toBe(Number.POSITIVE_INFINITY);
    expect(hardLimitInMs(withBudgetOf(running(), 1), START)).toBe(Number.POSITIVE_INFINITY);
    expect(nextLevelInMs(running(), START)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('a budget in a view of earlier', () => {
  it('has nothing spent in a month that has begun since', () => {
    const view = budgetOf(withBudgetOf(running(), 8), at(5 * 3600));
    expect(view).toMatchObject({ month: '2026-11', level: 'half-spent' });
    expect(budgetNow(view, Date.parse('2026-11-30T23:00:00Z'))).toBe(view);
    expect(budgetNow(view, Date.parse('2026-12-01T00:00:00Z'))).toMatchObject({
      month: '2026-12',
      spentUsd: 0,
      level: 'ok',
    });
  });
});
