import { z } from 'zod';
import type { CampaignJob } from './campaign-job.ts';
import { dependenciesAt, namesOf, positionsByName, positionsOf } from './campaign-plan.ts';
import { jobViewShape } from './job-view-shape.ts';

/** Temporal takes 2 MB in one payload: a thousand jobs with the longest keys and reasons are a fifth of that. */
const JOBS_PER_CHUNK = 1000;

const numbers = z.array(z.number()).readonly();
/** Among the jobs of all chunks. */
const positions = numbers;

/** A job without nested values, as its fields become columns. */
const flatJobSchema = z.object({
  ...jobViewShape,
  cancelReason: z.string().optional(),
  isCancelAsked: z.boolean().optional(),
  isCancelFailure: z.literal(true).optional(),
  requeueLimit: z.int().optional(),
  requeuesAsked: numbers.optional(),
  afterok: positions.optional(),
  afterany: positions.optional(),
  afternotok: positions.optional(),
});

type FlatJob = z.output<typeof flatJobSchema>;

/** How the values of a field are written; as they are where nothing is said. */
const codings: Partial<Record<keyof FlatJob, 'text' | 'time'>> = {
  arrayKey: 'text',
  state: 'text',
  reason: 'text',
  nextStep: 'text',
  pendingCause: 'text',
  slurmState: 'text',
  submittedAt: 'time',
  startedAt: 'time',
  endedAt: 'time',
  nodes: 'text',
  logsProblem: 'text',
  cancelReason: 'text',
};

/**
 * Some of a campaign's jobs as a workflow hands them to its next run, about 75 bytes each beside the key. A column has
 * a value for each job, or null; a field that no job has is left out. Texts are positions in `texts`, times are
 * milliseconds after `since` (ISO 8601).
 */
export interface JobChunk {
  readonly since: string;
  readonly texts: readonly string[];
  readonly columns: Readonly<Record<string, readonly unknown[]>>;
}

/** The jobs in chunks that each fit into one payload. `since` (ISO 8601) is a time that theirs are close to. */
export function encodeJobs(jobs: readonly CampaignJob[], since: string): JobChunk[] {
  const positionOf = positionsByName(jobs);
  const flat = jobs.map(({ dependsOn = [], cancellation, ...view }): FlatJob => {
    const { reason: cancelReason, isAsked: isCancelAsked, isFailure: isCancelFailure } = cancellation ?? {};
    const flat = { ...view, cancelReason, isCancelAsked, isCancelFailure };
    return { ...flat, ...positionsOf(dependsOn, positionOf) };
  });
  const chunks: JobChunk[] = [];
  for (let begin = 0; begin < flat.length; begin += JOBS_PER_CHUNK) {
    chunks.push(encodeChunk(flat.slice(begin, begin + JOBS_PER_CHUNK), since));
  }
  return chunks;
}

function encodeChunk(jobs: readonly FlatJob[], since: string): JobChunk {
  const positionOfText = new Map<string, number>();
  const encode = (coding: 'text' | 'time' | undefined, value: unknown): unknown => {
    if (coding === undefined || typeof value !== 'string') return value ?? null;
    if (coding === 'time') return Date.parse(value) - Date.parse(since);
    const position = positionOfText.get(value) ?? positionOfText.size;
    positionOfText.set(value, position);
    return position;
  };
  const columns = flatJobSchema.keyof().options.flatMap((name): [string, unknown[]][] => {
    const column = jobs.map((job) => encode(codings[name], job[name]));
    return column.every((value) => value === null) ? [] : [[name, column]];
  });
  return { since, columns: Object.fromEntries(columns), texts: [...positionOfText.keys()] };
}

/** The jobs of all chunks. Of a job's dependencies, those of one condition come beside each other. */
export function decodeJobs(chunks: readonly JobChunk[]): CampaignJob[] {
  const flat = chunks.flatMap(decodeChunk);
  const names = namesOf(flat);
  return flat.map((job) => {
    const { cancelReason, isCancelAsked, isCancelFailure, afterok, afterany, afternotok, ...view } = job;
    const dependsOn = dependenciesAt({ afterok, afterany, afternotok }, names);
    return {
      ...view,
      ...(dependsOn.length > 0 && { dependsOn }),
      ...(cancelReason !== undefined && {
        cancellation: {
          reason: cancelReason,
          isAsked: isCancelAsked === true,
          ...(isCancelFailure && { isFailure: isCancelFailure }),
        },
      }),
    };
  });
}

function decodeChunk({ since, texts, columns }: JobChunk): FlatJob[] {
  const decode = (coding: 'text' | 'time' | undefined, value: unknown): unknown => {
    if (coding === undefined || typeof value !== 'number') return value;
    return coding === 'text' ? texts[value] : new Date(Date.parse(since) + value).toISOString();
  };
  const fields = flatJobSchema.keyof().options.filter((name) => columns[name] !== undefined);
  const jobs = columns['key'] ?? [];
  return jobs.map((_key, row) =>
    flatJobSchema.parse(
      Object.fromEntries(
        fields.flatMap((name) => {
          const value = columns[name]?.[row] ?? undefined;
          return value === undefined ? [] : [[name, decode(codings[name], value)]];
        }),
      ),
    ),
  );
}
