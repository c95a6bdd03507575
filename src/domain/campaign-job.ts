import type { JobView } from './campaign-view.ts';
import type { Dependency } from './dependencies.ts';
import { type JobIdentity, taskKey } from './job-array.ts';
import { identityOf, jobAfterFact, judge, REFUSED_NEXT_STEP } from './job-state.ts';
import type { SlurmJobFact } from './slurm-facts.ts';
import { isTerminal } from './slurm-states.ts';
import { clipped, counted } from './wording.ts';

/** A job as its campaign's workflow keeps it: what everybody sees of it, and what is still to be done about it. */
export interface CampaignJob extends JobView {
  /** Absent when it depends on nothing. */
  readonly dependsOn?: readonly Dependency[];
  /** It is to end, because somebody wants that, or because it was requeued too often. */
  readonly cancellation?: Cancellation;
  /** How often Slurm may requeue it. Nobody counts if absent. */
  readonly requeueLimit?: number;
  /**
   * How often it had been requeued each time when somebody asked for one more: those do not count. Of its present job in
   * Slurm; absent if nobody asked.
   */
  readonly requeuesAsked?: readonly number[];
}

interface Cancellation {
  readonly reason: string;
  /** Slurm was told. */
  readonly isAsked: boolean;
  /** Nobody asked for it: the job has failed. */
  readonly isFailure?: true;
}

/** What Slurm made of one job of a submission. */
export type SubmissionAnswer =
  | { readonly status: 'submitted' | 'adopted'; readonly jobId: string }
  | { readonly status: 'rejected'; readonly message: string }
  | { readonly status: 'deferred'; readonly message: string };

/**
 * Longest reason that is taken over from elsewhere. With 10,000 jobs, each with a reason of its own, a snapshot still
 * fits into one message to Temporal (4 MB).
 */
export const MAX_REASON_CHARACTERS = 160;

/** Jobs of a campaign that was just accepted. */
export function newJobs(
  jobs: readonly (JobIdentity & {
    readonly dependsOn?: readonly Dependency[] | undefined;
    readonly requeueLimit?: number | undefined;
  })[],
): CampaignJob[] {
  return jobs.map(({ dependsOn = [], requeueLimit, ...identity }) => ({
    ...identity,
    state: 'waiting',
    reason: 'Waiting until the cluster is ready.',
    logsComplete: false,
    ...(dependsOn.length > 0 && { dependsOn }),
    ...(requeueLimit !== undefined && { requeueLimit }),
  }));
}

/** What everybody may see of a job. */
export function viewOfJob({
  dependsOn: _dependsOn,
  cancellation: _cancellation,
  requeueLimit: _requeueLimit,
  requeuesAsked: _requeuesAsked,
  ...view
}: CampaignJob): JobView {
  return view;
}

/** Whether Slurm does not have the job, as far as is known. */
export function isUnsubmitted({ state }: JobView): boolean {
  return state === 'waiting' || state === 'submitting';
}

/** Ends a job that Slurm never had: there is nothing to copy. */
export function endUnsubmitted<Job extends JobView>(
  job: Job,
  end: {
    readonly state: 'cancelled' | 'rejected';
    readonly reason: string;
    readonly nextStep?: string;
    readonly endedAt: string;
  },
): Job {
  return { ...job, ...end, logsComplete: true };
}

/** What Slurm made of the array of a task, as said of the task. */
export function answerOfTask({ arrayTaskId }: JobIdentity, answer: SubmissionAnswer): SubmissionAnswer {
  if (arrayTaskId === undefined || 'message' in answer) return answer;
  return { ...answer, jobId: taskKey(answer.jobId, arrayTaskId) };
}

/** The news of a job, among facts by key. An array is lost as a whole, and then every task that is of that very array. */
export function factOf<Fact extends SlurmJobFact>(
  { key, arrayKey, arrayTaskId, slurmJobId }: CampaignJob,
  facts: ReadonlyMap<string, Fact>,
): Fact | undefined {
  const own = facts.get(key);
  if (own || arrayKey === undefined || arrayTaskId === undefined) return own;
  const ofArray = facts.get(arrayKey);
  const jobId = ofArray && taskKey(ofArray.jobId, arrayTaskId);
  return ofArray && jobId === slurmJobId ? { ...ofArray, jobId } : undefined;
}

/** A job whose submission was answered. Facts that arrived meanwhile know more, if they are of the same Slurm job. */
export function jobAfterSubmission(job: CampaignJob, answer: SubmissionAnswer, now: string): CampaignJob {
  const { state, slurmJobId } = job;
  if ('message' in answer) {
    // Slurm shows a job that it refused as one that failed: its own words at the submission say why.
    const isRefused = state === 'rejected' && answer.status === 'rejected';
    if (state !== 'submitting' && !isRefused) return job;
    const message = clipped(answer.message, MAX_REASON_CHARACTERS);
    if (answer.status === 'rejected') {
      const reason = `Slurm refused it: ${message}`;
      return endUnsubmitted(job, { state: 'rejected', reason, nextStep: REFUSED_NEXT_STEP, endedAt: now });
    }
    const waiting = { ...job, state: 'waiting', reason: `Not in Slurm yet: ${message}` } as const;
    return job.cancellation ? cancelJob(waiting, job.cancellation.reason, now) : waiting;
  }
  if (state !== 'submitting' && slurmJobId === answer.jobId) return job;
  return {
    ...unstarted(job),
    state: 'pending',
    reason: 'Slurm has it.',
    slurmJobId: answer.jobId,
    submittedAt: now,
  };
}

