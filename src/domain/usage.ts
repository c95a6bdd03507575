import type { NodeCounts } from './node-groups.ts';
import { type UsagePrices, usdPerCpuHour } from './usage-prices.ts';

/**
 * One allocation of a job: each run of a requeued job and each task of an array is one of its own, as `sacct
 * --duplicates` lists them. Times are seconds since 1970, as Slurm keeps them.
 */
export interface UsageRecord {
  /** Slurm's id (`JobIDRaw`). The runs of a requeued job share it, and it can be used again within an epoch. */
  readonly jobId: string;
  readonly queue: string;
  /** Absent for jobs that are no campaign's: those of other users, and our own smoke jobs. */
  readonly campaignId?: string;
  /** Of the campaign's job: of a task that of its own. Absent where `campaignId` is, and in records of releases before 0.3.0. */
  readonly jobKey?: string;
  /** Allocated, not asked for: with whole nodes more than the job wanted. */
  readonly cpus: number;
  readonly nodes: number;
  /** The same nodes by their groups. Absent in records of releases before 0.3.0, and where Slurm names none. */
  readonly nodeGroups?: NodeCounts;
  readonly startSeconds: number;
  /** Absent while it runs. */
  readonly endSeconds?: number;
  /** How long of the time between start and end the job was suspended. */
  readonly suspendedSeconds: number;
}

/** What accounting said of one epoch at one moment. */
export interface UsageSnapshot {
  readonly epoch: string;
  /** When accounting was asked, by the clock of the head node, in seconds since 1970. */
  readonly asOfSeconds: number;
  readonly records: readonly UsageRecord[];
  /** Absent where nobody said what the deployment costs. */
  readonly prices?: UsagePrices;
}

/** From the first moment on, up to and without the second; seconds since 1970. */
export interface UsageRange {
  readonly fromSeconds: number;
  readonly toSeconds: number;
}

/** Seconds multiplied by what was allocated: `cpuSeconds` of an hour on 8 processors are 28,800. */
export interface Usage {
  readonly cpuSeconds: number;
  readonly nodeSeconds: number;
  /** Allocations that have a part in it. */
  readonly allocations: number;
  /**
   * US dollars of the nodes, by the processors that were allocated (see `usdPerCpuHour`). Only of what has a price; absent
   * where nothing of it has.
   */
  readonly costUsd?: number;
  /** How many of the allocations have no price. Absent where all have one. */
  readonly unpricedAllocations?: number;
}

export interface QueueUsage extends Usage {
  readonly queue: string;
}

export interface CampaignUsage extends Usage {
  /** Absent for what belongs to no campaign. */
  readonly campaignId?: string;
}

export interface JobUsage extends Usage {
  /** Absent for what releases before 0.3.0 recorded. */
  readonly jobKey?: string;
}

export interface CampaignUsageReport {
  readonly total: Usage;
  /** In the order of their keys; a job that has not started has none. */
  readonly perJob: readonly JobUsage[];
}

export interface UsageReport {
  readonly total: Usage;
  /** By name. */
  readonly perQueue: readonly QueueUsage[];
  /** The largest first. */
  readonly perCampaign: readonly CampaignUsage[];
}

/**
 * What the epochs of a tenant used within a range. An allocation counts with the part of it that lies in the range; one
 * that runs, up to the moment at which accounting was asked: what it does after that is not known.
 *
 * As in `sreport`, whose sums a test compares, a suspended job uses no processors, and holds its nodes, which EC2 bills
 * (slurmdbd takes suspended time away from processors only: `_add_tres_time_2_list`, as_mysql_rollup.c). Jobs that share
 * a node each count it. Accounting tells only how long a job was suspended, not when: of an allocation that reaches
 * out of the range, the suspended time is shared out evenly.
 */
export function reportUsage(snapshots: readonly UsageSnapshot[], range: UsageRange): UsageReport {
  const total = new Sum();
  const perQueue = new Map<string, Sum>();
  const perCampaign = new Map<string | undefined, Sum>();
  for (const snapshot of snapshots) {
    for (const record of distinctRecords(snapshot.records)) {
      const part = partWithin(record, snapshot, range);
      if (part === undefined) continue;
      total.add(part);
      sumOf(perQueue, record.queue).add(part);
      sumOf(perCampaign, record.campaignId).add(part);
    }
  }
  return {
    total: total.usage(),
    perQueue: [...perQueue]
      .map(([queue, sum]) => ({ queue, ...sum.usage() }))
      .toSorted((a, b) => compareText(a.queue, b.queue)),
    perCampaign: [...perCampaign]
      .map(([campaignId, sum]) => ({ ...(campaignId !== undefined && { campaignId }), ...sum.usage() }))
      .toSorted((a, b) => b.cpuSeconds - a.cpuSeconds || compareText(a.campaignId ?? '', b.campaignId ?? '')),
  };
}

