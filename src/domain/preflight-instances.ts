import { lustreInterfaces } from './lustre.ts';
import type { ClusterSpec } from './cluster-spec.ts';
import { headNodeInstanceType } from './head-node.ts';
import type { PreflightCheck } from './preflight.ts';
import type { Queue } from './queue.ts';

type CapacityType = Queue['capacityType'];

/** What EC2 says of an instance type (DescribeInstanceTypes). */
export interface InstanceTypeFacts {
  readonly vcpus: number;
  /** ParallelCluster gives a node one network interface for each card. */
  readonly networkCards: number;
}

export type InstanceTypeTable = ReadonlyMap<string, InstanceTypeFacts>;

/** Nodes of one instance type. */
interface NodeGroup {
  readonly instanceType: string;
  readonly capacityType: CapacityType;
  /** Started with the cluster. */
  readonly staticNodes: number;
  readonly mostNodes: number;
}

function nodeGroups(spec: Pick<ClusterSpec, 'queues' | 'headNode'>): readonly NodeGroup[] {
  const headNode: NodeGroup = {
    instanceType: headNodeInstanceType(spec),
    capacityType: 'ONDEMAND',
    staticNodes: 1,
    mostNodes: 1,
  };
  const nodes = spec.queues.flatMap(({ capacityType, computeResources }) =>
    computeResources.map(({ instanceType, minCount, maxCount }) => ({
      instanceType,
      capacityType,
      staticNodes: minCount,
      mostNodes: maxCount,
    })),
  );
  return [headNode, ...nodes];
}

/** Every instance type of a cluster, its head node's first, each once. */
export function instanceTypesOf(spec: Pick<ClusterSpec, 'queues' | 'headNode'>): readonly string[] {
  return [...new Set(nodeGroups(spec).map(({ instanceType }) => instanceType))];
}

/** Whether EC2 has all instance types in the zone (DescribeInstanceTypeOfferings). */
export function judgeOfferings(
  spec: Pick<ClusterSpec, 'queues' | 'headNode'>,
  zone: string,
  offered: ReadonlySet<string>,
): PreflightCheck {
  const missing = instanceTypesOf(spec).filter((instanceType) => !offered.has(instanceType));
  if (missing.length === 0)
    return { name: 'instance-types', outcome: 'ok', cause: `${zone} has all instance types.` };
  return {
    name: 'instance-types',
    outcome: 'failed',
    cause: `EC2 does not offer ${missing.join(', ')} in ${zone}`,
    nextStep: 'Ask for other instance types, or give the pool subnets in a zone that has them',
  };
}

/**
 * EC2's quotas on vCPUs: classes of instance families, each with a code for what runs on demand and one for spot
 * (Service Quotas, service `ec2`; EC2 User Guide, "Amazon EC2 service quotas"). Other families are not judged.
 */
const vcpuQuotas = [
  {
    families: /^(?:[acdimrtz]|h(?!pc))\d|^(?:mac|im|is|hs)\d/,
    label: 'Standard (A, C, D, H, I, M, R, T, Z)',
    ONDEMAND: 'L-1216C47A',
    SPOT: 'L-34B43A08',
  },
  { families: /^hpc\d/, label: 'HPC', ONDEMAND: 'L-F7808C92', SPOT: undefined },
  { families: /^(?:g|gr|vt)\d/, label: 'G and VT', ONDEMAND: 'L-DB2E81BA', SPOT: 'L-3819A6DF' },
  { families: /^p\d/, label: 'P', ONDEMAND: 'L-417A185B', SPOT: 'L-7212CCBC' },
] as const;

/** The quota that instances of a type count against; undefined for families that are not judged. */
export function vcpuQuotaOf(
  instanceType: string,
  capacityType: CapacityType,
): { readonly code: string; readonly label: string } | undefined {
  const quota = vcpuQuotas.find(({ families }) => families.test(instanceType));
  const code = quota?.[capacityType];
  if (!quota || !code) return undefined;
  return { code, label: `${quota.label} ${capacityType === 'SPOT' ? 'spot' : 'on-demand'} vCPUs` };
}

/** A running instance of the account, whoever started it. */
export interface RunningInstances {
  readonly instanceType: string;
  readonly capacityType: CapacityType;
  readonly count: number;
}

