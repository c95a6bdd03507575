import * as fc from 'fast-check';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { readDevEnvironment } from '../../src/dev/environment.ts';
import { judgeUpdates } from '../../src/dev/pcluster-update-judge.ts';
import { ensureVenv } from '../../src/dev/python-venv.ts';
import {
  type ClusterSpecInput,
  clusterSpecInputSchema,
  resolveClusterSpec,
} from '../../src/domain/cluster-spec-input.ts';
import { planUpdate, type UpdatePlan } from '../../src/domain/spec-update.ts';
import { attachableFileSystems, configurationOf } from '../support/cluster-configuration.ts';

const resource = fc.record({
  name: fc.constantFrom('a', 'b', 'c'),
  instanceType: fc.constantFrom('c7a.48xlarge', 'c6a.48xlarge'),
  minCount: fc.integer({ min: 0, max: 2 }),
  maxCount: fc.integer({ min: 2, max: 4 }),
  efa: fc.boolean(),
  multithreading: fc.boolean(),
});
const queue = fc.record(
  {
    name: fc.constantFrom('one', 'two', 'three'),
    computeResources: fc.uniqueArray(resource, { selector: ({ name }) => name, minLength: 1, maxLength: 2 }),
    placementGroup: fc.boolean(),
    capacityType: fc.constantFrom('ONDEMAND' as const, 'SPOT' as const),
    maxTimeSeconds: fc.constantFrom(60, 120),
    defaultTimeSeconds: fc.constant(60),
    exclusiveNodes: fc.boolean(),
    maxNodesPerJob: fc.integer({ min: 1, max: 2 }),
  },
  { requiredKeys: ['name', 'computeResources'] },
);
const mounts = Object.keys(attachableFileSystems).map((id, index) => ({
  id,
  mountDirectory: `/opt/shared-${index}`,
}));
const specification = fc.record(
  {
    queues: fc.uniqueArray(queue, { selector: ({ name }) => name, minLength: 1, maxLength: 2 }),
    scaledownIdleTimeSeconds: fc.constantFrom(60, 120),
    os: fc.constantFrom('alinux2023' as const, 'ubuntu2404' as const),
    s3Mounts: fc.boolean(),
    fileSystems: fc.uniqueArray(fc.constantFrom(...mounts), { minLength: 1 }),
    headNode: fc.record({ instanceType: fc.constantFrom('m5.xlarge', 'm5.2xlarge') }),
    cloudWatch: fc.record({
      retentionDays: fc.constantFrom(30 as const, 60 as const),
      dashboard: fc.boolean(),
    }),
  },
  { requiredKeys: ['queues'] },
);
/** Two independent ones differ in everything; with one change at a time, each rule is seen alone. */
const pair = fc.oneof(
  fc.tuple(specification, specification),
  specification.chain((before) => fc.tuple(fc.constant(before), withOneChange(before))),
);
/**
 * Drawn without a thought of each other, fields need not go together. And where something is unmounted, our rules are stricter
 * on purpose: ParallelCluster would take it from under a job.
 */
const acceptedPair = pair.filter(
  ([before, after]) =>
    [before, after].every((each) => clusterSpecInputSchema.safeParse(each).success) &&
    (before.fileSystems ?? []).every(({ id }) => after.fileSystems?.some((each) => each.id === id)),
);

function withOneChange(before: ClusterSpecInput): fc.Arbitrary<ClusterSpecInput> {
  const [first, ...rest] = before.queues ?? [];
  const [resourceBefore, ...resources] = first?.computeResources ?? [];
  if (!first || !resourceBefore) return fc.constant(before);
  const changedQueue = fc.oneof(
    queue.map((other) => ({ ...first, capacityType: other.capacityType ?? 'SPOT' })),
    queue.map((other) => ({ ...first, placementGroup: other.placementGroup ?? false })),
    queue.map(({ maxTimeSeconds = 180 }) => ({ ...first, maxTimeSeconds })),
    resource.chain((other) =>
      fc.constantFrom('instanceType', 'minCount', 'maxCount', 'efa', 'multithreading').map((field) => ({
        ...first,
        computeResources: [{ ...resourceBefore, [field]: other[field] }, ...resources],
      })),
    ),
    resource.map((other) => ({
      ...first,
      computeResources: [
        { ...resourceBefore, minCount: other.minCount, maxCount: other.maxCount },
        ...resources,
      ],
    })),
  );
  return fc.oneof(
    changedQueue.map((changed) => ({ ...before, queues: [changed, ...rest] })),
    fc
      .constantFrom(60, 120, 180)
      .map((scaledownIdleTimeSeconds) => ({ ...before, scaledownIdleTimeSeconds })),
  );
}

const resolved = (input: ClusterSpecInput) => resolveClusterSpec(clusterSpecInputSchema.parse(input));

/** Which queue is first is not seen by ParallelCluster. */
function verdictOf({ mode, changes }: UpdatePlan): 'none' | 'allowed' | 'refused' {
  if (changes.every(({ path }) => path === 'queues')) return 'none';
  return mode === 'in-place' ? 'allowed' : 'refused';
}

let venv: string;
beforeAll(async () => {
  const { cacheDirectory, python } = readDevEnvironment(process.env);
  venv = await ensureVenv({ name: 'parallelcluster', cacheDirectory, python, onProgress: () => {} });
}, 300_000);

describe('what a change of a specification takes', () => {
  it('is in place exactly where ParallelCluster itself allows it while nodes may run', async () => {
    const numRuns = inject('fullTests') ? 5000 : 500;
    const pairs = fc.sample(acceptedPair, { numRuns, seed: 20_261_126 });
    const reports = await judgeUpdates(
      pairs.map(([before, after]) => [configurationOf(before), configurationOf(after)]),
      venv,
    );
    const verdicts = { none: 0, allowed: 0, refused: 0 };
    const disagreements: unknown[] = [];
    for (const [index, [before, after]] of pairs.entries()) {
      const report = reports[index];
      const theirs = report?.changes.length === 0 ? 'none' : report?.allowed ? 'allowed' : 'refused';
      verdicts[theirs] += 1;
      const plan = planUpdate(resolved(before), resolved(after));
      const ours = verdictOf(plan);
      if (ours !== theirs) disagreements.push({ ours, theirs, plan, report, before, after });
    }
    expect(disagreements.slice(0, 1)).toEqual([]);
    expect(Math.min(...Object.values(verdicts))).toBeGreaterThan(numRuns / 50);
  });
});
