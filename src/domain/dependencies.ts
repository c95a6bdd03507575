import { z } from 'zod';
import { campaignIdSchema, jobKeySchema } from './ids.ts';
import { identitiesOf, type JobArray } from './job-array.ts';

/**
 * When a job that depends on another one may start, in Slurm's words (sbatch(1), `--dependency`): `afterok` once it
 * has succeeded, `afternotok` once it has ended in any other way, `afterany` once it has ended.
 */
export const dependencyConditions = ['afterok', 'afterany', 'afternotok'] as const;

export type DependencyCondition = (typeof dependencyConditions)[number];

/** A job of the same campaign, a whole array or one task of it, that must have ended, and how. */
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

/** Another campaign of the same project that must have ended, and how, before a campaign's first job is submitted. */
export const campaignDependencySchema = z.strictObject({
  campaignId: campaignIdSchema,
  condition: z.enum(dependencyConditions).default('afterok'),
});

export type CampaignDependency = z.output<typeof campaignDependencySchema>;

interface DependentJob {
  readonly key: string;
  readonly array?: JobArray | undefined;
  readonly dependsOn: readonly Dependency[];
}

/** What is wrong with a dependency: the position of job and dependency in their lists, and the reason in words. */
export interface DependencyIssue {
  readonly path: readonly [jobIndex: number, 'dependsOn', dependencyIndex: number];
  readonly message: string;
}

/** Dependencies on jobs that do not exist, on the job itself, given twice, or in a circle. Empty if all is well. */
export function dependencyIssues(jobs: readonly DependentJob[]): DependencyIssue[] {
  const submissionOf = submissionsByName(jobs);
  const issues = jobs.flatMap(({ key, dependsOn }, jobIndex) => {
    const seen = new Set<string>();
    return dependsOn.flatMap((dependency, index): DependencyIssue[] => {
      const wrong = wrongWith(dependency.key, key, submissionOf, seen);
      seen.add(dependency.key);
      return wrong === undefined ? [] : [{ path: [jobIndex, 'dependsOn', index], message: wrong }];
    });
  });
  return issues.length > 0 ? issues : circleIssues(jobs, submissionOf);
}

/** What each job, array or task that can be depended on is handed to Slurm with. */
function submissionsByName(jobs: readonly DependentJob[]): ReadonlyMap<string, string> {
  const names = jobs.flatMap((job) =>
    [job.key, ...identitiesOf(job).map(({ key }) => key)].map((name) => [name, job.key] as const),
  );
  return new Map(names);
}

function wrongWith(
  on: string,
  key: string,
  submissionOf: ReadonlyMap<string, string>,
  seen: ReadonlySet<string>,
): string | undefined {
  const submission = submissionOf.get(on);
  if (submission === undefined) return `no job of the campaign has the key \`${on}\``;
  if (submission === key) return 'a job cannot depend on itself';
  return seen.has(on) ? `\`${on}\` is given twice` : undefined;
}

function circleIssues(
  jobs: readonly DependentJob[],
  submissionOf: ReadonlyMap<string, string>,
): DependencyIssue[] {
  const inSubmissions = jobs.map(({ key, dependsOn }) => ({
    key,
    dependsOn: dependsOn.map((dependency) => ({
      ...dependency,
      key: submissionOf.get(dependency.key) ?? dependency.key,
    })),
  }));
  const ordered = new Set(submissionOrder(inSubmissions).map(({ key }) => key));
  const jobIndex = inSubmissions.findIndex(({ key }) => !ordered.has(key));
  const stuck = inSubmissions[jobIndex];
  if (!stuck) return [];
  const index = stuck.dependsOn.findIndex(({ key }) => !ordered.has(key));
  const message = `\`${stuck.key}\` waits, through its dependencies, for a circle of jobs that wait for each other`;
  return [{ path: [jobIndex, 'dependsOn', index], message }];
}

/**
 * What is handed to Slurm, in an order in which each comes after those that it depends on; otherwise in the order given.
 * What is in a circle, or behind one, is left out.
 */
export function submissionOrder<
  Submission extends { readonly key: string; readonly dependsOn: readonly Dependency[] },
>(submissions: readonly Submission[]): Submission[] {
  const byKey = new Map(submissions.map((submission) => [submission.key, submission]));
  const missing = new Map(submissions.map(({ key, dependsOn }) => [key, dependsOn.length]));
  const dependents = Map.groupBy(
    submissions.flatMap(({ key, dependsOn }) => dependsOn.map((dependency) => ({ key, on: dependency.key }))),
    ({ on }) => on,
  );
  const ordered = submissions.filter(({ dependsOn }) => dependsOn.length === 0);
  // The list grows while it is walked: one is added when the last one that it waits for was passed.
  for (const { key } of ordered) {
    for (const dependent of dependents.get(key) ?? []) {
      const left = (missing.get(dependent.key) ?? 0) - 1;
      missing.set(dependent.key, left);
      const submission = byKey.get(dependent.key);
      if (left === 0 && submission) ordered.push(submission);
    }
  }
  return ordered;
}
