import type { ComputeResource, Queue } from './queue.ts';

/**
 * Nodes by group: how many of each compute resource, static and dynamic ones apart. A group is what the names of its nodes
 * begin with: ParallelCluster calls them `<queue>-<st or dy>-<compute resource>-<number>`.
 */
export type NodeCounts = Readonly<Record<string, number>>;

/** The group of a node; its whole name where it has no number. */
export function nodeGroupOf(nodeName: string): string {
  return nodeName.replace(/-\d+$/, '');
}

/** How many of these nodes, which may come more than once, are in each group. In the order of the names. */
export function countByGroup(nodeNames: Iterable<string>): NodeCounts {
  const counts = new Map<string, number>();
  for (const name of [...new Set(nodeNames)].toSorted()) {
    const group = nodeGroupOf(name);
    counts.set(group, (counts.get(group) ?? 0) + 1);
  }
  return Object.fromEntries(counts);
}

const HOST = String.raw`[\w.-]+(?:\[\d[\d,-]*\])?`;
const HOST_LIST = new RegExp(`^${HOST}(?:,${HOST})*$`);

/** How many nodes of each group Slurm means by a list of hosts: `mpi-dy-c7a-[1-3,7],mpi-st-c7a-1`. Undefined if it is none. */
export function countHosts(hostList: string): NodeCounts | undefined {
  if (!HOST_LIST.test(hostList)) return undefined;
  const counts = new Map<string, number>();
  for (const [, name = '', numbers] of hostList.matchAll(/([\w.-]+)(?:\[([\d,-]+)\])?/g)) {
    const count = numbers === undefined ? 1 : countNumbers(numbers);
    const group = numbers === undefined ? nodeGroupOf(name) : name.replace(/-$/, '');
    counts.set(group, (counts.get(group) ?? 0) + count);
  }
  return Object.fromEntries(counts);
}

/** How many numbers are in `1-3,7`. */
function countNumbers(ranges: string): number {
  return ranges.split(',').reduce((count, range) => {
    const [first, last = first] = range.split('-').map(Number);
    return count + (last ?? 0) - (first ?? 0) + 1;
  }, 0);
}

/** The groups of a compute resource: of its static nodes, and of its dynamic ones. */
export function groupsOf(
  queue: Pick<Queue, 'name'>,
  resource: Pick<ComputeResource, 'name'>,
): { readonly fixed: string; readonly dynamic: string } {
  return {
    fixed: `${queue.name}-st-${resource.name}`,
    dynamic: `${queue.name}-dy-${resource.name}`,
  };
}
