import * as fc from 'fast-check';
import {
  type ClusterSpec,
  type ClusterSpecInput,
  clusterSpecInputSchema,
  resolveClusterSpec,
} from '../../src/domain/cluster-spec.ts';
import type { QueueInput } from '../../src/domain/queue.ts';
import { tierNames } from '../../src/domain/tiers.ts';

/** Tries a property on the same generated inputs every time; a failure shows the smallest counterexample. */
export function expectAlways<Input>(property: fc.IProperty<Input>, numRuns = 200): void {
  fc.assert(property, { seed: 20_260_115, numRuns });
}

/** The same for what is not known at once. */
export async function expectAlwaysInTime<Input>(
  property: fc.IAsyncProperty<Input>,
  numRuns: number,
): Promise<void> {
  await fc.assert(property, { seed: 20_260_115, numRuns });
}

/** Ids of tenants. */
export const platformIds = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);

export const tenants = fc.record({ virtualLabId: platformIds, projectId: platformIds });

const names = fc.stringMatching(/^[a-z][a-z0-9-]{0,24}$/).filter((name) => name !== 'default');

const computeResources = fc.record(
  {
    name: names,
    instanceType: fc.constantFrom('t3.micro', 'c7a.48xlarge', 'm5.8xlarge'),
    minCount: fc.integer({ min: 0, max: 3 }),
    maxCount: fc.integer({ min: 3, max: 40 }),
    efa: fc.boolean(),
    multithreading: fc.boolean(),
  },
  { requiredKeys: ['name', 'instanceType', 'maxCount'] },
);

const queues: fc.Arbitrary<QueueInput> = fc.record(
  {
    name: names,
    computeResources: fc.uniqueArray(computeResources, {
      selector: ({ name }) => name,
      minLength: 1,
      maxLength: 4,
    }),
    placementGroup: fc.boolean(),
    capacityType: fc.constantFrom('ONDEMAND', 'SPOT'),
    maxTimeSeconds: fc.integer({ min: 1, max: 1000 }).map((minutes) => minutes * 60),
    maxNodesPerJob: fc.integer({ min: 1, max: 1000 }),
  },
  { requiredKeys: ['name', 'computeResources'] },
);

const times = {
  idleTimeoutSeconds: fc.integer({ min: 5, max: 7 * 86_400 }),
  maxLifetimeSeconds: fc.integer({ min: 600, max: 90 * 86_400 }),
  scaledownIdleTimeSeconds: fc.integer({ min: 1, max: 1440 }).map((minutes) => minutes * 60),
};

/** Specifications as callers may send them. */
export const specInputs: fc.Arbitrary<ClusterSpecInput> = fc.oneof(
  fc.record({ tier: fc.constantFrom(...tierNames), ...times }, { requiredKeys: ['tier'] }),
  fc.record(
    {
      queues: fc.uniqueArray(queues, { selector: ({ name }) => name, minLength: 1, maxLength: 5 }),
      ...times,
    },
    { requiredKeys: ['queues'] },
  ),
);

/** Specifications as they are stored. */
export const specs: fc.Arbitrary<ClusterSpec> = specInputs.map((input) =>
  resolveClusterSpec(clusterSpecInputSchema.parse(input)),
);