/** What the jobs of a campaign used, from the first moment on: all runs of a requeued job together. */
export function reportCampaignUsage(snapshot: UsageSnapshot, campaignId: string): CampaignUsageReport {
  const total = new Sum();
  const perJob = new Map<string | undefined, Sum>();
  for (const record of distinctRecords(snapshot.records)) {
    if (record.campaignId !== campaignId) continue;
    const part = partWithin(record, snapshot, { fromSeconds: 0, toSeconds: Infinity });
    if (part === undefined) continue;
    total.add(part);
    sumOf(perJob, record.jobKey).add(part);
  }
  return {
    total: total.usage(),
    perJob: [...perJob]
      .map(([jobKey, sum]) => ({ ...(jobKey !== undefined && { jobKey }), ...sum.usage() }))
      .toSorted((a, b) => compareText(a.jobKey ?? '', b.jobKey ?? '')),
  };
}

/** Several usages together. */
export function sumUsage(usages: readonly Usage[]): Usage {
  const sum = new Sum();
  for (const usage of usages) sum.add(usage);
  return sum.usage();
}

/**
 * Each allocation once, the later word about it winning: one that runs can have ended in a record that was read a
 * moment later. The id alone does not tell them apart, the start does: a job cannot start twice in a second.
 */
export function distinctRecords(records: readonly UsageRecord[]): UsageRecord[] {
  const distinct = new Map<string, UsageRecord>();
  for (const record of records) {
    const key = identityOf(record);
    const known = distinct.get(key);
    if (known?.endSeconds === undefined || record.endSeconds !== undefined) distinct.set(key, record);
  }
  return [...distinct.values()];
}

/**
 * What is known after accounting was asked again. What had ended and is not shown was not asked for again, or purged from
 * accounting (`PurgeJobAfter` of slurmdbd.conf), and is kept. What ran and is no longer shown is a job that slurmctld
 * has lost: nobody knows how long it ran, and it is dropped.
 */
export function mergeUsage(
  before: readonly UsageRecord[],
  now: readonly UsageRecord[],
): readonly UsageRecord[] {
  return distinctRecords([...before.filter(({ endSeconds }) => endSeconds !== undefined), ...now]);
}

/** Whether something may still run, so that the usage is not final. */
export function isAnyRunning(records: readonly UsageRecord[]): boolean {
  return records.some(({ endSeconds }) => endSeconds === undefined);
}

function identityOf({ jobId, startSeconds }: UsageRecord): string {
  return `${jobId} ${startSeconds}`;
}

/** What an allocation used within the range; undefined if nothing. */
function partWithin(
  record: UsageRecord,
  { asOfSeconds, prices }: UsageSnapshot,
  { fromSeconds, toSeconds }: UsageRange,
): Usage | undefined {
  const { cpus, nodes, startSeconds, endSeconds, suspendedSeconds } = record;
  const end = endSeconds ?? asOfSeconds;
  const lengthSeconds = end - startSeconds;
  const overlapSeconds = Math.min(end, toSeconds) - Math.max(startSeconds, fromSeconds);
  // Slurm counts whole seconds: a job that took less than one was there all the same.
  const isMoment = endSeconds === startSeconds && startSeconds >= fromSeconds && startSeconds < toSeconds;
  if (isMoment) return { cpuSeconds: 0, nodeSeconds: 0, allocations: 1, ...costOf(record, 0, prices) };
  if (lengthSeconds <= 0 || overlapSeconds <= 0) return undefined;
  const ranSeconds = Math.max(0, lengthSeconds - suspendedSeconds);
  const cpuSeconds = (cpus * overlapSeconds * ranSeconds) / lengthSeconds;
  return {
    cpuSeconds,
    nodeSeconds: nodes * overlapSeconds,
    allocations: 1,
    ...costOf(record, cpuSeconds, prices),
  };
}

function costOf(
  { nodeGroups }: UsageRecord,
  cpuSeconds: number,
  prices: UsagePrices | undefined,
): Pick<Usage, 'costUsd' | 'unpricedAllocations'> {
  const perCpuHour = nodeGroups && prices && usdPerCpuHour(nodeGroups, prices);
  return perCpuHour === undefined
    ? { unpricedAllocations: 1 }
    : { costUsd: (cpuSeconds * perCpuHour) / 3600 };
}

/** Fractions come from shared suspended time only, and are rounded once, at the end. */
class Sum {
  private cpuSeconds = 0;
  private nodeSeconds = 0;
  private allocations = 0;
  private costUsd = 0;
  private unpricedAllocations = 0;

  add({ cpuSeconds, nodeSeconds, allocations, costUsd = 0, unpricedAllocations = 0 }: Usage): void {
    this.cpuSeconds += cpuSeconds;
    this.nodeSeconds += nodeSeconds;
    this.allocations += allocations;
    this.costUsd += costUsd;
    this.unpricedAllocations += unpricedAllocations;
  }

  usage(): Usage {
    const { cpuSeconds, nodeSeconds, allocations, costUsd, unpricedAllocations } = this;
    const isAnyUnpriced = unpricedAllocations > 0;
    return {
      cpuSeconds: Math.round(cpuSeconds),
      nodeSeconds,
      allocations,
      ...(!(isAnyUnpriced && unpricedAllocations === allocations) && { costUsd }),
      ...(isAnyUnpriced && { unpricedAllocations }),
    };
  }
}

function sumOf<Key>(sums: Map<Key, Sum>, key: Key): Sum {
  const known = sums.get(key);
  if (known) return known;
  const sum = new Sum();
  sums.set(key, sum);
  return sum;
}

/** By code unit, the same everywhere. */
function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
