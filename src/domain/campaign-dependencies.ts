import { type CampaignJob, endUnsubmitted, isUnsubmitted } from './campaign-job.ts';
import { type Dependency, type DependencyCondition, submissionOrder } from './dependencies.ts';
import { formatIndexes, submissionKeyOf } from './job-array.ts';
import { isTerminal, type JobState } from './slurm-states.ts';

/** A job or array that Slurm can be given now, with what Slurm itself is to wait for. */
export interface SubmittableJob {
  readonly jobKey: string;
  /** Of an array: the tasks that are still wanted. */
  readonly indexes?: string;
  readonly dependencies?: readonly Dependency[];
}

/** How much one submission may hold. */
export interface BatchLimits {
  /** An array is one. */
  readonly jobs: number;
  /** Over all of its jobs; one job's alone always fit. */
  readonly dependencies: number;
}

/** What becomes of a dependency: it is over, Slurm can wait for it, Slurm does not know it yet, or it cannot be met. */
type Verdict = 'met' | 'slurm' | 'unknown' | 'unmeetable';

/** By how a job ended, or all tasks of an array: it is not ok when one of them is not (as slurmctld's job_mgr.c has it). */
const satisfies: Readonly<Record<DependencyCondition, (ends: readonly JobState[]) => boolean>> = {
  afterok: (ends) => ends.every((end) => end === 'succeeded'),
  afterany: () => true,
  afternotok: (ends) => ends.some((end) => end !== 'succeeded'),
};

/** What a condition asks for, in words. */
export const demands: Readonly<Record<DependencyCondition, string>> = {
  afterok: 'only if that succeeds',
  afterany: 'when that has ended',
  afternotok: 'only if that does not succeed',
};

/** Whether a dependency is met by how that ended which it is on. */
export function isMetBy(condition: DependencyCondition, ends: readonly JobState[]): boolean {
  return satisfies[condition](ends);
}

/** The jobs that each name of a campaign stands for: a key for one, the key of an array for all of its tasks. */
export type JobsByName = ReadonlyMap<string, readonly CampaignJob[]>;

export function jobsByName(jobs: readonly CampaignJob[]): JobsByName {
  const arrays = Map.groupBy(jobs, submissionKeyOf);
  return new Map([...jobs.map((job): [string, CampaignJob[]] => [job.key, [job]]), ...arrays]);
}

/**
 * The order in which jobs and arrays are given to Slurm, as keys: each after those that it depends on, otherwise as the
 * caller has them. It depends only on keys and dependencies, so it holds for the whole campaign.
 */
export function orderOf(jobs: readonly CampaignJob[]): string[] {
  const submissionOf = new Map(jobs.map((job) => [job.key, submissionKeyOf(job)]));
  const submissions = new Map(
    jobs.map((job) => {
      const dependsOn = (job.dependsOn ?? []).map((dependency) => ({
        ...dependency,
        key: submissionOf.get(dependency.key) ?? dependency.key,
      }));
      return [submissionKeyOf(job), { key: submissionKeyOf(job), dependsOn }];
    }),
  );
  return submissionOrder([...submissions.values()]).map(({ key }) => key);
}

/** Ends each waiting job with a dependency that can no longer be met, and so on along its dependents. */
export function endUnmeetable(jobs: CampaignJob[], order: readonly string[], now: string): CampaignJob[] {
  if (jobs.every(({ dependsOn }) => dependsOn === undefined)) return jobs;
  const byName = new Map(jobsByName(jobs));
  const judge = judgeBy(byName);
  let isAnyEnded = false;
  for (const name of order) {
    const submission = byName.get(name) ?? [];
    const unmeetable = submission
      .find(isUnsubmitted)
      ?.dependsOn?.find((dependency) => judge(dependency) === 'unmeetable');
    if (!unmeetable) continue;
    isAnyEnded = true;
    const reason = `Never submitted: ${endInWords(unmeetable, byName)}, and it was to start ${demands[unmeetable.condition]}.`;
    const after = submission.map((job) =>
      isUnsubmitted(job) ? endUnsubmitted(job, { state: 'cancelled', reason, endedAt: now }) : job,
    );
    for (const job of after) byName.set(job.key, [job]);
    byName.set(name, after);
  }
  return isAnyEnded ? jobs.map((job) => byName.get(job.key)?.[0] ?? job) : jobs;
}

