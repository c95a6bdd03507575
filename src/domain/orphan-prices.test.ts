import { describe, expect, it } from 'vitest';
import type { KeptCosts } from './deployment-costs.ts';
import { pricedOrphan } from './orphan-prices.ts';
import type { Orphan, OrphanResource } from './orphans.ts';
import { priceTable } from './prices.ts';

const NOW_SECONDS = Date.UTC(2026, 10, 26) / 1000;
const prices = priceTable.regions['us-east-1'];
const hoursAgo = (hours: number) => new Date((NOW_SECONDS - hours * 3600) * 1000).toISOString();
/** The disk of each node: 40 GiB of gp3. */
const DISK = (40 * 0.08) / 730;

const kept: KeptCosts = {
  meter: {
    upTo: hoursAgo(2),
    usd: { headNode: 10, nodes: 20, rootVolumes: 1, lustre: 0, endpoints: 7 },
  },
  rates: {
    version: 1,
    region: 'us-east-1',
    headNodeUsdPerHour: 0.5,
    rootVolumeUsdPerHour: 0.01,
    computeResources: [],
    endpointsUsdPerHour: 0.14,
  },
};

function price(resources: readonly OrphanResource[], record?: KeptCosts, region = 'us-east-1') {
  const orphan: Orphan = {
    virtualLabId: 'lab',
    projectId: 'proj',
    clusterName: 'pcluster-lab-proj',
    epoch: '0'.repeat(14),
    resources,
  };
  const known = region === 'us-east-1' ? prices : undefined;
  return pricedOrphan(orphan, { prices: known, region, kept: record, nowSeconds: NOW_SECONDS });
}

const instance = (instanceType: string, more: { isRunning?: boolean; isSpot?: boolean } = {}) =>
  ({
    kind: 'instance',
    id: `i-${instanceType}`,
    madeAt: hoursAgo(10),
    billed: { as: 'instance', instanceType, isRunning: true, isSpot: false, ...more },
  }) satisfies OrphanResource;
const stack = (id: string) =>
  ({ kind: 'stack', id, madeAt: hoursAgo(10), billed: { as: 'stack' } }) satisfies OrphanResource;
const lustre = (type: string, throughput: number) =>
  ({
    kind: 'lustre',
    id: 'fs-1',
    madeAt: hoursAgo(10),
    billed: {
      as: 'lustre',
      sizeGibibytes: 1200,
      type,
      throughputMegabytesPerSecondPerTebibyte: throughput,
    },
  }) satisfies OrphanResource;
const secret = {
  kind: 'secret',
  id: 'secret-1',
  madeAt: hoursAgo(730),
  billed: { as: 'secret' },
} satisfies OrphanResource;

describe('what an orphan costs', () => {
  it('is the price of its instances and their disks, since each was started', () => {
    const { cost } = price([stack('outer'), stack('own'), instance('t3.medium'), instance('c7a.48xlarge')]);
    const hourly = 0.0416 + 9.85344 + 2 * DISK;
    expect(cost?.usdPerHour).toBeCloseTo(hourly);
    expect(cost?.usdPerMonth).toBeCloseTo(hourly * 730);
    expect(cost?.usdSoFar).toBeCloseTo(hourly * 10);
    expect(cost?.unpriced).toEqual([]);
  });

  it('is that of a disk alone for a stopped instance', () => {
    expect(price([instance('t3.medium', { isRunning: false })]).cost?.usdPerHour).toBeCloseTo(DISK);
  });

  it('is at most the price on demand for a spot instance', () => {
    expect(price([instance('t3.medium', { isSpot: true })]).cost).toMatchObject({ isUpperBound: true });
  });

  it('is one head node as the record of the deployment has it, where EC2 shows none', () => {
    const { cost, resources } = price([stack('outer'), stack('own')], kept);
    expect(cost?.usdPerHour).toBeCloseTo(0.51);
    // What its meter had come to without the endpoints of the network, and two hours more.
    expect(cost?.usdSoFar).toBeCloseTo(31 + 2 * 0.51);
    expect(resources.map((each) => each.cost)).toEqual([{ usdPerHour: 0.51 }, { usdPerHour: 0 }]);
  });

  it('is that of Lustre by its size and throughput, and of a secret by the month', () => {
    const { cost } = price([lustre('PERSISTENT_2 SSD', 250), secret]);
    expect(cost?.usdPerMonth).toBeCloseTo(1200 * 0.21 + 0.4);
    expect(cost?.usdSoFar).toBeCloseTo((1200 * 0.21 * 10) / 730 + 0.4);
  });

  it('counts a secret from its beginning, which no meter does', () => {
    expect(price([secret], kept).cost?.usdSoFar).toBeCloseTo(31.4);
  });

  it('is nothing for what only opens doors or holds a subnet', () => {
    const { cost } = price([
      { kind: 'key-pair', id: 'key-1' },
      { kind: 'access-point', id: 'fsap-1' },
      { kind: 'subnet-lease', id: 'subnet-1' },
    ]);
    expect(cost).toEqual({ usdPerHour: 0, usdPerMonth: 0, usdSoFar: 0, unpriced: [] });
  });
});

describe('what has no price', () => {
  it.each<[string, OrphanResource, string, string?]>([
    ['an instance type', instance('x9.huge'), 'no price of x9.huge'],
    ['a stack without instances or record', stack('outer'), 'EC2 shows no instance with its tag'],
    [
      'Lustre of another type',
      lustre('SCRATCH_2 SSD', 200),
      'no price of SCRATCH_2 SSD with 200 MB/s per TiB',
    ],
    ['Lustre of another throughput', lustre('PERSISTENT_2 SSD', 333), 'with 333 MB/s per TiB'],
    ['another Region', secret, 'the price table has nothing about mars-north-1', 'mars-north-1'],
  ])('is said, and counts neither as free nor at all: %s', (_what, resource, why, region) => {
    const { cost, resources } = price([resource], undefined, region);
    expect(cost).toMatchObject({ usdPerHour: 0, usdSoFar: 0 });
    expect(cost?.unpriced).toEqual([expect.stringContaining(why)]);
    expect(resources[0]?.cost).toEqual({ unpriced: expect.stringContaining(why) });
  });

  it('is said of the past of what nobody knows the beginning of', () => {
    const { madeAt: _, ...undated } = secret;
    const { cost } = price([undated]);
    expect(cost?.usdPerMonth).toBeCloseTo(0.4);
    expect(cost).toMatchObject({ usdSoFar: 0, unpriced: [expect.stringContaining('since when')] });
  });
});
