/** A set of equal instances behind a queue, as in ParallelCluster's `ComputeResources`. */
export interface ComputeResource {
  name: string;
  instanceType: string;
  /** ParallelCluster's `MinCount`, of nodes that always run; none if not given. */
  minCount?: number;
  /** ParallelCluster's `MaxCount`, of nodes that there can be. */
  maxCount: number;
}

/** A Slurm partition. */
export interface Queue {
  name: string;
  computeResources: readonly ComputeResource[];
  /** The partition's `MaxTime`, rounded up to whole minutes; unlimited when absent. */
  maxTimeSeconds?: number;
}

/**
 * A custom action as ParallelCluster runs it on the head node: as root, its arguments as argv, once in the node's
 * life. The node is ready only when it exited with 0.
 */
export interface CustomAction {
  /** For messages and logs only. */
  name: string;
  /** An executable file's content: a script with its `#!` line. */
  content: Uint8Array;
  args: readonly string[];
}

/** A folder or file of this machine that the node sees. */
export interface BindMount {
  source: string;
  target: string;
  readOnly: boolean;
}

/** Everything that makes one head node. */
export interface HeadNodeSpec {
  /** At most 60 characters, `[a-zA-Z][a-zA-Z0-9-]*`: ParallelCluster's rule for cluster names. */
  clusterName: string;
  /** Created with uid 1000, key-only ssh, and sudo for everything, e.g. `ec2-user`. */
  adminUser: string;
  /** One line in OpenSSH's format. */
  adminPublicKey: string;
  /** At least one; the first is the default partition. */
  queues: readonly Queue[];
  /** Before any daemon runs. */
  onNodeStart?: readonly CustomAction[];
  /** After all daemons are up. */
  onNodeConfigured: readonly CustomAction[];
  binds?: readonly BindMount[];
  /** Where S3 answers, for nodes that mount buckets. */
  s3EndpointUrl?: string;
  /** `ScaledownIdletime`: after how many minutes without a job dynamic nodes are powered down; 10 if not given. */
  scaledownIdleTimeMinutes?: number;
  /** ParallelCluster's `CustomSlurmSettings`: added to slurm.conf, replacing what the stand-in sets itself. */
  customSlurmSettings?: Readonly<Record<string, string | number>>;
}

/** A spec that no head node can be made from; the message names the field and the rule. */
export class HeadNodeSpecError extends Error {
  override readonly name = 'HeadNodeSpecError';
}

/** ParallelCluster's limits for names: https://docs.aws.amazon.com/parallelcluster/latest/ug/Scheduling-v3.html */
const CLUSTER_NAME = /^[a-zA-Z][a-zA-Z0-9-]{0,59}$/;
const QUEUE_NAME = /^[a-z][a-z0-9-]{0,24}$/;
const COMPUTE_RESOURCE_NAME = /^[a-zA-Z][a-zA-Z0-9-]{0,24}$/;
/** What `useradd` of Debian accepts without complaint. */
const USER_NAME = /^[a-z_][a-z0-9_-]{0,31}$/;
const INSTANCE_TYPE = /^[a-z0-9-]+\.[a-z0-9-]+$/;
const SETTING_NAME = /^[a-zA-Z]+$/;

/**
 * Refuses what would not survive being written into configuration files, where a line break or a space would
 * start another setting.
 *
 * @throws HeadNodeSpecError
 */
export function assertValidSpec(spec: HeadNodeSpec): void {
  match('clusterName', spec.clusterName, CLUSTER_NAME);
  match('adminUser', spec.adminUser, USER_NAME);
  match('s3EndpointUrl', spec.s3EndpointUrl ?? '', /^\S*$/);
  match('adminPublicKey', spec.adminPublicKey.trim(), /^[^\r\n]+$/);
  if (spec.queues.length === 0) throw new HeadNodeSpecError('queues: at least one is needed');
  for (const queue of spec.queues) {
    match('queues.name', queue.name, QUEUE_NAME);
    if (queue.computeResources.length === 0) {
      throw new HeadNodeSpecError(`queues: ${queue.name} has no compute resource`);
    }
    for (const resource of queue.computeResources) {
      match('queues.computeResources.name', resource.name, COMPUTE_RESOURCE_NAME);
      match('queues.computeResources.instanceType', resource.instanceType, INSTANCE_TYPE);
    }
  }
  for (const [key, value] of Object.entries(spec.customSlurmSettings ?? {})) {
    match('customSlurmSettings', key, SETTING_NAME);
    match(`customSlurmSettings.${key}`, String(value), /^[^\r\n]*$/);
  }
}

function match(field: string, value: string, rule: RegExp): void {
  if (!rule.test(value))
    throw new HeadNodeSpecError(`${field}: ${JSON.stringify(value)} does not match ${rule}`);
}
