import { DEFAULT_REQUEUE_LIMIT } from './requeue-limit.ts';
import { formatIndexes, identitiesOf, type JobArray, type JobIdentity, parseIndexes } from './job-array.ts';
import {
  type CampaignDependency,
  type Dependency,
  type DependencyCondition,
  dependencyConditions,
} from './dependencies.ts';

/** Positions in the list of a campaign's names ({@link namesOf}), by what is asked of their end. */
export type DependencyPositions = {
  readonly [Condition in DependencyCondition]?: readonly number[] | undefined;
};

/** A job of a plan: its key, and which others it waits for. */
export interface PlannedJob extends DependencyPositions {
  readonly key: string;
  /** The indexes of its tasks, if it is an array. */
  readonly indexes?: string | undefined;
  /** Where it is another one than the plan's. */
  readonly requeueLimit?: number | undefined;
}

/**
 * What a campaign's workflow must know of its content: the keys in the caller's order, and the dependencies. Those are
 * told by position, not by key: 10,000 jobs with 50,000 dependencies stay within 1.2 MB of JSON, and Temporal takes
 * 2 MB in one payload.
 */
export interface CampaignPlan {
  /** Campaigns that must have ended before this one begins. */
  readonly dependsOn?: readonly CampaignDependency[];
  /** Of jobs that name none. Absent in histories of version 0.2.0: then nobody counts. */
  readonly requeueLimit?: number;
  readonly jobs: readonly PlannedJob[];
}

interface DependentJob {
  readonly dependsOn?: readonly Dependency[] | undefined;
  readonly requeueLimit?: number | undefined;
}

/** The plan of a campaign's jobs. Every dependency must be among them. */
export function planOf(
  jobs: readonly (DependentJob & { readonly key: string; readonly array?: JobArray | undefined })[],
): CampaignPlan {
  const positions = positionsByName(jobs.flatMap(identitiesOf));
  return {
    requeueLimit: DEFAULT_REQUEUE_LIMIT,
    jobs: jobs.map(({ key, array, dependsOn = [], requeueLimit }) => ({
      key,
      ...(array && { indexes: formatIndexes(parseIndexes(array.indexes)) }),
      ...(requeueLimit !== undefined && { requeueLimit }),
      ...positionsOf(dependsOn, positions),
    })),
  };
}

/** The jobs of a plan, each task of an array for itself, with their dependencies by name; those of one condition beside each other. */
export function jobsOfPlan({
  jobs,
  requeueLimit,
}: CampaignPlan): (JobIdentity & DependentJob & { readonly dependsOn: Dependency[] })[] {
  const identities = jobs.map(({ key, indexes }) =>
    identitiesOf({ key, ...(indexes !== undefined && { array: { indexes } }) }),
  );
  const names = namesOf(identities.flat());
  return jobs.flatMap((job, index) => {
    const common = {
      dependsOn: dependenciesAt(job, names),
      requeueLimit: job.requeueLimit ?? requeueLimit,
    };
    return (identities[index] ?? []).map((identity) => ({ ...identity, ...common }));
  });
}

/** What can be depended on: the jobs by their keys, tasks among them, and behind them the arrays by theirs. */
export function namesOf(jobs: readonly JobIdentity[]): string[] {
  const arrays = new Set(jobs.flatMap(({ arrayKey }) => arrayKey ?? []));
  return [...jobs.map(({ key }) => key), ...arrays];
}

export function positionsByName(jobs: readonly JobIdentity[]): ReadonlyMap<string, number> {
  return new Map(namesOf(jobs).map((name, position) => [name, position]));
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

/** The dependencies at these positions of a list of names. */
export function dependenciesAt(positions: DependencyPositions, names: readonly string[]): Dependency[] {
  return dependencyConditions.flatMap((condition) =>
    (positions[condition] ?? []).flatMap((position) => {
      const key = names[position];
      return key === undefined ? [] : [{ key, condition }];
    }),
  );
}
