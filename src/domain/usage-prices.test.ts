import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addedByMonth, readMeter, startMeter, withRate } from './cost-meter.ts';
import { type CostRates, hourlyUsd } from './cost-rates.ts';
import { reportUsage, type UsageRecord } from './usage.ts';
import { mergePrices, type UsagePrices, usagePricesOf } from './usage-prices.ts';

const HOUR = { fromSeconds: 0, toSeconds: 3600 };

/** Queue `a` with nodes of 8 processors for 4 USD an hour and of 2 for 1 USD; type `none` has no price. */
const rates: CostRates = {
  version: 1,
  region: 'us-east-1',
  pricesAsOf: '2026-01-01',
  rootVolumeUsdPerHour: 0.01,
  computeResources: [
    { queue: 'a', name: 'big', instanceType: 'x.big', usdPerHour: 4, cpus: 8 },
    { queue: 'a', name: 'small', instanceType: 'x.small', usdPerHour: 1, cpus: 2 },
    { queue: 'a', name: 'none', instanceType: 'x.none', cpus: 2 },
  ],
  endpointsUsdPerHour: 1,
};
const prices = usagePricesOf(rates, {});

const hour: UsageRecord = {
  jobId: '1',
  queue: 'a',
  cpus: 8,
  nodes: 1,
  nodeGroups: { 'a-dy-big': 1 },
  startSeconds: 0,
  endSeconds: 3600,
  suspendedSeconds: 0,
};

function costOf(own: Partial<UsageRecord>, known: UsagePrices | undefined = prices) {
  const records = [{ ...hour, ...own }];
  const snapshot = { epoch: 'e', asOfSeconds: 3600, records, ...(known && { prices: known }) };
  const { costUsd, unpricedAllocations } = reportUsage([snapshot], HOUR).total;
  return { costUsd, unpricedAllocations };
}

describe('a job', () => {
  it('with whole nodes costs what they cost, also where they are of several types', () => {
    expect(costOf({})).toEqual({ costUsd: 4 });
    expect(costOf({ cpus: 12, nodes: 3, nodeGroups: { 'a-dy-big': 1, 'a-st-small': 2 } }).costUsd).toBe(6);
    expect(costOf({ endSeconds: 900 }).costUsd).toBe(1);
  });

  it('that shares its node costs its share of the processors', () => {
    expect(costOf({ cpus: 2 }).costUsd).toBe(1);
  });

  it('costs nothing while it is suspended: others may have its processors', () => {
    expect(costOf({ suspendedSeconds: 1800 }).costUsd).toBe(2);
  });

  it('has no cost, not none, where a price, a size, its nodes or all prices are unknown', () => {
    const unpriced = { unpricedAllocations: 1 };
    expect(costOf({ nodeGroups: { 'a-dy-big': 1, 'a-dy-none': 1 } })).toEqual(unpriced);
    expect(costOf({ nodeGroups: { 'b-dy-other': 1 } })).toEqual(unpriced);
    expect(costOf({ nodeGroups: {} })).toEqual(unpriced);
    const { nodeGroups: _, ...nameless } = hour;
    const unsized = { nodeGroups: { 'a-dy-big': { usdPerHour: 4 } } };
    const totals = [
      reportUsage([{ epoch: 'e', asOfSeconds: 3600, records: [nameless], prices }], HOUR).total,
      reportUsage([{ epoch: 'e', asOfSeconds: 3600, records: [hour], prices: unsized }], HOUR).total,
      reportUsage([{ epoch: 'e', asOfSeconds: 3600, records: [hour] }], HOUR).total,
    ];
    for (const total of totals) {
      expect(total).toMatchObject(unpriced);
      expect(total).not.toHaveProperty('costUsd');
    }
  });

  it('without a price is counted beside those that have one', () => {
    const records = [hour, { ...hour, jobId: '2', nodeGroups: { 'a-dy-none': 1 } }];
    const { total, perQueue } = reportUsage([{ epoch: 'e', asOfSeconds: 3600, records, prices }], HOUR);
    expect(total).toMatchObject({ allocations: 2, costUsd: 4, unpricedAllocations: 1 });
    expect(perQueue).toMatchObject([{ costUsd: 4, unpricedAllocations: 1 }]);
  });
});

