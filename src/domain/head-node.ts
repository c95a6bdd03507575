import { architectureOf } from './architecture.ts';
import type { HeadNodeSpec } from './cluster-options.ts';
import type { Queue } from './queue.ts';

/** Head nodes of each architecture in the order of their memory, in GiB. */
const headNodes = {
  x86_64: [
    { instanceType: 't3.medium', memoryGibibytes: 4 },
    { instanceType: 't3.large', memoryGibibytes: 8 },
    { instanceType: 't3.xlarge', memoryGibibytes: 16 },
  ],
  arm64: [
    { instanceType: 't4g.medium', memoryGibibytes: 4 },
    { instanceType: 't4g.large', memoryGibibytes: 8 },
    { instanceType: 't4g.xlarge', memoryGibibytes: 16 },
  ],
} as const;

type Queues = readonly Pick<Queue, 'computeResources'>[];

/**
 * The memory, in GiB, that ParallelCluster wants a head node to have for the compute nodes that it manages: 0.6, and 1 more
 * for every 25 nodes, but never more than 16 (`HeadNodeMemorySizeValidator`, aws-parallelcluster 3.16).
 */
export function requiredHeadNodeGibibytes(queues: Queues): number {
  const nodes = queues
    .flatMap(({ computeResources }) => computeResources)
    .reduce((sum, { maxCount }) => sum + maxCount, 0);
  return Math.min(nodes / 25 + 0.6, 16);
}

/** The instance type of the head node of a cluster: the one that was asked for, or the smallest for these queues. */
export function headNodeInstanceType({
  queues,
  headNode,
}: {
  readonly queues: Queues;
  readonly headNode?: HeadNodeSpec | undefined;
}): string {
  if (headNode?.instanceType !== undefined) return headNode.instanceType;
  const [first] = queues.flatMap(({ computeResources }) => computeResources);
  const choice = headNodes[first ? architectureOf(first.instanceType) : 'x86_64'];
  const required = requiredHeadNodeGibibytes(queues);
  return (
    choice.find(({ memoryGibibytes }) => memoryGibibytes >= required)?.instanceType ?? choice[2].instanceType
  );
}
