import { z } from 'zod';
import { type UsageRecord, type UsageSnapshot } from './usage.ts';

/*
 * The form in which an epoch's usage lies in the control bucket. It outlives releases: a member that is added must be
 * optional, anything else is a new version.
 */

const seconds = z.int().min(0);
const count = z.int().min(0);

/** Job id, processors, nodes, start, end or null while it runs, suspended seconds: some 40 bytes an allocation. */
const allocationSchema = z.tuple([z.string(), count, count, seconds, seconds.nullable(), seconds]);

/** An epoch has few pairs of queue and campaign and many allocations: the pair is written once. */
const groupSchema = z.object({
  queue: z.string(),
  campaignId: z.string().optional(),
  allocations: z.array(allocationSchema),
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
});

export type UsageFile = z.output<typeof usageFileSchema>;

/** The usage of an epoch as it is stored. */
export function usageFileOf(
  { epoch, asOfSeconds, records }: UsageSnapshot,
  rest: Pick<UsageFile, 'final' | 'wholeAsOfSeconds'>,
): UsageFile {
  const groups = new Map<string, UsageFile['groups'][number]>();
  for (const record of records) {
    const { queue, campaignId, jobId, cpus, nodes, startSeconds, endSeconds, suspendedSeconds } = record;
    const key = JSON.stringify([queue, campaignId]);
    const group = groups.get(key) ?? { queue, ...(campaignId && { campaignId }), allocations: [] };
    group.allocations.push([jobId, cpus, nodes, startSeconds, endSeconds ?? null, suspendedSeconds]);
    groups.set(key, group);
  }
  return { version: 1, epoch, asOfSeconds, ...rest, groups: [...groups.values()] };
}

/** The usage in a stored file. */
export function snapshotOf({ epoch, asOfSeconds, groups }: UsageFile): UsageSnapshot {
  return { epoch, asOfSeconds, records: groups.flatMap(recordsOf) };
}

function recordsOf({ queue, campaignId, allocations }: UsageFile['groups'][number]): UsageRecord[] {
  return allocations.map(([jobId, cpus, nodes, startSeconds, endSeconds, suspendedSeconds]) => ({
    jobId,
    queue,
    ...(campaignId !== undefined && { campaignId }),
    cpus,
    nodes,
    startSeconds,
    ...(endSeconds !== null && { endSeconds }),
    suspendedSeconds,
  }));
}
