import { architectureOf } from './architecture.ts';
import { type ClusterSpec, coversSpec, diffSpecs, type SpecDifference } from './cluster-spec.ts';
import type { FileSystemMount } from './file-systems.ts';
import { headNodeInstanceType } from './head-node.ts';
import type { ComputeResource, Queue } from './queue.ts';

/**
 * What a change of a living cluster's specification takes, from the least to what is not done:
 *
 * - `at-once`: nothing in AWS changes.
 * - `in-place`: the stack is updated; jobs go on, and new nodes are as the new specification says.
 * - `after-drain`: the cluster is replaced. Campaigns that it has run to their end, it is given back like any other, with all
 *   its data exported, and one of the new specification follows.
 * - `refused`: it would replace storage.
 */
export const updateModes = ['at-once', 'in-place', 'after-drain', 'refused'] as const;

export type UpdateMode = (typeof updateModes)[number];

/** One difference, and what it takes. Queues and compute resources stand in the path by their names. */
export interface SpecChange extends Partial<SpecDifference> {
  readonly path: string;
  readonly mode: UpdateMode;
  /** In plain words, where it is not `at-once`. */
  readonly because?: string;
}

/** What a change takes in all: the most of what its parts take, or `none` if there are no parts. */
export interface UpdatePlan {
  readonly mode: UpdateMode | 'none';
  readonly changes: readonly SpecChange[];
}

type Rule = readonly [mode: UpdateMode, because?: string];

const FLEET_STOPPED = 'ParallelCluster changes it only while no node may run (COMPUTE_FLEET_STOP)';
const AT_CREATION = 'is set up when the cluster is made';
const NEW_NODES: Rule = ['in-place', 'nodes that run jobs are replaced when these have ended'];

/**
 * ParallelCluster's update policies (aws-parallelcluster 3.16, `update_policy` of its schemas) while nodes may run and with
 * `QueueUpdateStrategy: DRAIN`, which is how clusters are made; a contract test compares them with its own judgement.
 */
const clusterRules = {
  tier: ['at-once'],
  idleTimeoutSeconds: ['at-once'],
  maxLifetimeSeconds: ['at-once'],
  fallbackTiers: ['at-once'],
  scaledownIdleTimeSeconds: ['after-drain', FLEET_STOPPED],
  slurmApi: ['after-drain', `Slurm’s REST API ${AT_CREATION}`],
  os: ['after-drain', `the image of all nodes ${AT_CREATION}`],
  customAmi: ['after-drain', `the image of all nodes ${AT_CREATION}`],
  headNode: ['after-drain', `the head node ${AT_CREATION}`],
  slurmSettings: ['after-drain', `Slurm’s configuration ${AT_CREATION}`],
  cloudWatch: ['in-place'],
  customActions: ['after-drain', `the head node ${AT_CREATION}`],
  s3Mounts: ['after-drain', `what S3 is mounted at ${AT_CREATION}`],
  lustre: [
    'refused',
    'the file system would be replaced: delete the cluster, and make one with other storage',
  ],
} as const satisfies Record<Exclude<keyof ClusterSpec, 'queues' | 'fileSystems'>, Rule>;

const queueRules = {
  capacityType: NEW_NODES,
  defaultTimeSeconds: ['in-place'],
  maxTimeSeconds: ['in-place'],
  maxNodesPerJob: ['in-place'],
  exclusiveNodes: ['in-place'],
} as const satisfies Record<Exclude<keyof Queue, 'name' | 'computeResources' | 'placementGroup'>, Rule>;

const resourceRules = {
  instanceType: ['after-drain', FLEET_STOPPED],
  multithreading: ['after-drain', FLEET_STOPPED],
  efa: NEW_NODES,
  capacityReservation: NEW_NODES,
} as const satisfies Record<Exclude<keyof ComputeResource, 'name' | 'minCount' | 'maxCount'>, Rule>;

