import type { Queue } from './queue.ts';

/**
 * Head nodes in the order of their memory. For the compute nodes that they manage ParallelCluster wants 0.6 GiB of memory and 1 GiB more for
 * every 25 nodes, but never more than 16 (`HeadNodeMemorySizeValidator`, aws-parallelcluster 3.16).
 */
const headNodes = [
  { instanceType: 't3.medium', memoryGibibytes: 4 },
  { instanceType: 't3.large', memoryGibibytes: 8 },
] as const;
const LARGEST_HEAD_NODE = 't3.xlarge';

/** The instance type of the head node of a cluster with these queues. */
export function headNodeInstanceType(queues: readonly Pick<Queue, 'computeResources'>[]): string {
  const nodes = queues
    .flatMap(({ computeResources }) => computeResources)
    .reduce((sum, { maxCount }) => sum + maxCount, 0);
  const requiredGibibytes = nodes / 25 + 0.6;
  const smallest = headNodes.find(({ memoryGibibytes }) => memoryGibibytes >= requiredGibibytes);
  return smallest?.instanceType ?? LARGEST_HEAD_NODE;
}
