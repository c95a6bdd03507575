import { architectureOf } from './architecture.ts';
import type { ClusterOptions } from './cluster-options.ts';
import { headNodeInstanceType, requiredHeadNodeGibibytes } from './head-node.ts';
import { instanceTypes } from './instance-types.ts';
import type { LustreSpec } from './lustre.ts';
import { DEFAULT_OPERATING_SYSTEM, withoutOfficialImage } from './operating-systems.ts';
import { MAX_TEMPLATE_BODY_BYTES } from './outer-stack.ts';
import { type Issue, queueIssues } from './queue-rules.ts';
import type { Queue } from './queue.ts';
import type { SlurmApiSpec } from './slurm-api-spec.ts';
import { templateBytes } from './template-size.ts';

/*
 * What ParallelCluster would refuse only when the cluster is being made, as far as it depends on the specification and on
 * EC2's data of instance types alone. The names of its validators are those of aws-parallelcluster 3.16; a contract
 * test holds what passes here against them. What depends on an account (quotas, zones, what an id stands for) is not here.
 */

/** ParallelCluster's limit on compute resources of a whole cluster (`MAX_NUMBER_OF_COMPUTE_RESOURCES_PER_CLUSTER`). */
const MAX_COMPUTE_RESOURCES = 50;

export interface CheckedSpec extends ClusterOptions {
  /** Undefined where they are yet to be planned. */
  readonly queues: readonly Queue[] | undefined;
  readonly lustre?: LustreSpec | undefined;
  readonly slurmApi?: SlurmApiSpec | undefined;
}

/** Everything that is wrong with a specification whose fields are each as they should be. */
export function specIssues(spec: CheckedSpec): Issue[] {
  const queues = spec.queues ?? [];
  return [
    ...imageIssues(spec),
    ...queueIssues(queues, spec),
    ...countIssues(queues),
    ...architectureIssues(spec),
    ...headNodeIssues(spec),
    ...s3MountIssues(spec),
  ];
}

/** `OsCustomAmiValidator` */
function imageIssues({ os = DEFAULT_OPERATING_SYSTEM, customAmi }: CheckedSpec): Issue[] {
  if (customAmi !== undefined || !withoutOfficialImage.includes(os)) return [];
  return [
    { path: ['os'], message: `there is no image of ParallelCluster for ${os}: give customAmi as well` },
  ];
}

/** Mountpoint comes with the image, or from the repository of Amazon Linux 2023, the only one that nodes reach. */
function s3MountIssues({ s3Mounts, lustre, customAmi, os = DEFAULT_OPERATING_SYSTEM }: CheckedSpec): Issue[] {
  if (!s3Mounts) return [];
  const path = ['s3Mounts'];
  if (lustre)
    return [{ path, message: 'is for clusters without Lustre, which has the same folders: leave one out' }];
  if (os === DEFAULT_OPERATING_SYSTEM || customAmi !== undefined) return [];
  return [
    {
      path,
      message: `${os} has no package of Mountpoint: give a customAmi that has it, or use ${DEFAULT_OPERATING_SYSTEM}`,
    },
  ];
}

/** `MaxCountValidator` */
function countIssues(queues: readonly Queue[]): Issue[] {
  const total = queues.reduce((sum, { computeResources }) => sum + computeResources.length, 0);
  if (total <= MAX_COMPUTE_RESOURCES) return [];
  const message = `ParallelCluster allows ${MAX_COMPUTE_RESOURCES} compute resources in a cluster, these are ${total}`;
  return [{ path: ['queues'], message }];
}

/** `InstanceArchitectureCompatibilityValidator`: all nodes run the same programs. */
function architectureIssues({ queues, headNode }: CheckedSpec): Issue[] {
  const first = queues?.[0]?.computeResources[0]?.instanceType;
  // The planner chooses among types of x86_64.
  const wanted = first === undefined ? 'x86_64' : architectureOf(first);
  const because = first === undefined ? 'as needs are planned' : `like ${first}`;
  const ofNodes = (queues ?? []).flatMap(({ computeResources }, index) =>
    computeResources.map(({ instanceType }, position) => ({
      path: ['queues', index, 'computeResources', position, 'instanceType'],
      instanceType,
    })),
  );
  const ofHeadNode = headNode?.instanceType
    ? [{ path: ['headNode', 'instanceType'], instanceType: headNode.instanceType }]
    : [];
  return [...ofNodes, ...ofHeadNode].flatMap(({ path, instanceType }) => {
    const architecture = architectureOf(instanceType);
    if (architecture === wanted) return [];
    return [{ path, message: `${instanceType} is ${architecture}; all nodes must be ${wanted}, ${because}` }];
  });
}

/**
 * CloudFormation's own limit, of a specification that is right in everything else: what exceeds it would fail only after
 * subnet and keys are there.
 */
export function sizeIssues({ queues, slurmApi, lustre, ...options }: CheckedSpec): Issue[] {
  if (!queues) return [];
  const times = { idleTimeoutSeconds: 0, maxLifetimeSeconds: 0 };
  const storage = { ...(slurmApi && { slurmApi }), ...(lustre && { lustre }) };
  const bytes = templateBytes({ ...options, ...storage, ...times, tier: 'custom', queues });
  if (bytes <= MAX_TEMPLATE_BODY_BYTES) return [];
  const message = `are too much for one CloudFormation template (${bytes} of ${MAX_TEMPLATE_BODY_BYTES} bytes): use fewer queues, or fewer scripts on their nodes`;
  return [{ path: ['queues'], message }];
}

/** `InstanceTypeValidator`, `HeadNodeMemorySizeValidator` */
function headNodeIssues({ queues, headNode }: CheckedSpec): Issue[] {
  if (headNode?.instanceType === undefined) return [];
  const { instanceType } = headNode;
  const path = ['headNode', 'instanceType'];
  const type = instanceTypes[instanceType];
  if (!type) return [{ path, message: `${instanceType} is no instance type that this release knows` }];
  const required = requiredHeadNodeGibibytes(queues ?? []);
  const gibibytes = type.memoryMebibytes / 1024;
  if (gibibytes >= required) return [];
  const smallest = headNodeInstanceType({ queues: queues ?? [] });
  const message = `has ${gibibytes} GiB of memory; for so many nodes it must have ${required.toFixed(1)}, as ${smallest} has`;
  return [{ path, message }];
}