describe('what is known of nodes', () => {
  it('is how many processors Slurm gives them, before what EC2’s data say', () => {
    const known = usagePricesOf(rates, { 'a-dy-big': 16 });
    expect(known.nodeGroups).toMatchObject({ 'a-dy-big': { cpus: 16 }, 'a-st-big': { cpus: 8 } });
    expect(costOf({}, known).costUsd).toBe(2);
  });

  it('keeps its price when another release names another, and takes new queues and what was unknown', () => {
    const [first, ...rest] = rates.computeResources;
    const newer: CostRates = {
      ...rates,
      pricesAsOf: '2026-06-01',
      computeResources: [
        ...(first ? [{ ...first, usdPerHour: 5 }] : []),
        ...rest.map((resource) => ({ ...resource, usdPerHour: 7 })),
        { queue: 'b', name: 'new', instanceType: 'x.new', usdPerHour: 9, cpus: 1 },
      ],
    };
    const merged = mergePrices(prices, usagePricesOf(newer, {}));
    expect(merged.pricesAsOf).toBe('2026-01-01');
    expect(merged.nodeGroups).toMatchObject({
      'a-dy-big': { usdPerHour: 4 },
      'a-dy-none': { usdPerHour: 7 },
      'b-dy-new': { usdPerHour: 9 },
    });
    expect(mergePrices(undefined, prices)).toEqual(prices);
  });
});

describe('all jobs together', () => {
  /** Nodes: which type, and what runs on each of its processors, one after the other: seconds of pause and of work. */
  const nodesWithWork = fc.array(
    fc.record({
      type: fc.constantFrom('big', 'small'),
      lanes: fc.array(
        fc.array(fc.tuple(fc.nat({ max: 500 }), fc.integer({ min: 1, max: 2000 })), { maxLength: 4 }),
        { maxLength: 8 },
      ),
      wholeNode: fc.boolean(),
    }),
    { maxLength: 6 },
  );

  it('never cost more than the meter counts for the nodes, while each is up from its first job to its last', () => {
    fc.assert(
      fc.property(nodesWithWork, (nodes) => {
        const records = nodes.flatMap(({ type, lanes, wholeNode }, node) => {
          const cpusPerNode = type === 'big' ? 8 : 2;
          const used = wholeNode ? lanes.slice(0, 1) : lanes.slice(0, cpusPerNode);
          return used.flatMap((lane, index) => {
            let at = 0;
            return lane.map(([pause, work], job) => {
              const startSeconds = at + pause;
              at = startSeconds + work;
              return {
                ...hour,
                jobId: `${node}-${index}-${job}`,
                cpus: wholeNode ? cpusPerNode : 1,
                nodeGroups: { [`a-dy-${type}`]: 1 },
                startSeconds,
                endSeconds: at,
              };
            });
          });
        });
        const range = { fromSeconds: 0, toSeconds: 100_000 };
        const { total } = reportUsage([{ epoch: 'e', asOfSeconds: 100_000, records, prices }], range);
        expect(total.costUsd ?? Number.NaN).toBeLessThanOrEqual(meteredUsd(nodes.length, records) + 1e-9);
      }),
    );
  });

  /** What the meter counts for the nodes of these jobs, set at each second in which one comes or goes. */
  function meteredUsd(nodeCount: number, records: readonly (UsageRecord & { endSeconds: number })[]): number {
    const spans = Array.from({ length: nodeCount }, (_, node) => {
      const own = records.filter(({ jobId }) => jobId.startsWith(`${node}-`));
      const from = Math.min(...own.map(({ startSeconds }) => startSeconds));
      const to = Math.max(...own.map(({ endSeconds }) => endSeconds));
      return own[0]?.nodeGroups ? [{ group: Object.keys(own[0].nodeGroups)[0] ?? '', from, to }] : [];
    }).flat();
    const isoOf = (seconds: number) => new Date(Date.UTC(2026, 0, 1) + seconds * 1000).toISOString();
    let meter = startMeter(isoOf(0));
    let added = 0;
    for (const at of [...new Set(spans.flatMap(({ from, to }) => [from, to]))].toSorted((a, b) => a - b)) {
      const counts: Record<string, number> = {};
      for (const { group, from, to } of spans)
        if (from <= at && at < to) counts[group] = (counts[group] ?? 0) + 1;
      added += Object.values(addedByMonth(meter, isoOf(at))).reduce((a, b) => a + b, 0);
      meter = readMeter(meter, isoOf(at));
      meter = withRate(meter, hourlyUsd(rates, { stack: true, lustre: false, nodes: counts }), false);
    }
    expect(added).toBeGreaterThanOrEqual(meter.usd.nodes);
    return meter.usd.nodes;
  }
});
