import * as fc from 'fast-check';
import {
  type ClusterSpecInput,
  clusterSpecInputSchema,
  resolveClusterSpec,
} from '../../src/domain/cluster-spec-input.ts';
import { type ClusterSpec } from '../../src/domain/cluster-spec.ts';
import type { QueueInput } from '../../src/domain/queue.ts';
import { tierNames } from '../../src/domain/tiers.ts';
import { customActionNodes } from '../../src/domain/custom-actions.ts';
import { attachableFileSystems } from './cluster-configuration.ts';
import { instanceTypes } from '../../src/domain/instance-types.ts';
import { logRetentionDays } from '../../src/domain/log-retention.ts';
import { operatingSystems } from '../../src/domain/operating-systems.ts';

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

const ids = (prefix: string) => fc.stringMatching(new RegExp(`^${prefix}-[0-9a-f]{17}$`));

const minutes = (max: number) => fc.integer({ min: 1, max }).map((count) => count * 60);

const computeResources = (types: readonly string[]) =>
  fc.record(
    {
      name: names,
      instanceType: fc.constantFrom(...types),
      minCount: fc.integer({ min: 0, max: 3 }),
      maxCount: fc.integer({ min: 3, max: 40 }),
      efa: fc.boolean(),
      multithreading: fc.boolean(),
      capacityReservation: fc.oneof(
        fc.record({ id: ids('cr') }),
        fc.record({
          resourceGroupArn: fc
            .stringMatching(/^[a-z]{8}$/)
            .map((name) => `arn:aws:resource-groups:us-east-2:123456789012:group/${name}`),
        }),
      ),
    },
    { requiredKeys: ['name', 'instanceType', 'maxCount'] },
  );

const queues = (types: readonly string[]): fc.Arbitrary<QueueInput> =>
  fc.record(
    {
      name: names,
      computeResources: fc.uniqueArray(computeResources(types), {
        selector: ({ name }) => name,
        minLength: 1,
        maxLength: 3,
      }),
      placementGroup: fc.boolean(),
      capacityType: fc.constantFrom('ONDEMAND', 'SPOT'),
      defaultTimeSeconds: minutes(100),
      maxTimeSeconds: minutes(1000),
      maxNodesPerJob: fc.integer({ min: 1, max: 1000 }),
      exclusiveNodes: fc.boolean(),
    },
    { requiredKeys: ['name', 'computeResources'] },
  );

const lustreSpecs = fc.record({
  sizeGibibytes: fc.constantFrom(1200, 2400, 4800),
  throughputMegabytesPerSecondPerTebibyte: fc.constantFrom(125 as const, 250 as const),
});

const times = {
  idleTimeoutSeconds: fc.integer({ min: 5, max: 7 * 86_400 }),
  maxLifetimeSeconds: fc.integer({ min: 600, max: 90 * 86_400 }),
  scaledownIdleTimeSeconds: minutes(1440),
};

/** Of these fields any or none. */
const some = <T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(fields, { requiredKeys: [] });

const scripts = fc
  .stringMatching(/^[a-z][a-z0-9./_-]{0,20}$/)
  .map((key) => `s3://operators-scripts/${key}.sh`);

const options = (types: readonly string[]) => ({
  lustre: lustreSpecs,
  os: fc.constantFrom(...operatingSystems),
  customAmi: ids('ami'),
  s3Mounts: fc.boolean(),
  fileSystems: fc.uniqueArray(
    fc.record({
      id: fc.constantFrom(...Object.keys(attachableFileSystems)),
      mountDirectory: fc.stringMatching(
        /^\/(opt\/|mnt\/)?[A-Za-z0-9][\w.-]{0,9}(\/[A-Za-z0-9][\w.-]{0,9})?$/,
      ),
    }),
    { selector: ({ id }) => id, minLength: 1, maxLength: 4 },
  ),
  headNode: some({
    instanceType: fc.constantFrom(...types),
    rootVolumeGibibytes: fc.integer({ min: 50, max: 16_384 }),
  }),
  slurmSettings: some({
    memoryBasedScheduling: fc.boolean(),
    defaultMemoryMebibytesPerCpu: fc.integer({ min: 1, max: 16_384 }),
    killWaitSeconds: fc.integer({ min: 0, max: 3600 }),
    overTimeLimitSeconds: minutes(60),
    completeWaitSeconds: fc.integer({ min: 0, max: 65_535 }),
    maxStepCount: fc.integer({ min: 1, max: 1_000_000 }),
    schedulerParameters: some({
      bf_continue: fc.constantFrom(0, 1),
      bf_window: fc.integer({ min: 1, max: 43_200 }),
      default_queue_depth: fc.integer({ min: 1, max: 10_000 }),
    }),
  }),
  fallbackTiers: fc.uniqueArray(fc.constantFrom(...tierNames), { minLength: 1, maxLength: 3 }),
  cloudWatch: some({ retentionDays: fc.constantFrom(...logRetentionDays), dashboard: fc.boolean() }),
  customActions: fc.array(
    fc.record(
      {
        nodes: fc.constantFrom(...customActionNodes),
        script: scripts,
        args: fc.array(
          fc.stringMatching(/^[\w./:=@,+-]{1,20}$/).filter((word) => word !== '='),
          {
            maxLength: 3,
          },
        ),
      },
      { requiredKeys: ['nodes', 'script'] },
    ),
    { minLength: 1, maxLength: 3 },
  ),
});

/**
 * Specifications with these instance types that the API accepts. Fields are drawn without a thought of each other, so that
 * the API's own rules and nothing else decide which of them may stand together.
 */
export function specInputsOf(types: readonly string[]): fc.Arbitrary<ClusterSpecInput> {
  const ofArchitecture = (architecture: string) =>
    types.filter((type) => instanceTypes[type]?.architecture === architecture);
  const ofTypes = (chosen: readonly string[]) =>
    fc.record(
      {
        queues: fc.uniqueArray(queues(chosen), { selector: ({ name }) => name, minLength: 1, maxLength: 4 }),
        ...times,
        ...options(chosen),
      },
      { requiredKeys: ['queues'] },
    );
  const x86 = ofArchitecture('x86_64');
  return fc
    .oneof(
      fc.record(
        { tier: fc.constantFrom(...tierNames), ...times, ...options(x86) },
        { requiredKeys: ['tier'] },
      ),
      ofTypes(x86),
      ofTypes(ofArchitecture('arm64')),
    )
    .filter((input) => clusterSpecInputSchema.safeParse(input).success);
}

/** Specifications as callers may send them. */
export const specInputs = specInputsOf(Object.keys(instanceTypes));

/** Specifications as they are stored. */
export const specs: fc.Arbitrary<ClusterSpec> = specInputs.map((input) =>
  resolveClusterSpec(clusterSpecInputSchema.parse(input)),
);
