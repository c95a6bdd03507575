import { z } from 'zod';
import { jobKeySchema } from './ids.ts';

/**
 * When a job that depends on another one may start, in Slurm's words (sbatch(1), `--dependency`): `afterok` once it
 * has succeeded, `afternotok` once it has ended in any other way, `afterany` once it has ended.
 */
export const dependencyConditions = ['afterok', 'afterany', 'afternotok'] as const;

export type DependencyCondition = (typeof dependencyConditions)[number];

/** A job of the same campaign that must have ended, and how. */
export interface Dependency {
  readonly key: string;
  readonly condition: DependencyCondition;
}

const MAX_DEPENDENCIES_PER_JOB = 1000;

/** Over all jobs of a campaign: what a workflow holds of it (about 8 bytes each) stays far below 2 MB. */
export const MAX_DEPENDENCIES_PER_CAMPAIGN = 50_000;

/** A key alone means `afterok`, as most dependencies do. */
export const dependsOnSchema = z
  .array(
    z.union([
      jobKeySchema.transform((key): Dependency => ({ key, condition: 'afterok' })),
      z.strictObject({ key: jobKeySchema, condition: z.enum(dependencyConditions).default('afterok') }),
    ]),
  )
  .max(MAX_DEPENDENCIES_PER_JOB);

interface DependentJob {
  readonly key: string;
  readonly dependsOn: readonly Dependency[];
}

/** What is wrong with a dependency: the position of job and dependency in their lists, and the reason in words. */
export interface DependencyIssue {
  readonly path: readonly [jobIndex: number, 'dependsOn', dependencyIndex: number];
  readonly message: string;
}

/** Dependencies on jobs that do not exist, on the job itself, given twice, or in a circle. Empty if all is well. */
export function dependencyIssues(jobs: readonly DependentJob[]): DependencyIssue[] {
  const keys = new Set(jobs.map(({ key }) => key));
  const issues = jobs.flatMap(({ key, dependsOn }, jobIndex) => {
    const seen = new Set<string>();
    return dependsOn.flatMap((dependency, index): DependencyIssue[] => {
      const wrong = wrongWith(dependency.key, key, keys, seen);
      seen.add(dependency.key);
      return wrong === undefined ? [] : [{ path: [jobIndex, 'dependsOn', index], message: wrong }];
    });
  });
  return issues.length > 0 ? issues : circleIssues(jobs);
}

function wrongWith(
  on: string,
  key: string,
  keys: ReadonlySet<string>,
  seen: ReadonlySet<string>,
): string | undefined {
  if (on === key) return 'a job cannot depend on itself';
  if (!keys.has(on)) return `no job of the campaign has the key \`${on}\``;
  return seen.has(on) ? `\`${on}\` is given twice` : undefined;
}

function circleIssues(jobs: readonly DependentJob[]): DependencyIssue[] {
  const ordered = new Set(submissionOrder(jobs).map(({ key }) => key));
  const jobIndex = jobs.findIndex(({ key }) => !ordered.has(key));
  const stuck = jobs[jobIndex];
  if (!stuck) return [];
  const index = stuck.dependsOn.findIndex(({ key }) => !ordered.has(key));
  const message = `\`${stuck.key}\` waits, through its dependencies, for a circle of jobs that wait for each other`;
  return [{ path: [jobIndex, 'dependsOn', index], message }];
}

/**
 * The jobs in an order in which each comes after those that it depends on; otherwise in the order given. Jobs of a
 * circle, and those behind one, are left out.
 */
export function submissionOrder<Job extends DependentJob>(jobs: readonly Job[]): Job[] {
  const byKey = new Map(jobs.map((job) => [job.key, job]));
  const missing = new Map(jobs.map(({ key, dependsOn }) => [key, dependsOn.length]));
  const dependents = Map.groupBy(
    jobs.flatMap(({ key, dependsOn }) => dependsOn.map((dependency) => ({ key, on: dependency.key }))),
    ({ on }) => on,
  );
  const ordered = jobs.filter(({ dependsOn }) => dependsOn.length === 0);
  // The list grows while it is walked: a job is added when the last one that it waits for was passed.
  for (const { key } of ordered) {
    for (const dependent of dependents.get(key) ?? []) {
      const left = (missing.get(dependent.key) ?? 0) - 1;
      missing.set(dependent.key, left);
      const job = byKey.get(dependent.key);
      if (left === 0 && job) ordered.push(job);
    }
  }
  return ordered;
}