/** What it takes to make of one specification the other. */
export function planUpdate(existing: ClusterSpec, asked: ClusterSpec): UpdatePlan {
  const { queues: existingQueues, fileSystems, ...existingRest } = existing;
  const { queues: askedQueues, fileSystems: askedFileSystems, ...askedRest } = asked;
  const changes = [
    ...changesOf(existingRest, askedRest, clusterRules, ''),
    ...fileSystemChanges(fileSystems, askedFileSystems),
    ...changesOfList(existingQueues, askedQueues, 'queues', queueChanges),
  ];
  const [existingHeadNode, headNode] = [existing, asked].map(headNodeInstanceType);
  const isAskedFor = changes.some(({ path }) => path.startsWith('headNode'));
  if (headNode !== existingHeadNode && !isAskedFor)
    changes.push({
      path: 'queues',
      existing: existingHeadNode,
      requested: headNode,
      mode: 'after-drain',
      because: 'so many nodes want another head node, which ParallelCluster does not change',
    });
  // Who is first decides only where jobs go that name no queue, which is up to us.
  const [isOrder, wasOrder] = [askedQueues, existingQueues].map((queues) => queues.map(({ name }) => name));
  if (changes.length === 0 && String(isOrder) !== String(wasOrder))
    changes.push({ path: 'queues', existing: wasOrder, requested: isOrder, mode: 'in-place' });
  return { mode: mostOf(changes), changes };
}

/** ParallelCluster would also unmount from under a job, and fails at another directory for the same file system (3.16.1). */
function fileSystemChanges(
  existing: readonly FileSystemMount[] = [],
  asked: readonly FileSystemMount[] = [],
): SpecChange[] {
  const directoryOf = (list: readonly FileSystemMount[], wanted: string) =>
    list.find(({ id }) => id === wanted)?.mountDirectory;
  const ids = new Set([...existing, ...asked].map(({ id }) => id));
  return [...ids].flatMap((id): SpecChange[] => {
    const [before, after] = [existing, asked].map((list) => directoryOf(list, id));
    if (before === after) return [];
    return [
      {
        path: `fileSystems.${id}`,
        existing: before,
        requested: after,
        ...(before === undefined
          ? { mode: 'in-place' }
          : { mode: 'after-drain', because: 'jobs may use it' }),
      },
    ];
  });
}

function mostOf(changes: readonly SpecChange[]): UpdatePlan['mode'] {
  const most = Math.max(-1, ...changes.map(({ mode }) => updateModes.indexOf(mode)));
  return updateModes[most] ?? 'none';
}

function changesOf(
  existing: object,
  asked: object,
  rules: Readonly<Record<string, Rule>>,
  path: string,
): SpecChange[] {
  return diffSpecs(existing, asked).map((difference) => {
    const [field = ''] = difference.path.split('.');
    const [mode, because] = rules[field] ?? ['refused', `there is no rule for ${field}`];
    return { ...difference, path: `${path}${difference.path}`, mode, ...(because && { because }) };
  });
}

/** Of two lists whose entries are known by their names. */
function changesOfList<T extends { readonly name: string }>(
  existing: readonly T[],
  asked: readonly T[],
  path: string,
  changesOfBoth: (existing: T, asked: T, path: string) => SpecChange[],
): SpecChange[] {
  const changed = asked.flatMap((requested): SpecChange[] => {
    const before = existing.find(({ name }) => name === requested.name);
    const itsPath = `${path}.${requested.name}`;
    return before
      ? changesOfBoth(before, requested, `${itsPath}.`)
      : [{ path: itsPath, existing: undefined, requested, mode: 'in-place' }];
  });
  const removed = existing
    .filter(({ name }) => !asked.some((each) => each.name === name))
    .map((each): SpecChange => ({
      path: `${path}.${each.name}`,
      existing: each,
      requested: undefined,
      mode: 'after-drain',
      because: FLEET_STOPPED,
    }));
  return [...changed, ...removed];
}