/**
 * A job after news from Slurm at `observedAt`. News of another Slurm job than the one that the last submission answered
 * is old: ids are used again, so no number tells which is younger. A job that Slurm lost waits again.
 */
export function jobAfterNews(job: CampaignJob, fact: SlurmJobFact, observedAt: string): CampaignJob {
  // The words of the refusal say more. A job that only seemed not to be in Slurm is what Slurm says.
  if (job.state === 'rejected' && judge(fact).state === 'rejected') return job;
  const isOwn = job.slurmJobId === fact.jobId;
  if (fact.source === 'ledger') return isOwn && !isTerminal(job.state) ? lostJob(job, observedAt) : job;
  if (job.slurmJobId !== undefined && !isOwn) return job;
  const { requeuesAsked } = job;
  const seen = {
    ...jobAfterFact(job, fact, observedAt),
    ...intentions(job),
    ...(requeuesAsked && { requeuesAsked }),
  };
  return isTerminal(seen.state) ? endedAsWanted(seen) : withinRequeueLimit(seen, fact);
}

/** A job that ended because it was to end says why. */
function endedAsWanted(job: CampaignJob): CampaignJob {
  const { state, cancellation, nextStep: _nextStep, ...rest } = job;
  if (state !== 'cancelled' || !cancellation) return job;
  const { reason, isFailure } = cancellation;
  if (!isFailure)
    return { ...rest, cancellation, state, reason: clipped(`Cancelled: ${reason}`, MAX_REASON_CHARACTERS) };
  const nextStep = 'Look at why its nodes failed or did not start, then submit it again.';
  return { ...rest, cancellation, state: 'failed', reason, nextStep };
}

/** Slurm requeues a job whose node failed, did not boot, or was taken for other work, for ever. */
function withinRequeueLimit(job: CampaignJob, { restarts }: SlurmJobFact): CampaignJob {
  const { requeueLimit = Number.POSITIVE_INFINITY, requeuesAsked = [], cancellation } = job;
  const bySlurm = restarts - requeuesAsked.filter((before) => before < restarts).length;
  if (cancellation || bySlurm <= requeueLimit) return job;
  const reason = `Slurm requeued it ${counted(bySlurm, 'time')} by itself, which is more than its requeueLimit of ${requeueLimit}.`;
  return { ...job, cancellation: { reason, isAsked: false, isFailure: true } };
}

/**
 * A job that somebody asks Slurm to requeue. Noted before Slurm is asked, because its news may come before its answer; by
 * how often the job was requeued before, because who asks again before it was has asked once.
 */
export function jobAskedToRequeue(job: CampaignJob): CampaignJob {
  const { restarts = 0, requeuesAsked = [] } = job;
  return requeuesAsked.includes(restarts) ? job : { ...job, requeuesAsked: [...requeuesAsked, restarts] };
}

/** A job that Slurm did not requeue after all, `restarts` being how often it had been when that was asked for. */
export function jobNotRequeued(job: CampaignJob, restarts: number): CampaignJob {
  const { requeuesAsked = [], ...rest } = job;
  const others = requeuesAsked.filter((before) => before !== restarts);
  return others.length === 0 ? rest : { ...rest, requeuesAsked: others };
}

function lostJob(job: CampaignJob, now: string): CampaignJob {
  const lost = unstarted(job);
  const because = `Slurm lost it (job ${job.slurmJobId}) when its controller stopped`;
  if (!job.cancellation) return { ...lost, reason: `${because}: it is submitted again.` };
  const reason = `${because}, and it was cancelled: ${job.cancellation.reason}`;
  return endUnsubmitted(lost, { state: 'cancelled', reason, endedAt: now });
}

/** The job as if Slurm never had it. */
function unstarted(job: CampaignJob): CampaignJob {
  return {
    ...identityOf(job),
    state: 'waiting',
    reason: job.reason,
    logsComplete: false,
    ...intentions(job),
  };
}

function intentions({
  dependsOn,
  cancellation,
  requeueLimit,
}: CampaignJob): Pick<CampaignJob, 'dependsOn' | 'cancellation' | 'requeueLimit'> {
  return {
    ...(dependsOn && { dependsOn }),
    ...(cancellation && { cancellation }),
    ...(requeueLimit !== undefined && { requeueLimit }),
  };
}

/**
 * A job that somebody wants to end. One that still waits ends at once; one that Slurm has, or may have, when Slurm was
 * told and says so. Wanting it again tells Slurm again. One that has ended stays as it is.
 */
export function cancelJob(job: CampaignJob, reason: string, now: string): CampaignJob {
  if (isTerminal(job.state)) return job;
  const cancelled = { ...job, cancellation: { reason, isAsked: false } };
  if (job.state !== 'waiting') return cancelled;
  return endUnsubmitted(cancelled, {
    state: 'cancelled',
    reason: `Cancelled before it was submitted: ${reason}`,
    endedAt: now,
  });
}

/** Whether Slurm has a job that is to end and was not told so yet. */
export function mustBeCancelled({ state, slurmJobId, cancellation }: CampaignJob): boolean {
  return (
    cancellation !== undefined && !cancellation.isAsked && slurmJobId !== undefined && !isTerminal(state)
  );
}
