import { type CampaignJob, endUnsubmitted, isUnsubmitted } from './campaign-job.ts';
import { type Dependency, type DependencyCondition, submissionOrder } from './dependencies.ts';
import { isTerminal, type JobState } from './slurm-states.ts';

/** A job that Slurm can be given now, with what Slurm itself is to wait for. */
export interface SubmittableJob {
  readonly jobKey: string;
  readonly dependencies?: readonly Dependency[];
}

/** How much one submission may hold. */
export interface BatchLimits {
  readonly jobs: number;
  /** Over all of its jobs; one job's alone always fit. */
  readonly dependencies: number;
}

/** What becomes of a dependency: it is over, Slurm can wait for it, Slurm does not know it yet, or it cannot be met. */
type Verdict = 'met' | 'slurm' | 'unknown' | 'unmeetable';

const satisfies: Readonly<Record<DependencyCondition, (end: JobState) => boolean>> = {
  afterok: (end) => end === 'succeeded',
  afterany: () => true,
  afternotok: (end) => end !== 'succeeded',
};

const demands: Readonly<Record<DependencyCondition, string>> = {
  afterok: 'only if that succeeds',
  afterany: 'when that has ended',
  afternotok: 'only if that does not succeed',
};

/**
 * The order in which jobs are given to Slurm, as keys: each after those that it depends on, otherwise as the caller
 * has them. It depends only on keys and dependencies, so it holds for the whole campaign.
 */
export function orderOf(jobs: readonly CampaignJob[]): string[] {
  return submissionOrder(jobs.map(({ key, dependsOn = [] }) => ({ key, dependsOn }))).map(({ key }) => key);
}

/** Ends each waiting job with a dependency that can no longer be met, and so on along its dependents. */
export function endUnmeetable(jobs: CampaignJob[], order: readonly string[], now: string): CampaignJob[] {
  if (jobs.every(({ dependsOn }) => dependsOn === undefined)) return jobs;
  const byKey = new Map(jobs.map((job) => [job.key, job]));
  let isAnyEnded = false;
  for (const key of order) {
    const job = byKey.get(key);
    if (!job?.dependsOn || !isUnsubmitted(job)) continue;
    const unmeetable = job.dependsOn.find((dependency) => judge(dependency, byKey) === 'unmeetable');
    if (!unmeetable) continue;
    isAnyEnded = true;
    const state = byKey.get(unmeetable.key)?.state;
    const reason = `Never submitted: \`${unmeetable.key}\` ended as ${state}, and it was to start ${demands[unmeetable.condition]}.`;
    byKey.set(key, endUnsubmitted(job, { state: 'cancelled', reason, endedAt: now }));
  }
  return isAnyEnded ? jobs.map((job) => byKey.get(job.key) ?? job) : jobs;
}

/**
 * The next jobs for Slurm: those whose dependencies are over, or in Slurm, or before them in the same batch. Without
 * those of `deferred`, for which Slurm did not know a dependency a moment ago.
 */
export function nextBatch(
  jobs: readonly CampaignJob[],
  order: readonly string[],
  deferred: ReadonlySet<string>,
  limits: BatchLimits,
): SubmittableJob[] {
  const byKey = new Map(jobs.map((job) => [job.key, job]));
  const batch = new Map<string, SubmittableJob>();
  let dependencyCount = 0;
  for (const key of order) {
    const job = byKey.get(key);
    if (!job || !isUnsubmitted(job) || deferred.has(key)) continue;
    const dependencies = openDependencies(job, byKey, batch);
    if (!dependencies) continue;
    dependencyCount += dependencies.length;
    if (batch.size > 0 && dependencyCount > limits.dependencies) break;
    batch.set(key, { jobKey: key, ...(dependencies.length > 0 && { dependencies }) });
    if (batch.size === limits.jobs) break;
  }
  return [...batch.values()];
}

/** What Slurm is to wait for; undefined if the job cannot be submitted now. */
function openDependencies(
  { dependsOn = [] }: CampaignJob,
  byKey: ReadonlyMap<string, CampaignJob>,
  batch: ReadonlyMap<string, unknown>,
): Dependency[] | undefined {
  const open: Dependency[] = [];
  for (const dependency of dependsOn) {
    const verdict = batch.has(dependency.key) ? 'slurm' : judge(dependency, byKey);
    if (verdict === 'unknown' || verdict === 'unmeetable') return undefined;
    if (verdict === 'slurm') open.push(dependency);
  }
  return open;
}

function judge({ key, condition }: Dependency, byKey: ReadonlyMap<string, CampaignJob>): Verdict {
  const job = byKey.get(key);
  if (!job || isUnsubmitted(job)) return 'unknown';
  if (!isTerminal(job.state)) return 'slurm';
  return satisfies[condition](job.state) ? 'met' : 'unmeetable';
}

/** How many jobs have not ended and wait for another one that has not ended either. */
export function countWaitingForOthers(jobs: readonly CampaignJob[]): number {
  const open = jobs.filter(({ state }) => !isTerminal(state));
  const dependent = open.filter(({ dependsOn }) => dependsOn !== undefined);
  if (dependent.length === 0) return 0;
  const openKeys = new Set(open.map(({ key }) => key));
  return dependent.filter(({ dependsOn = [] }) => dependsOn.some(({ key }) => openKeys.has(key))).length;
}