function queueChanges(existing: Queue, asked: Queue, path: string): SpecChange[] {
  const { computeResources, placementGroup, ...rest } = existing;
  const { computeResources: askedResources, placementGroup: isGrouped, ...askedRest } = asked;
  const grouping: SpecChange[] =
    placementGroup === isGrouped
      ? []
      : [
          {
            path: `${path}placementGroup`,
            existing: placementGroup,
            requested: isGrouped,
            mode: placementGroup ? 'after-drain' : 'in-place',
            because: placementGroup
              ? 'the placement group can be deleted only while no node may run'
              : (NEW_NODES[1] ?? ''),
          },
        ];
  return [
    ...changesOf(rest, askedRest, queueRules, path),
    ...grouping,
    ...changesOfList(computeResources, askedResources, `${path}computeResources`, resourceChanges),
  ];
}

function resourceChanges(existing: ComputeResource, asked: ComputeResource, path: string): SpecChange[] {
  const { minCount, maxCount, ...rest } = existing;
  const { minCount: askedMin, maxCount: askedMax, ...askedRest } = asked;
  const isGrown = askedMax > maxCount;
  const counts: readonly (readonly [keyof ComputeResource, number, number, boolean])[] = [
    ['maxCount', maxCount, askedMax, isGrown],
    ['minCount', minCount, askedMin, askedMax !== maxCount && askedMax - maxCount >= askedMin - minCount],
  ];
  return [
    ...changesOf(rest, askedRest, resourceRules, path),
    ...counts
      .filter(([, before, after]) => before !== after)
      .map(([field, before, after, isInPlace]): SpecChange => ({
        path: `${path}${field}`,
        existing: before,
        requested: after,
        ...(isInPlace
          ? { mode: 'in-place' }
          : {
              mode: 'after-drain',
              because:
                field === 'maxCount'
                  ? 'ParallelCluster takes nodes away only while none may run'
                  : 'ParallelCluster changes it only while maxCount grows at least as much',
            }),
      })),
  ];
}

/**
 * The specification that has, beside what it has, what a campaign asks for and the cluster lacks: queues that it does not
 * have, and more nodes of compute resources that it has. Undefined where that is no change in place, or not all that is asked
 * for: a queue of that name is of another kind, another head node or Lustre is wanted as well.
 */
export function grownFor(existing: ClusterSpec, asked: ClusterSpec): ClusterSpec | undefined {
  const queues = existing.queues.map((queue) => {
    const wanted = asked.queues.find(({ name }) => name === queue.name);
    return wanted ? withLargerCounts(queue, wanted) : queue;
  });
  const added = asked.queues.filter(({ name }) => !existing.queues.some((queue) => queue.name === name));
  const { fallbackTiers, ...rest } = existing;
  const grown: ClusterSpec = {
    ...rest,
    // A tier's queues with others beside them are no longer that tier, nor is there one that a fallback could take the place of.
    tier: 'custom',
    queues: [...queues, ...added],
    ...(fallbackTiers && added.length === 0 && { fallbackTiers }),
  };
  const isInPlace = planUpdate(existing, grown).mode === 'in-place' && isOfOneArchitecture(grown);
  return isInPlace && coversSpec(grown, asked) ? grown : undefined;
}

/** As ParallelCluster wants it of all nodes of a cluster. */
function isOfOneArchitecture({ queues }: ClusterSpec): boolean {
  const types = queues.flatMap(({ computeResources }) => computeResources);
  return new Set(types.map(({ instanceType }) => architectureOf(instanceType))).size === 1;
}

function withLargerCounts(queue: Queue, wanted: Queue): Queue {
  const computeResources = queue.computeResources.map((resource) => {
    const more = wanted.computeResources.find(({ name }) => name === resource.name);
    return more && more.maxCount > resource.maxCount ? { ...resource, maxCount: more.maxCount } : resource;
  });
  return { ...queue, computeResources };
}
