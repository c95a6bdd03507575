import { describe, expect, it } from 'vitest';
import { clusterSpecInputSchema, type ClusterSpecInput, resolveClusterSpec } from './cluster-spec-input.ts';
import { estimateOf, hourlyCostOf, pricesIn, totalOf } from './estimate.ts';
import { headNodeInstanceType } from './head-node.ts';
import { instanceTypes } from './instance-types.ts';
import {
  costOfNodeSeconds,
  efsUsdPerMonth,
  endpointsUsdPerHour,
  lustreUsdPerMonth,
  nodeUsdPerHour,
  priceTable,
} from './prices.ts';
import { tierNames, tiers } from './tiers.ts';

const specOf = (input: ClusterSpecInput) => resolveClusterSpec(clusterSpecInputSchema.parse(input));
const estimate = (input: ClusterSpecInput) => estimateOf(specOf(input), priceTable, 'us-east-1');
const prices = pricesIn(priceTable, 'us-east-1') ?? expect.unreachable();

/** A head node, and 14 interface endpoints at a cent. */
const IDLE = 0.0416 + 0.14;

describe('an estimate', () => {
  it('is of the head node, the nodes and the endpoints, idle and full', () => {
    expect(estimate({ tier: 'debug' })).toEqual({
      region: 'us-east-1',
      pricesAsOf: '2026-07-20',
      idleUsdPerHour: 0.182,
      fullUsdPerHour: 0.265,
      storageUsdPerMonth: 0,
    });
    expect(IDLE + 8 * 0.0104).toBeCloseTo(0.2648, 6);
  });

  it('counts nodes that are always up, and Lustre whether or not jobs run', () => {
    const resource = { name: 'c', instanceType: 'c7a.48xlarge', minCount: 2, maxCount: 10 };
    const spec = { queues: [{ name: 'q', computeResources: [resource] }], lustre: { sizeGibibytes: 2400 } };
    const month = 2400 * 0.21;
    expect(estimate(spec)).toMatchObject({
      idleUsdPerHour: Number((IDLE + 2 * 9.85344 + month / 730).toFixed(3)),
      fullUsdPerHour: Number((IDLE + 10 * 9.85344 + month / 730).toFixed(3)),
      storageUsdPerMonth: month,
    });
    expect(estimateOf(specOf(spec), priceTable, 'us-east-1', { efsGibibytes: 100 }).storageUsdPerMonth).toBe(
      month + 30,
    );
  });

  it('says what has no price, and tells only what needs none of it', () => {
    expect(estimate({ tier: 'prod-mpi-hpc' })).toEqual({
      region: 'us-east-1',
      pricesAsOf: '2026-07-20',
      idleUsdPerHour: 0.182,
      storageUsdPerMonth: 0,
      unpriced: ['hpc7a.96xlarge'],
    });
    expect(estimateOf(specOf({ tier: 'debug' }), priceTable, 'mars-north-1')).toEqual({
      region: 'mars-north-1',
      unpriced: ['everything in mars-north-1'],
    });
    // A name that every object has is no Region.
    expect(estimateOf(specOf({ tier: 'debug' }), priceTable, 'toString')).not.toHaveProperty(
      'idleUsdPerHour',
    );
  });

  it('of spot nodes is what they would cost on demand, and says so', () => {
    const computeResources = [{ name: 'c', instanceType: 'c7a.large', maxCount: 1 }];
    const spot = estimate({ queues: [{ name: 'q', capacityType: 'SPOT', computeResources }] });
    expect(spot).toMatchObject({ isUpperBound: true, fullUsdPerHour: Number((IDLE + 0.10264).toFixed(3)) });
  });

  it('shares the endpoints out among clusters', () => {
    const share = { interfaceEndpoints: 13, availabilityZones: 2, clusters: 26 };
    expect(endpointsUsdPerHour(prices, share)).toBeCloseTo(0.01, 9);
    const { endpoints } = hourlyCostOf(specOf({ tier: 'debug' }), prices, () => 0, { share });
    expect(endpoints).toBeCloseTo(0.01, 9);
  });

  it('has room in a view whatever has no price', () => {
    const unpriced = Object.keys(instanceTypes).filter(
      (name) => name.startsWith('d3') && nodeUsdPerHour(prices, name) === undefined,
    );
    const computeResources = Array.from({ length: 9 }, (_, n) => ({
      name: `c${n}`,
      instanceType: unpriced[n] ?? '',
      maxCount: 1,
    }));
    expect(estimate({ queues: [{ name: 'q', computeResources }] }).unpriced).toHaveLength(5);
  });
});

describe('the price table', () => {
  it('has the head nodes and the nodes of every tier that EC2 offers there, and a source for all', () => {
    const types = tierNames
      .filter((tier) => tier !== 'prod-mpi-hpc')
      .flatMap((tier) => tiers[tier].queues.flatMap(({ computeResources }) => computeResources));
    const heads = [1, 50, 500].map((maxCount) =>
      headNodeInstanceType({
        queues: [
          {
            computeResources: [
              { name: 'c', instanceType: 'x', maxCount, minCount: 0, efa: false, multithreading: true },
            ],
          },
        ],
      }),
    );
    for (const name of [...types.map(({ instanceType }) => instanceType), ...heads])
      expect([name, costOfNodeSeconds(prices, name, 3600)]).toEqual([name, expect.any(Number)]);
    for (const each of Object.values(prices)) expect(each.source).not.toBe('');
  });

  it('prices node seconds, and a name that it does not have not at all', () => {
    expect(costOfNodeSeconds(prices, 'c7a.48xlarge', 1800)).toBeCloseTo(9.85344 / 2, 9);
    expect(costOfNodeSeconds(prices, 'c99.large', 1)).toBeUndefined();
    expect(costOfNodeSeconds(prices, 'constructor', 1)).toBeUndefined();
  });

  it.each([125, 250, 500, 1000] as const)(
    'has Lustre of %d MB/s per TiB',
    (throughputMegabytesPerSecondPerTebibyte) => {
      const monthly = lustreUsdPerMonth(prices, {
        sizeGibibytes: 1200,
        throughputMegabytesPerSecondPerTebibyte,
      });
      expect(monthly).toBeGreaterThanOrEqual(174);
      expect(efsUsdPerMonth(prices, 1200)).toBe(360);
    },
  );

  it('adds up the parts of an hour', () => {
    expect(totalOf({ headNode: 1, nodes: 2, lustre: 3, efs: 4, endpoints: 5 })).toBe(15);
  });
});