export interface QuotaFacts {
  readonly types: InstanceTypeTable;
  /** vCPUs by quota code. */
  readonly limits: ReadonlyMap<string, number>;
  readonly running: readonly RunningInstances[];
}

interface Demand {
  readonly label: string;
  /** Head node, static nodes, and one node of each compute resource. */
  least: number;
  most: number;
}

/**
 * Whether the account may start the cluster beside all that runs. Needed are the head node, all static nodes, and one node
 * of each compute resource: with less a queue could run nothing. Room for fewer nodes than the queues may have is said, and
 * keeps nobody from a cluster: its jobs then wait for each other, as they do in Slurm anyhow.
 */
export function judgeVcpus(
  spec: Pick<ClusterSpec, 'queues' | 'headNode'>,
  facts: QuotaFacts,
): PreflightCheck {
  const name = 'vcpu-quota';
  const demands = new Map<string, Demand>();
  const unjudged = new Set<string>();
  for (const group of nodeGroups(spec)) {
    const quota = vcpuQuotaOf(group.instanceType, group.capacityType);
    const vcpus = facts.types.get(group.instanceType)?.vcpus;
    if (!quota || vcpus === undefined || !facts.limits.has(quota.code)) {
      unjudged.add(group.instanceType);
      continue;
    }
    const demand = demands.get(quota.code) ?? { label: quota.label, least: 0, most: 0 };
    demand.least += Math.max(1, group.staticNodes) * vcpus;
    demand.most += group.mostNodes * vcpus;
    demands.set(quota.code, demand);
  }
  const used = usedVcpus(facts);
  const failed: string[] = [];
  const said: string[] = [];
  for (const [code, { label, least, most }] of demands) {
    const limit = facts.limits.get(code) ?? 0;
    const free = Math.max(0, limit - (used.get(code) ?? 0));
    const room = `${label} (${code}): ${free} of ${limit} are free`;
    if (least > free) failed.push(`${room}, the cluster needs ${least} at least`);
    else said.push(most > free ? `${room}, the queues may ask for ${most}: jobs will wait` : room);
  }
  if (failed.length > 0) {
    return {
      name,
      outcome: 'failed',
      cause: failed.join('; '),
      nextStep: 'Ask AWS for a higher quota (Service Quotas, Amazon EC2), or for fewer or smaller nodes',
    };
  }
  if (unjudged.size > 0) {
    return {
      name,
      outcome: 'unknown',
      cause: `Service Quotas names no limit for ${[...unjudged].join(', ')}`,
      nextStep: 'Look at the quotas of Amazon EC2 in the console if nodes do not start',
    };
  }
  return { name, outcome: 'ok', cause: said.join('; ') };
}

function usedVcpus({ running, types }: QuotaFacts): ReadonlyMap<string, number> {
  const used = new Map<string, number>();
  for (const { instanceType, capacityType, count } of running) {
    const code = vcpuQuotaOf(instanceType, capacityType)?.code;
    if (code === undefined) continue;
    used.set(code, (used.get(code) ?? 0) + count * (types.get(instanceType)?.vcpus ?? 0));
  }
  return used;
}

/**
 * Whether the subnet has an address for every network interface that the cluster may have: those of all its nodes at the
 * most, and of its Lustre file system.
 */
export function judgeAddresses(
  spec: Pick<ClusterSpec, 'queues' | 'headNode' | 'lustre'>,
  subnet: { readonly subnetId: string; readonly availableAddresses: number },
  types: InstanceTypeTable,
): PreflightCheck {
  const nodes = nodeGroups(spec).reduce(
    (sum, { instanceType, mostNodes }) => sum + mostNodes * (types.get(instanceType)?.networkCards ?? 1),
    0,
  );
  const needed = nodes + lustreInterfaces(spec.lustre?.sizeGibibytes);
  const { subnetId, availableAddresses } = subnet;
  const cause = `${subnetId} has ${availableAddresses} free addresses, the cluster needs up to ${needed}`;
  if (needed <= availableAddresses) return { name: 'addresses', outcome: 'ok', cause };
  return {
    name: 'addresses',
    outcome: 'failed',
    cause,
    nextStep: 'Ask for fewer nodes, or give the pool larger subnets',
  };
}
