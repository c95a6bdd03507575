import type { JobView } from './campaign-view.ts';
import { isMetBy, orderOf } from './campaign-dependencies.ts';
import type { Dependency } from './dependencies.ts';
import { KnownFailure } from './failures.ts';
import type { JobSpec, RetrySelection } from './job.ts';
import { formatIndexes, isNamed, submissionKeyOf } from './job-array.ts';
import { isTerminal } from './slurm-states.ts';

/**
 * The jobs of a campaign that are to be tried again, of arrays the tasks, with what they depend on among themselves.
 * Dependencies that are met are left out. Where no keys are given, jobs are left out that could not start because of a job
 * which is not tried again; where they are given, that is refused.
 * @throws KnownFailure NotFound, RetryRefused
 */
export function jobsToRetry(
  specs: readonly JobSpec[],
  jobs: readonly JobView[],
  { jobKeys }: RetrySelection,
): JobSpec[] {
  const byName = new Map<string, readonly JobView[]>([
    ...jobs.map((job): [string, JobView[]] => [job.key, [job]]),
    ...Map.groupBy(jobs, submissionKeyOf),
  ]);
  const missing = jobKeys?.find((key) => !byName.has(key));
  if (missing !== undefined) throw new KnownFailure('NotFound', `The campaign has no job \`${missing}\`.`);
  const chosen = new Set(candidates(jobs, jobKeys).map(({ key }) => key));
  const again = (key: string) => (byName.get(key) ?? []).filter((job) => chosen.has(job.key));
  const specOf = new Map(specs.map((spec) => [spec.key, spec]));
  const isStartable = ({ key, condition }: Dependency) =>
    again(key).length > 0 || isMet(condition, byName.get(key) ?? []);
  const dependencies = (job: JobView) => specOf.get(submissionKeyOf(job))?.dependsOn ?? [];
  // Each after those that it depends on: what is left out is known before what needs it.
  for (const name of orderOf(jobs.map((job) => ({ ...job, dependsOn: dependencies(job) })))) {
    for (const job of again(name)) {
      const unmet = dependencies(job).find((on) => !isStartable(on));
      if (!unmet) continue;
      if (jobKeys) {
        const message = `\`${job.key}\` cannot start: \`${unmet.key}\` has not ended as it needs (${unmet.condition}), and is not tried again with it.`;
        throw new KnownFailure('RetryRefused', message);
      }
      chosen.delete(job.key);
    }
  }
  if (chosen.size === 0) {
    throw new KnownFailure(
      'RetryRefused',
      'No job of the campaign has ended without success, so that it could be tried again.',
    );
  }
  return specs.flatMap((spec) => {
    const tasks = again(spec.key);
    if (tasks.length === 0) return [];
    const dependsOn = spec.dependsOn.filter(({ key }) => again(key).length > 0);
    const indexes = formatIndexes(tasks.flatMap(({ arrayTaskId }) => arrayTaskId ?? []));
    return [{ ...spec, dependsOn, ...(spec.array && { array: { ...spec.array, indexes } }) }];
  });
}

function candidates(jobs: readonly JobView[], jobKeys: RetrySelection['jobKeys']): JobView[] {
  const names = jobKeys && new Set(jobKeys);
  const named = names ? jobs.filter((job) => isNamed(job, names)) : jobs;
  const ended = named.filter(({ state }) => isTerminal(state) && state !== 'succeeded');
  const other = named.find(
    ({ key, state }) => names?.has(key) && (!isTerminal(state) || state === 'succeeded'),
  );
  if (other) throw new KnownFailure('RetryRefused', `\`${other.key}\` is ${other.state}.`);
  return ended;
}

function isMet(condition: Dependency['condition'], on: readonly JobView[]): boolean {
  const ends = on.map(({ state }) => state);
  return ends.every((state) => isTerminal(state)) && isMetBy(condition, ends);
}
