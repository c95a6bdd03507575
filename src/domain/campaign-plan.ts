import { DEFAULT_REQUEUE_LIMIT } from './job.ts';
import { type Dependency, type DependencyCondition, dependencyConditions } from './dependencies.ts';

/** Positions of jobs in the list of a campaign's jobs, by what is asked of their end. */
export type DependencyPositions = {
  readonly [Condition in DependencyCondition]?: readonly number[] | undefined;
};

/** A job of a plan: its key, and which others it waits for. */
export interface PlannedJob extends DependencyPositions {
  readonly key: string;
  /** Where it is another one than the plan's. */
  readonly requeueLimit?: number | undefined;
}

/**
 * What a campaign's workflow must know of its content: the keys in the caller's order, and the dependencies. Those are
 * told by position, not by key: 10,000 jobs with 50,000 dependencies stay within 1.2 MB of JSON, and Temporal takes
 * 2 MB in one payload.
 */
export interface CampaignPlan {
  /** Of jobs that name none. Absent in histories of version 0.2.0: then nobody counts. */
  readonly requeueLimit?: number;
  readonly jobs: readonly PlannedJob[];
}

interface DependentJob {
  readonly key: string;
  readonly dependsOn?: readonly Dependency[] | undefined;
  readonly requeueLimit?: number | undefined;
}

/** The plan of a campaign's jobs. Every dependency must be among them. */
export function planOf(jobs: readonly DependentJob[]): CampaignPlan {
  const positions = positionsByKey(jobs);
  return {
    requeueLimit: DEFAULT_REQUEUE_LIMIT,
    jobs: jobs.map(({ key, dependsOn = [], requeueLimit }) => ({
      key,
      ...(requeueLimit !== undefined && { requeueLimit }),
      ...positionsOf(dependsOn, positions),
    })),
  };
}

/** The jobs of a plan with their dependencies by key; those of one condition beside each other. */
export function jobsOfPlan({
  jobs,
  requeueLimit,
}: CampaignPlan): (DependentJob & { readonly dependsOn: Dependency[] })[] {
  const keys = jobs.map(({ key }) => key);
  return jobs.map((job) => ({
    key: job.key,
    dependsOn: dependenciesAt(job, keys),
    requeueLimit: job.requeueLimit ?? requeueLimit,
  }));
}

export function positionsByKey(jobs: readonly { readonly key: string }[]): ReadonlyMap<string, number> {
  return new Map(jobs.map(({ key }, position) => [key, position]));
}

/** Where the jobs are that are depended on. Conditions that nothing is asked by are left out. */
export function positionsOf(
  dependsOn: readonly Dependency[],
  positions: ReadonlyMap<string, number>,
): DependencyPositions {
  const found: { [Condition in DependencyCondition]?: number[] } = {};
  for (const { key, condition } of dependsOn) {
    const position = positions.get(key);
    if (position !== undefined) (found[condition] ??= []).push(position);
  }
  return found;
}

/** The dependencies at these positions of a list of keys. */
export function dependenciesAt(positions: DependencyPositions, keys: readonly string[]): Dependency[] {
  return dependencyConditions.flatMap((condition) =>
    (positions[condition] ?? []).flatMap((position) => {
      const key = keys[position];
      return key === undefined ? [] : [{ key, condition }];
    }),
  );
}
