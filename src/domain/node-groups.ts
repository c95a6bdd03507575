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
