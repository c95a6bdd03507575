import { z } from 'zod';
import { MAX_KEY_CHARACTERS } from './ids.ts';

/** Slurm's `MaxArraySize` is one more (slurm.conf(5)); we set it in every cluster. */
export const MAX_ARRAY_INDEX = 50_000;
/** As many as a campaign may have jobs: each task is one. */
export const MAX_ARRAY_TASKS = 10_000;

const INDEXES = /^\d{1,5}(?:-\d{1,5}(?::[1-9]\d{0,4})?)?(?:,\d{1,5}(?:-\d{1,5}(?::[1-9]\d{0,4})?)?)*$/;

/**
 * Makes a Slurm job array of a job (sbatch(1), `--array`): one task for each index, which it finds in
 * `SLURM_ARRAY_TASK_ID`.
 */
export const jobArraySchema = z.strictObject({
  indexes: z
    .string()
    .max(10_000)
    .regex(INDEXES, 'must be indexes such as `0-99`, `1,5,9` or `0-20:4`')
    .superRefine((indexes, context) => {
      const problem = problemWithIndexes(indexes);
      if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
    })
    .meta({
      description: 'As Slurm writes them: `0-99`, `1,5,9`, `0-20:4`, or several of these with commas.',
    }),
  maxRunningTasks: z
    .int()
    .min(1)
    .max(MAX_ARRAY_TASKS)
    .optional()
    .meta({ description: 'At most so many tasks run at a time; Slurm writes it `%` and a number.' }),
});

export type JobArray = z.output<typeof jobArraySchema>;

function problemWithIndexes(indexes: string): string | undefined {
  if (!INDEXES.test(indexes)) return undefined;
  const ranges = rangesOf(indexes);
  if (ranges.some(({ first, last }) => last < first)) return 'a range must not end before it begins';
  if (ranges.some(({ last }) => last > MAX_ARRAY_INDEX)) return `an index is at most ${MAX_ARRAY_INDEX}`;
  return countIndexes(indexes) > MAX_ARRAY_TASKS
    ? `an array has at most ${MAX_ARRAY_TASKS} tasks`
    : undefined;
}

/** Without making a list of them, so that it costs nothing for any number; an index that is given twice counts twice. */
function countIndexes(indexes: string): number {
  return rangesOf(indexes).reduce(
    (sum, { first, last, step }) => sum + Math.floor((last - first) / step) + 1,
    0,
  );
}

interface Range {
  readonly first: number;
  readonly last: number;
  readonly step: number;
}

function rangesOf(indexes: string): Range[] {
  return indexes.split(',').map((range) => {
    const [, first = '', last = first, step = '1'] = /^(\d+)(?:-(\d+)(?::(\d+))?)?$/.exec(range) ?? [];
    return { first: Number(first), last: Number(last), step: Number(step) };
  });
}

/** The indexes that an expression of Slurm stands for, each once, rising; a limit behind `%` is left out. */
export function parseIndexes(expression: string): number[] {
  const indexes = new Set<number>();
  for (const { first, last, step } of rangesOf(expression.replace(/%.*/, ''))) {
    for (let index = first; index <= last; index += step) indexes.add(index);
  }
  return [...indexes].toSorted((a, b) => a - b);
}

/** The shortest expression of ranges for indexes that rise. */
export function formatIndexes(indexes: readonly number[]): string {
  const ranges: { first: number; last: number }[] = [];
  for (const index of indexes) {
    const range = ranges.at(-1);
    if (range && range.last === index - 1) range.last = index;
    else ranges.push({ first: index, last: index });
  }
  return ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)).join(',');
}

/** What Slurm is told of an array (sbatch(1), `--array`), e.g. `0-9,20%4`. */
export function arrayOption({ indexes, maxRunningTasks }: JobArray): string {
  const limit = maxRunningTasks === undefined ? '' : `%${maxRunningTasks}`;
  return `${formatIndexes(parseIndexes(indexes))}${limit}`;
}

/** The key of one task of an array: Slurm, too, puts the index behind an underscore. */
export function taskKey(arrayKey: string, index: number): string {
  return `${arrayKey}_${index}`;
}

interface MaybeArray {
  readonly key: string;
  readonly array?: JobArray | undefined;
}

/** A job as it is followed: a task of an array, or a job that is none. */
export interface JobIdentity {
  readonly key: string;
  /** The key of the array that it is a task of. */
  readonly arrayKey?: string;
  readonly arrayTaskId?: number;
}

/** What is followed of a job of a campaign: itself, or each task of its array. */
export function identitiesOf({ key, array }: MaybeArray): JobIdentity[] {
  if (array === undefined) return [{ key }];
  return parseIndexes(array.indexes).map((index) => ({
    key: taskKey(key, index),
    arrayKey: key,
    arrayTaskId: index,
  }));
}

/** What is handed to Slurm in one piece, and depended on as a whole: an array, or a job that is none. */
export function submissionKeyOf({ key, arrayKey = key }: JobIdentity): string {
  return arrayKey;
}

/** Whether these keys name the job: by its own, or by that of its array. */
export function isNamed({ key, arrayKey }: JobIdentity, keys: ReadonlySet<string>): boolean {
  return keys.has(key) || (arrayKey !== undefined && keys.has(arrayKey));
}

/** How many jobs these are at most: each task is one, and one that is given twice counts twice. */
export function countJobsAtMost(jobs: readonly MaybeArray[]): number {
  return jobs.reduce((sum, { array }) => sum + (array ? countIndexes(array.indexes) : 1), 0);
}

/** How many jobs these are: each task is one. */
export function countJobs(jobs: readonly MaybeArray[]): number {
  return jobs.reduce((sum, { array }) => sum + (array ? parseIndexes(array.indexes).length : 1), 0);
}

/** Keys of arrays that are too long for the keys of their tasks. */
export function isKeyTooLong({ key, array }: MaybeArray): boolean {
  if (array === undefined) return false;
  return taskKey(key, parseIndexes(array.indexes).at(-1) ?? 0).length > MAX_KEY_CHARACTERS;
}