function endInWords({ key }: Dependency, byName: JobsByName): string {
  const jobs = byName.get(key) ?? [];
  if (jobs.length === 1) return `\`${key}\` ended as ${jobs[0]?.state}`;
  const succeeded = jobs.filter(({ state }) => state === 'succeeded').length;
  return `of the ${jobs.length} tasks of \`${key}\` ${succeeded} succeeded`;
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
  const byName = jobsByName(jobs);
  const judge = judgeBy(byName);
  const submissionOf = new Map(jobs.map((job) => [job.key, submissionKeyOf(job)]));
  const batch = new Map<string, SubmittableJob>();
  const isInBatch = ({ key }: Dependency) => batch.has(submissionOf.get(key) ?? key);
  let dependencyCount = 0;
  for (const key of order) {
    if (deferred.has(key)) continue;
    const [first, ...others] = (byName.get(key) ?? []).filter(isUnsubmitted);
    if (!first) continue;
    const dependencies = openDependencies(first, (dependency) =>
      isInBatch(dependency) ? 'slurm' : judge(dependency),
    );
    if (!dependencies) continue;
    dependencyCount += dependencies.length;
    if (batch.size > 0 && dependencyCount > limits.dependencies) break;
    const indexes = [first, ...others].flatMap(({ arrayTaskId }) => arrayTaskId ?? []);
    batch.set(key, {
      jobKey: key,
      ...(indexes.length > 0 && { indexes: formatIndexes(indexes) }),
      ...(dependencies.length > 0 && { dependencies }),
    });
    if (batch.size === limits.jobs) break;
  }
  return [...batch.values()];
}

/** What Slurm is to wait for; undefined if the job cannot be submitted now. */
function openDependencies(
  { dependsOn = [] }: CampaignJob,
  judge: (dependency: Dependency) => Verdict,
): Dependency[] | undefined {
  const open: Dependency[] = [];
  for (const dependency of dependsOn) {
    const verdict = judge(dependency);
    if (verdict === 'unknown' || verdict === 'unmeetable') return undefined;
    if (verdict === 'slurm') open.push(dependency);
  }
  return open;
}

/** Judges each dependency once: what is depended on must not change after it was asked about. */
function judgeBy(byName: JobsByName): (dependency: Dependency) => Verdict {
  const verdicts = new Map<string, Verdict>();
  return (dependency) => {
    const id = `${dependency.condition} ${dependency.key}`;
    const verdict = verdicts.get(id) ?? verdictOn(dependency, byName);
    verdicts.set(id, verdict);
    return verdict;
  };
}

function verdictOn({ key, condition }: Dependency, byName: JobsByName): Verdict {
  const jobs = byName.get(key) ?? [];
  if (jobs.length === 0 || jobs.some(isUnsubmitted)) return 'unknown';
  if (!jobs.every(({ state }) => isTerminal(state))) return 'slurm';
  return satisfies[condition](jobs.map(({ state }) => state)) ? 'met' : 'unmeetable';
}

/** How many jobs have not ended and wait for another one that has not ended either. */
export function countWaitingForOthers(jobs: readonly CampaignJob[]): number {
  const open = jobs.filter(({ state }) => !isTerminal(state));
  const dependent = open.filter(({ dependsOn }) => dependsOn !== undefined);
  if (dependent.length === 0) return 0;
  const openNames = new Set(open.flatMap(({ key, arrayKey = key }) => [key, arrayKey]));
  return dependent.filter(({ dependsOn = [] }) => dependsOn.some(({ key }) => openNames.has(key))).length;
}
