import { HeadNodeSpecError } from './head-node-spec.ts';
import type { Queue } from './head-node-spec.ts';

/** One real `slurmd` with a hostname of its own. */
export interface ComputeNode {
  /** As ParallelCluster names dynamic nodes: `<queue>-dy-<compute resource>-<number>`. */
  name: string;
  queue: string;
  computeResource: string;
  instanceType: string;
  /** All nodes of a cluster share one address, so each has a port of its own. */
  port: number;
}

/** Each `slurmd` is a process on the developer's own machine. */
const MAX_NODES_PER_CLUSTER = 8;
const MAX_NODES_PER_COMPUTE_RESOURCE = 2;
/** 6817 to 6820 are Slurm's own default ports; slurmd's is 6818. */
const FIRST_PORT = 6818;
const FURTHER_PORTS_FROM = 6821;

/**
 * The nodes that stand for these queues: first one for each queue, then one for each compute resource, then second
 * ones, until eight are there.
 *
 * @throws HeadNodeSpecError for more queues than nodes: a partition without nodes would keep jobs waiting for ever.
 */
export function planComputeNodes(queues: readonly Queue[]): ComputeNode[] {
  if (queues.length > MAX_NODES_PER_CLUSTER) {
    throw new HeadNodeSpecError(
      `queues: ${queues.length} are too many, the embedded stack has ${MAX_NODES_PER_CLUSTER} nodes per cluster`,
    );
  }
  return queues
    .flatMap(candidates)
    .toSorted((one, other) => one.rank - other.rank)
    .slice(0, MAX_NODES_PER_CLUSTER)
    .map(({ node }, index) => ({ ...node, port: index === 0 ? FIRST_PORT : FURTHER_PORTS_FROM + index - 1 }));
}

interface Candidate {
  rank: number;
  node: Omit<ComputeNode, 'port'>;
}

function candidates(queue: Queue): Candidate[] {
  return queue.computeResources.flatMap((resource, resourceIndex) => {
    const count = Math.min(resource.maxCount, MAX_NODES_PER_COMPUTE_RESOURCE);
    return Array.from({ length: count }, (_, nodeIndex) => ({
      rank: nodeIndex * 2 + Math.min(resourceIndex, 1),
      node: {
        name: `${queue.name}-dy-${resource.name}-${nodeIndex + 1}`,
        queue: queue.name,
        computeResource: resource.name,
        instanceType: resource.instanceType,
      },
    }));
  });
}
