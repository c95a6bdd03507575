import { campaignIdSchema, parseJobComment } from './ids.ts';
import { taskKey } from './job-array.ts';
import { countHosts, type NodeCounts, nodeGroupOf } from './node-groups.ts';
import { COLUMN_SEPARATOR, columnsOf, parseTime } from './slurm-output.ts';
import { distinctRecords, type UsageRecord } from './usage.ts';

/** Columns of sacct, in order (`--format`; times as seconds since 1970, `SLURM_TIME_FORMAT=%s`). */
export const usageColumns =
  'JobIDRaw JobID Submit Start End ElapsedRaw AllocCPUS AllocNodes Partition NodeList Comment'.split(' ');

export interface UsageContext {
  readonly epoch: string;
  /** What was submitted before is an earlier epoch's: all epochs of a tenant share their accounting. */
  readonly sinceSeconds: number;
  /** When accounting was asked. */
  readonly asOfSeconds: number;
  /** Comments of jobs that hold nodes, by their ids: accounting has them only from the end on. */
  readonly comments: ReadonlyMap<string, string>;
}

/**
 * The allocations in lines of the columns above, and how many lines could not be read. Jobs that never started have none.
 * @throws SlurmOutputError naming a line that has other columns.
 */
export function parseUsage(
  output: string,
  context: UsageContext,
): { readonly records: UsageRecord[]; readonly unreadable: number } {
  const lines = output.split('\n').filter((line) => line !== '');
  const rows = lines.map((line) => columnsOf(line, usageColumns.length));
  const readable = rows.filter(isAllocation);
  const records = distinctRecords(readable.flatMap((columns) => recordsOf(columns, context)));
  return { records, unreadable: rows.length - readable.length };
}

function isAllocation(columns: readonly string[]): boolean {
  const [jobId = '', , submit = '', start = '', end = '', elapsed = '', cpus = '', nodes = ''] = columns;
  return (
    [jobId, elapsed, cpus, nodes].every((text) => /^\d+$/.test(text)) &&
    [submit, start, end].every((text) => /^(\d+|[A-Za-z]+)$/.test(text))
  );
}

function recordsOf(columns: readonly string[], context: UsageContext): UsageRecord[] {
  const [
    jobId = '',
    shownId = '',
    submit,
    start = '',
    end = '',
    elapsed,
    cpus,
    nodes,
    queue = '',
    hosts = '',
    comment = '',
  ] = columns;
  const startSeconds = parseTime(start);
  const endSeconds = parseTime(end);
  const isOfEpoch = Number(submit) >= context.sinceSeconds;
  if (startSeconds === undefined || !isOfEpoch || Number(nodes) === 0) return [];
  const ownComment = comment || (endSeconds === undefined ? context.comments.get(jobId) : undefined);
  const job = jobOf(ownComment ?? '', shownId, context);
  const nodeGroups = countHosts(hosts);
  const lengthSeconds = (endSeconds ?? context.asOfSeconds) - startSeconds;
  return [
    {
      jobId,
      queue,
      ...job,
      cpus: Number(cpus),
      nodes: Number(nodes),
      ...(nodeGroups && { nodeGroups }),
      startSeconds,
      ...(endSeconds !== undefined && { endSeconds }),
      // Slurm's elapsed time leaves it out. That of a running job is a moment newer than `asOfSeconds`, never older.
      suspendedSeconds: Math.max(0, lengthSeconds - Number(elapsed)),
    },
  ];
}

/**
 * Our smoke jobs have a comment of ours, too, and belong to no campaign. The comment of a task names its array: which task it is,
 * is behind the underscore of the id that Slurm shows (`JobID`).
 */
function jobOf(
  comment: string,
  shownId: string,
  { epoch }: UsageContext,
): Pick<UsageRecord, 'campaignId' | 'jobKey'> {
  const reference = parseJobComment(comment);
  if (reference?.epoch !== epoch) return {};
  const { campaignId, jobKey } = reference;
  if (!campaignIdSchema.safeParse(campaignId).success) return {};
  const [, index] = /^\d+_(\d+)$/.exec(shownId) ?? [];
  return { campaignId, jobKey: index === undefined ? jobKey : taskKey(jobKey, Number(index)) };
}

/**
 * How many processors a node of each group has, in lines of sinfo with the columns NodeList and CPUs. Of a group whose nodes differ, which ParallelCluster does not make, the most: no job pays for more than its nodes.
 */
export function parseNodeCpus(output: string): NodeCounts {
  const cpusByGroup = new Map<string, number>();
  for (const line of output.split('\n')) {
    const [name, cpus] = line.split(COLUMN_SEPARATOR);
    if (!name || !/^[1-9]\d*$/.test(cpus ?? '')) continue;
    const group = nodeGroupOf(name);
    cpusByGroup.set(group, Math.max(cpusByGroup.get(group) ?? 0, Number(cpus)));
  }
  return Object.fromEntries(cpusByGroup);
}

/** Comments by job id in lines of squeue with the columns JobID and Comment. */
export function parseQueueComments(output: string): Map<string, string> {
  const comments = new Map<string, string>();
  for (const line of output.split('\n')) {
    const [jobId, comment] = line.split(COLUMN_SEPARATOR);
    if (jobId && comment) comments.set(jobId, comment);
  }
  return comments;
}
