import { taskKey } from './job-array.ts';
import { z } from 'zod';
import type { JobView } from './campaign-view.ts';
import { campaignIdSchema, epochStartSeconds, jobKeySchema, parseJobComment } from './ids.ts';
import { jobAfterFact, mergeSources } from './job-state.ts';
import { jobViewShape } from './job-view-shape.ts';
import type { SlurmJobFact } from './slurm-facts.ts';
import { isTerminal } from './slurm-states.ts';

const { state, reason, nextStep, pendingCause, slurmState, exitCode, signal, nodes, restarts } = jobViewShape;
const { submittedAt, startedAt, endedAt } = jobViewShape;

/** A Slurm job of whatever user and origin. Times are ISO 8601 in UTC. */
export const listedJobSchema = z.object({
  slurmJobId: z.string(),
  /** Of the campaign and job that it belongs to, if it came through us. */
  campaignId: z.string().optional(),
  jobKey: z.string().optional(),
  user: z.string(),
  name: z.string(),
  /** Slurm's partition. */
  queue: z.string(),
  state,
  reason,
  nextStep,
  pendingCause,
  slurmState,
  exitCode,
  signal,
  submittedAt,
  startedAt,
  endedAt,
  nodes,
  restarts,
});

export type ListedJob = z.output<typeof listedJobSchema>;

/** All jobs of an epoch at one moment, as they are kept in the control bucket. */
export const jobListingSchema = z.object({
  version: z.literal(1),
  epoch: z.string(),
  /** When Slurm was asked (ISO 8601). */
  observedAt: z.string(),
  /** By their ids, the oldest first. */
  jobs: z.array(listedJobSchema),
  /** Ended jobs, the oldest, that a listing has no room for. */
  omittedJobs: z.int(),
});

export type JobListing = z.output<typeof jobListingSchema>;

/** Which listing was made. */
export interface JobListingReference {
  readonly epoch: string;
  readonly observedAt: string;
}

/** Some 4 MB, which the API reads for each page. */
export const MAX_LISTED_JOBS = 10_000;
/** Slurm takes names of a kilobyte and more. */
const MAX_NAME_CHARACTERS = 200;

/**
 * The listing of what Slurm said at one moment, from queue and accounting since the epoch began. Accounting is shared by
 * all epochs of a tenant: what was submitted before is another's. All that live come first, then the youngest.
 */
export function listingOf(
  facts: readonly SlurmJobFact[],
  { epoch, observedAt, maxJobs = MAX_LISTED_JOBS }: JobListingReference & { readonly maxJobs?: number },
): JobListing {
  const begin = epochStartSeconds(epoch);
  const jobs = mergeSources(facts)
    // What the ledger alone knows, Slurm does not have.
    .filter(
      ({ source, submitTime = 0 }) => source === 'queue' || (source === 'accounting' && submitTime >= begin),
    )
    .map((fact) => listedJob(fact, epoch, observedAt))
    .toSorted(compareJobs);
  const omittedJobs = Math.max(0, jobs.length - maxJobs);
  const ended = omittedJobs === 0 ? [] : jobs.filter((job) => isTerminal(job.state));
  const omitted = new Set([...ended, ...jobs].slice(0, omittedJobs));
  return {
    version: 1,
    epoch,
    observedAt,
    jobs: jobs.filter((job) => !omitted.has(job)),
    omittedJobs,
  };
}

function listedJob(fact: SlurmJobFact, epoch: string, observedAt: string): ListedJob {
  const { key: _key, logsComplete: _logsComplete, ...view } = jobAfterFact(UNSEEN, fact, observedAt);
  return {
    ...view,
    slurmJobId: fact.jobId,
    ...originOf(fact, epoch),
    user: fact.user,
    name: fact.name.slice(0, MAX_NAME_CHARACTERS),
    queue: fact.partition,
  };
}

/** What is said of a job of which only accounting still says that it lives. */
const UNSEEN: JobView = { key: '', state: 'unknown', reason: '', logsComplete: false };

/** Whose job it is; our smoke jobs have a comment of ours and belong to no campaign. */
function originOf(
  { comment, arrayTaskId }: SlurmJobFact,
  epoch: string,
): Pick<ListedJob, 'campaignId' | 'jobKey'> {
  const reference = parseJobComment(comment);
  if (reference?.epoch !== epoch) return {};
  const { campaignId, jobKey } = reference;
  const isOurs = campaignIdSchema.safeParse(campaignId).success && jobKeySchema.safeParse(jobKey).success;
  if (!isOurs) return {};
  return { campaignId, jobKey: arrayTaskId === undefined ? jobKey : taskKey(jobKey, arrayTaskId) };
}

/** Slurm uses the id of a job again that it has lost: the time of submission tells the two apart. */
export function compareJobs(a: ListedJobPlace, b: ListedJobPlace): number {
  const [[id, index], [otherId, otherIndex]] = [numbersOf(a), numbersOf(b)];
  return id - otherId || index - otherIndex || (a.submittedAt ?? '').localeCompare(b.submittedAt ?? '');
}

/** The number of a job, or of an array with the index of its task: `7`, `7_4`, of tasks that wait together `7_[0-3]`. */
function numbersOf({ slurmJobId }: ListedJobPlace): [id: number, index: number] {
  const [, id = '0', index = '-1'] = /^(\d+)(?:_\[?(\d+))?/.exec(slurmJobId) ?? [];
  return [Number(id), Number(index)];
}

/** Where a job stands in a listing. */
export type ListedJobPlace = Pick<ListedJob, 'slurmJobId' | 'submittedAt'>;
