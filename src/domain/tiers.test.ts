import { describe, expect, test } from 'vitest';
import { clusterSpecInputSchema, resolveClusterSpec } from './cluster-spec-input.ts';
import { type Tier, tierNames, tiers } from './tiers.ts';

function queueOf(tier: Tier) {
  const spec = resolveClusterSpec(clusterSpecInputSchema.parse({ tier }));
  expect(spec.queues).toHaveLength(1);
  return spec.queues[0]!;
}

/** The platform's table of tiers, one line per compute resource. */
const table: Record<Tier, string[]> = {
  debug: ['t3.micro x8'],
  'prod-mpi': ['c7a.48xlarge x20 efa'],
  'mixed-prod-mpi': ['c7a.48xlarge x20 efa', 'c6a.48xlarge x20 efa smt-off'],
  'prod-mpi-intel': ['c7i.48xlarge x20 efa smt-off'],
  'prod-mpi-mem': ['m7a.48xlarge x20 efa', 'm7i.48xlarge x20 efa smt-off'],
  'prod-mpi-hpc': ['hpc7a.96xlarge x20 efa'],
  'prod-batch': ['m5.8xlarge x16', 'c7a.48xlarge x10'],
};

describe('every tier', () => {
  test.each(tierNames)('%s has one on-demand queue of its own name that scales down to nothing', (tier) => {
    const queue = queueOf(tier);
    expect(queue.name).toBe(tier);
    expect(queue.capacityType).toBe('ONDEMAND');
    expect(queue.computeResources.map(({ minCount }) => minCount)).toEqual(
      queue.computeResources.map(() => 0),
    );
  });

  test.each(tierNames)('%s offers the nodes of the platform’s table', (tier) => {
    const rows = queueOf(tier).computeResources.map((resource) =>
      [
        `${resource.instanceType} x${resource.maxCount}`,
        ...(resource.efa ? ['efa'] : []),
        ...(resource.multithreading ? [] : ['smt-off']),
      ].join(' '),
    );
    expect(rows).toEqual(table[tier]);
  });

  test.each(tierNames)('%s uses a placement group exactly when it uses EFA', (tier) => {
    const queue = queueOf(tier);
    expect(queue.placementGroup).toBe(queue.computeResources.every(({ efa }) => efa));
  });

  test.each(tierNames)('%s names its compute resources after their instance types', (tier) => {
    for (const { name, instanceType } of queueOf(tier).computeResources) {
      expect(name).toBe(instanceType.replace('.', '-'));
    }
  });
});

test('only debug, prod-mpi and prod-batch limit a job’s time, and only prod-batch its nodes', () => {
  const limits = Object.fromEntries(
    tierNames.map((tier) => [
      tier,
      [tiers[tier].queues[0].maxTimeSeconds, tiers[tier].queues[0].maxNodesPerJob],
    ]),
  );
  expect(limits).toEqual({
    debug: [86_400, undefined],
    'prod-mpi': [43_200, undefined],
    'mixed-prod-mpi': [undefined, undefined],
    'prod-mpi-intel': [undefined, undefined],
    'prod-mpi-mem': [undefined, undefined],
    'prod-mpi-hpc': [undefined, undefined],
    'prod-batch': [7200, 4],
  });
});
