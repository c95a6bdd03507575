import { z } from 'zod';
import type { NodeCounts } from './node-groups.ts';
import { type UsageRecord, type UsageSnapshot } from './usage.ts';
import { usagePricesSchema } from './usage-prices.ts';

/*
 * The form in which an epoch's usage lies in the control bucket. It outlives releases: a member that is added must be
 * optional, anything else is a new version.
 */

const seconds = z.int().min(0);
const count = z.int().min(0);

/** Job id, processors, nodes, start, end or null while it runs, suspended seconds: some 40 bytes an allocation. */
const allocationSchema = z.tuple([z.string(), count, count, seconds, seconds.nullable(), seconds]);

/** An epoch has few queues, campaigns and sorts of nodes and many allocations: what they share is written once. */
const groupSchema = z.object({
  queue: z.string(),
  campaignId: z.string().optional(),
  /** The group of all of the nodes. This and the next are absent in files of releases before 0.3.0. */
  nodeGroup: z.string().optional(),
  /** In its place where each allocation has nodes of several groups: how many of each. */
  nodeGroups: z.record(z.string(), count).optional(),
  allocations: z.array(allocationSchema),
  /** Of each of the allocations, in their order. Absent of jobs of no campaign, and in files of releases before 0.3.0. */
  jobKeys: z.array(z.string()).optional(),
});

export const usageFileSchema = z.object({
  version: z.literal(1),
  epoch: z.string(),
  /** When accounting was asked, by the clock of the head node. */
  asOfSeconds: seconds,
  /**
   * The last time that slurmctld held nothing back from accounting: what had ended then is in here. Absent if it always
   * held something back.
   */
  wholeAsOfSeconds: seconds.optional(),
  /** Nothing ran any more, and slurmctld held nothing back from accounting: it will not change. */
  final: z.boolean(),
  groups: z.array(groupSchema),
  /** At what prices jobs count. Absent where nobody said them, and in files of releases before 0.3.0. */
  prices: usagePricesSchema.optional(),
});

export type UsageFile = z.output<typeof usageFileSchema>;
type StoredGroup = UsageFile['groups'][number];

/** The usage of an epoch as it is stored. */
export function usageFileOf(
  { epoch, asOfSeconds, records, prices }: UsageSnapshot,
  rest: Pick<UsageFile, 'final' | 'wholeAsOfSeconds'>,
): UsageFile {
  const groups = new Map<string, StoredGroup>();
  for (const record of records) {
    const { queue, campaignId, jobKey, jobId, cpus, nodes, startSeconds, endSeconds, suspendedSeconds } =
      record;
    const shared = { queue, ...(campaignId && { campaignId }), ...storedNodes(record) };
    const key = JSON.stringify([shared, jobKey !== undefined]);
    const group = groups.get(key) ?? {
      ...shared,
      allocations: [],
      ...(jobKey !== undefined && { jobKeys: [] }),
    };
    if (jobKey !== undefined) group.jobKeys?.push(jobKey);
    group.allocations.push([jobId, cpus, nodes, startSeconds, endSeconds ?? null, suspendedSeconds]);
    groups.set(key, group);
  }
  const ofGroups = { groups: [...groups.values()], ...(prices && { prices }) };
  return { version: 1, epoch, asOfSeconds, ...rest, ...ofGroups };
}

function storedNodes({ nodeGroups }: UsageRecord): Pick<StoredGroup, 'nodeGroup' | 'nodeGroups'> {
  if (!nodeGroups) return {};
  const [first, ...others] = Object.keys(nodeGroups).toSorted();
  if (first === undefined) return {};
  if (others.length === 0) return { nodeGroup: first };
  return {
    nodeGroups: Object.fromEntries([first, ...others].map((group) => [group, nodeGroups[group] ?? 0])),
  };
}

function nodesOf({ nodeGroup, nodeGroups }: StoredGroup, nodes: number): NodeCounts | undefined {
  return nodeGroup === undefined ? nodeGroups : { [nodeGroup]: nodes };
}

/** The usage in a stored file. */
export function snapshotOf({ epoch, asOfSeconds, groups, prices }: UsageFile): UsageSnapshot {
  return { epoch, asOfSeconds, records: groups.flatMap(recordsOf), ...(prices && { prices }) };
}

function recordsOf(group: StoredGroup): UsageRecord[] {
  const { queue, campaignId, allocations, jobKeys } = group;
  return allocations.map(([jobId, cpus, nodes, startSeconds, endSeconds, suspendedSeconds], index) => {
    const nodeGroups = nodesOf(group, nodes);
    const jobKey = jobKeys?.[index];
    return {
      jobId,
      queue,
      ...(campaignId !== undefined && { campaignId }),
      ...(jobKey !== undefined && { jobKey }),
      cpus,
      nodes,
      ...(nodeGroups && { nodeGroups }),
      startSeconds,
      ...(endSeconds !== null && { endSeconds }),
      suspendedSeconds,
    };
  });
}
