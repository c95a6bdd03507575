import { describe, expect, it } from 'vitest';
import { clusterSpecInputSchema, type ClusterSpecInput, resolveClusterSpec } from './cluster-spec-input.ts';
import type { CostRates } from './cost-rates.ts';
import { UNSHARED_ENDPOINTS } from './estimate.ts';
import { instanceTypes } from './instance-types.ts';
import { priceTable } from './prices.ts';
import { ratesOf } from './rate-card.ts';

function rates(input: ClusterSpecInput, region = 'us-east-1'): CostRates {
  const spec = resolveClusterSpec(clusterSpecInputSchema.parse(input));
  return ratesOf(spec, { prices: priceTable, region, instanceTypes, share: UNSHARED_ENDPOINTS });
}

const queue = (
  computeResource: { name: string; instanceType: string; multithreading?: boolean },
  more = {},
) => ({
  queues: [{ name: 'q', computeResources: [{ maxCount: 10, ...computeResource }], ...more }],
});
const mpi = { name: 'c', instanceType: 'c7a.48xlarge' };

describe('the rates of a specification', () => {
  it('are the prices of its head node, of each node with 40 GiB, and of the endpoints of a zone', () => {
    const found = rates(queue(mpi));
    expect(found).toMatchObject({
      version: 1,
      region: 'us-east-1',
      headNodeUsdPerHour: 0.0416,
      computeResources: [
        { queue: 'q', name: 'c', instanceType: 'c7a.48xlarge', usdPerHour: 9.85344, cpus: 192 },
      ],
    });
    expect(found.pricesAsOf).toMatch(/^\d{4}-\d\d-\d\d$/);
    expect(found.rootVolumeUsdPerHour).toBeCloseTo((40 * 0.08) / 730, 9);
    expect(found.endpointsUsdPerHour).toBeCloseTo(0.14, 9);
    for (const absent of ['lustreUsdPerHour', 'headNodeVolumeUsdPerHour', 'isUpperBound', 'unpriced'])
      expect(found).not.toHaveProperty(absent);
  });

  it('have a head node’s own volume and Lustre where it has them', () => {
    const found = rates({
      ...queue(mpi),
      headNode: { rootVolumeGibibytes: 100 },
      lustre: { sizeGibibytes: 2400 },
    });
    expect(found.headNodeVolumeUsdPerHour).toBeCloseTo((100 * 0.08) / 730, 9);
    expect(found.lustreUsdPerHour).toBeCloseTo((2400 * 0.21) / 730, 9);
  });

  it('count processors as Slurm does, which are cores where threads are off', () => {
    const intel = { name: 'c', instanceType: 'c6a.48xlarge' };
    const cpus = (multithreading: boolean) =>
      rates(queue({ ...intel, multithreading })).computeResources[0]?.cpus;
    expect(cpus(true)).toBe(192);
    expect(cpus(false)).toBe(96);
  });

  it('of spot nodes are an upper bound', () => {
    expect(rates(queue(mpi, { capacityType: 'SPOT' }))).toMatchObject({
      isUpperBound: true,
      computeResources: [{ usdPerHour: 9.85344 }],
    });
  });

  it('name what has no price, and give it none', () => {
    const found = rates({ tier: 'prod-mpi-hpc' });
    expect(found.unpriced).toEqual(['hpc7a.96xlarge']);
    expect(found.computeResources[0]).not.toHaveProperty('usdPerHour');
    expect(found.headNodeUsdPerHour).toBe(0.0416);
  });

  it('in a Region without prices are none, and say so', () => {
    expect(rates(queue(mpi), 'mars-north-1')).toEqual({
      version: 1,
      region: 'mars-north-1',
      rootVolumeUsdPerHour: 0,
      computeResources: [{ queue: 'q', name: 'c', instanceType: 'c7a.48xlarge' }],
      endpointsUsdPerHour: 0,
      unpriced: ['everything in mars-north-1'],
    });
  });
});
