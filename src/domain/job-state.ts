import type { JobView } from './campaign-view.ts';
import { parseJobComment } from './ids.ts';
import { type JobIdentity, taskKey } from './job-array.ts';
import { type ClusterActivity, DROPPED_FROM_ARRAY, type SlurmJobFact } from './slurm-facts.ts';
import {
  describeSignal,
  explainPending,
  isStuckReason,
  NODES_BOOT,
  PAUSED_AFTER_REQUEUE,
  type PendingExplanation,
  REQUEUED_AND_HELD,
} from './slurm-reasons.ts';
import { isTerminal } from './slurm-states.ts';
import type { JobState, SlurmStateFlag } from './slurm-states.ts';

export type Verdict = Pick<JobView, 'state' | 'reason' | 'nextStep' | 'pendingCause'>;

/**
 * The view of a job after a look at Slurm at `observedAt` (ISO 8601, used where Slurm names no end time). A job that
 * no fact shows keeps its state, whatever that was: one that has left the queue and that accounting does not know yet
 * has not ended for us. The same holds where accounting alone says that the job lives: it lags behind, or the
 * controller has lost the job. A job that the ledger says is lost waits for its submission again.
 */
export function jobAfterFact(previous: JobView, fact: SlurmJobFact | undefined, observedAt: string): JobView {
  if (fact === undefined || (fact.source === 'accounting' && !hasEnded(fact))) return unseen(previous);
  if (fact.source === 'ledger') return lost(previous, fact);
  const judged = judge(fact);
  const verdict = isSameEnd(previous, judged, fact) ? endOf(previous) : judged;
  const isRun = verdict.state !== 'rejected';
  const startedAt = isRun ? isoTime(fact.startTime) : undefined;
  return {
    ...identityOf(previous),
    ...verdict,
    slurmJobId: fact.jobId,
    slurmState: [fact.state ?? 'UNRECOGNISED', ...fact.flags].join(' '),
    ...(isTerminal(verdict.state)
      ? { ...(isRun && exitOf(fact)), endedAt: isoTime(fact.endTime) ?? observedAt }
      : {}),
    submittedAt: isoTime(fact.submitTime) ?? previous.submittedAt ?? observedAt,
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(fact.nodes === '' ? {} : { nodes: fact.nodes }),
    restarts: fact.restarts,
    logsComplete: previous.logsComplete,
  };
}

/** What a job is, whatever becomes of it. */
export function identityOf({ key, arrayKey, arrayTaskId }: JobView): JobIdentity {
  return {
    key,
    ...(arrayKey !== undefined && { arrayKey }),
    ...(arrayTaskId !== undefined && { arrayTaskId }),
  };
}

/** What was said of a job that has ended. */
function endOf({ state, reason, nextStep }: JobView): Verdict {
  return { state, reason, ...(nextStep !== undefined && { nextStep }) };
}

/** Accounting does not keep the reason of an end that the queue has shown; only it says who cancelled a job. */
function isSameEnd(
  previous: JobView,
  { state }: Verdict,
  { jobId, source, cancelledBy }: SlurmJobFact,
): boolean {
  return (
    source === 'accounting' &&
    cancelledBy === undefined &&
    isTerminal(previous.state) &&
    previous.state === state &&
    previous.slurmJobId === jobId
  );
}

/** Only the very job that is lost: its key may have another one by now. */
function lost(previous: JobView, { jobId }: SlurmJobFact): JobView {
  if (isTerminal(previous.state) || previous.slurmJobId !== jobId) return previous;
  return {
    ...identityOf(previous),
    state: 'waiting',
    reason: `Slurm lost the job ${jobId}, which it had accepted: it is submitted again`,
    logsComplete: false,
  };
}

const notYetInSlurm: ReadonlySet<JobState> = new Set(['waiting', 'submitting']);

function unseen(previous: JobView): JobView {
  if (isTerminal(previous.state) || notYetInSlurm.has(previous.state)) return previous;
  const { nextStep: _nextStep, pendingCause: _pendingCause, ...rest } = previous;
  return {
    ...rest,
    reason: 'The queue no longer shows the job and accounting does not know its end yet',
  };
}

function isoTime(seconds: number | undefined): string | undefined {
  return seconds === undefined ? undefined : new Date(seconds * 1000).toISOString();
}

/** A signal leaves no exit code, and that of a cancelled job says nothing about the job. */
function exitOf({ state, exitCode, signal }: SlurmJobFact): Pick<JobView, 'exitCode' | 'signal'> {
  if (signal !== undefined) return { signal };
  return exitCode === undefined || state === 'CANCELLED' ? {} : { exitCode };
}

/** Of a job that Slurm refused, whoever says so: its answer at the submission, or a look. */
export const REFUSED_NEXT_STEP = 'Submit it again with a request that the queue can meet.';

/** What a fact means. Flags come first: they say what the base state alone would hide. */
export function judge(fact: SlurmJobFact): Verdict {
  const has = (...flags: SlurmStateFlag[]) => flags.some((flag) => fact.flags.includes(flag));
  if (fact.source === 'ledger') return { state: 'waiting', reason: 'Slurm lost it' };
  if (isRefused(fact)) {
    return {
      state: 'rejected',
      reason: 'Slurm refused it: no node can satisfy what it asks for',
      nextStep: REFUSED_NEXT_STEP,
    };
  }
  if (fact.unreadable !== undefined)
    return { state: 'unknown', reason: `Slurm’s record of it cannot be read: ${fact.unreadable}` };
  if (fact.state === undefined)
    return { state: 'unknown', reason: 'Slurm names a state that this version does not know' };
  if (has('REVOKED')) return { state: 'cancelled', reason: 'Another cluster of the federation ran it' };
  if (has('REQUEUE_HOLD', 'SPECIAL_EXIT', 'RESV_DEL_HOLD')) return waiting(REQUEUED_AND_HELD);
  if (has('REQUEUED', 'REQUEUE_FED', 'LAUNCH_FAILED')) return { state: 'pending', reason: 'Requeued' };
  if (has('COMPLETING', 'STAGE_OUT'))
    return { state: 'completing', reason: 'Its processes have ended; Slurm is cleaning up its nodes' };
  if (has('STOPPED')) return { state: 'suspended', reason: 'Stopped by a signal' };
  if (has('CONFIGURING', 'POWER_UP_NODE')) return waiting(NODES_BOOT);
  switch (fact.state) {
    case 'PENDING':
      // Nothing of ours has a start time of its own.
      if (fact.reason === 'BeginTime' && fact.restarts > 0) return waiting(PAUSED_AFTER_REQUEUE);
      return waiting(explainPending(fact.reason, fact.nodeProblem));
    case 'RUNNING':
      return { state: 'running', reason: 'Running' };
    case 'SUSPENDED':
      return { state: 'suspended', reason: 'Suspended' };
    default:
      return ends[fact.state](fact);
  }
}

function waiting({ text, cause, nextStep }: PendingExplanation): Verdict {
  return { state: 'pending', reason: text, pendingCause: cause, nextStep };
}

/**
 * A job that Slurm refused at its submission is in the queue and in accounting all the same, as failed with an exit code
 * of 1, on no node, in the moment in which it came (seen with 24.11).
 */
function isRefused({ state, nodes, submitTime, startTime = submitTime, endTime }: SlurmJobFact): boolean {
  const isAtOnce = submitTime !== undefined && submitTime === startTime && submitTime === endTime;
  return state === 'FAILED' && nodes === '' && isAtOnce;
}

type EndState = Exclude<NonNullable<SlurmJobFact['state']>, 'PENDING' | 'RUNNING' | 'SUSPENDED'>;

const LOOK_AT_OUTPUT = 'Read its stderr and stdout, mend the job and submit it again.';
const SUBMIT_AGAIN = 'Submit it again: it was not the job’s own fault.';

const ends: Readonly<Record<EndState, (fact: SlurmJobFact) => Verdict>> = {
  COMPLETED: () => ({ state: 'succeeded', reason: 'Exit code 0' }),
  // With --kill-on-invalid-dep Slurm itself cancels, in the moment of the submission if it knows the end by then
  // (seen with 24.11; that moment is then also the start).
  CANCELLED: ({ startTime, reason, cancelledBy, cancelledByLogin = `user ${cancelledBy}` }) => {
    if (reason === DROPPED_FROM_ARRAY)
      return {
        state: 'cancelled',
        reason:
          'Taken out of its array before it started: Slurm knows other tasks of it, and nothing of this one',
        nextStep: 'Submit it again if nobody cancelled it on purpose.',
      };
    if (reason === 'DependencyNeverSatisfied')
      return {
        state: 'cancelled',
        reason: 'A job that it depends on did not end as required',
        nextStep: 'Mend that job and submit both again.',
      };
    const who = cancelledBy === undefined ? '' : ` by ${cancelledBy === 0 ? 'root' : cancelledByLogin}`;
    const when = startTime === undefined ? ' before it started' : '';
    return { state: 'cancelled', reason: `Cancelled${who}${when}` };
  },
  FAILED: (fact) => ({ state: 'failed', reason: describeExit(fact), nextStep: LOOK_AT_OUTPUT }),
  TIMEOUT: () => ({
    state: 'timed-out',
    reason: 'Its time limit was reached',
    nextStep:
      'Submit it again with a longer timeLimitSeconds, or let it save its progress and go on from there.',
  }),
  // Slurm gives up jobs that wait; none that runs was seen to end by its deadline (24.11).
  DEADLINE: ({ nodes }) => ({
    state: 'failed',
    reason: nodes === '' ? 'It could no longer end before its deadline' : 'Its deadline was reached',
    nextStep:
      'Submit it again with a later deadline, or with a shorter timeLimitSeconds, which counts in full.',
  }),
  OUT_OF_MEMORY: () => ({
    state: 'failed',
    reason: 'It used more memory than it had asked for and was killed',
    nextStep: 'Submit it again with more memoryMebibytesPerNode.',
  }),
  NODE_FAIL: () => ({
    state: 'failed',
    reason: 'A node of it failed, or did not start',
    nextStep: SUBMIT_AGAIN,
  }),
  BOOT_FAIL: () => ({ state: 'failed', reason: 'Its nodes could not be started', nextStep: SUBMIT_AGAIN }),
  PREEMPTED: () => ({
    state: 'failed',
    reason: 'It was ended in favour of a job of higher priority',
    nextStep: SUBMIT_AGAIN,
  }),
};

function describeExit({ exitCode, signal, reason }: SlurmJobFact): string {
  if (signal !== undefined) return `Ended by ${describeSignal(signal)}`;
  if (exitCode !== undefined && exitCode > 128 && exitCode < 160) {
    return `Exit code ${exitCode}, as a shell reports ${describeSignal(exitCode - 128)}`;
  }
  // Slurm fails jobs that it could not start with exit code 0 and a reason such as RaisedSignal or JobLaunchFailure.
  if (exitCode === undefined || exitCode === 0) return reason === '' ? 'Failed' : `Failed: ${reason}`;
  return `Exit code ${exitCode}`;
}

/** Whether Slurm says by this fact that the job has ended. */
function hasEnded(fact: SlurmJobFact): boolean {
  return isTerminal(judge(fact).state);
}

/**
 * The better of two facts about one Slurm job. The queue is the truth, so an old end in accounting does not hide that
 * the job was requeued. Only an end that accounting has seen since (same submission, same run, after the run's start,
 * not while processes are being killed) is newer than a queue that still shows the job alive.
 */
export function betterFact(queue: SlurmJobFact, accounting: SlurmJobFact): SlurmJobFact {
  const isNewer =
    !hasEnded(queue) &&
    hasEnded(accounting) &&
    !queue.flags.includes('COMPLETING') &&
    accounting.submitTime === queue.submitTime &&
    accounting.restarts >= queue.restarts &&
    (accounting.endTime ?? 0) >= (queue.startTime ?? Infinity);
  if (isNewer) return { ...accounting, comment: queue.comment };
  // The queue never tells who cancelled a job.
  const { cancelledBy, cancelledByLogin } = accounting;
  const isSameEnd = queue.state === 'CANCELLED' && accounting.endTime === queue.endTime;
  if (!isSameEnd || cancelledBy === undefined) return queue;
  return { ...queue, cancelledBy, ...(cancelledByLogin !== undefined && { cancelledByLogin }) };
}

/**
 * One fact for every key of each campaign in this epoch, of arrays for that of every task; that of an array itself only if
 * Slurm lost it. Several Slurm jobs of one key (one that Slurm lost, and its repetition): a live one counts before an
 * ended one, then the youngest. Goes through the facts once, however many campaigns there are.
 */
export function factsByCampaign(
  facts: readonly SlurmJobFact[],
  epoch: string,
): ReadonlyMap<string, ReadonlyMap<string, SlurmJobFact>> {
  const campaigns = new Map<string, Map<string, SlurmJobFact>>();
  for (const fact of mergeSources(facts)) {
    const reference = parseJobComment(fact.comment);
    if (reference?.epoch !== epoch) continue;
    const { campaignId, jobKey } = reference;
    const chosen = campaigns.get(campaignId) ?? new Map<string, SlurmJobFact>();
    campaigns.set(campaignId, chosen);
    const { arrayTaskId } = fact;
    const key = arrayTaskId === undefined ? jobKey : taskKey(jobKey, arrayTaskId);
    const other = chosen.get(key);
    if (other === undefined || outranks(fact, other)) chosen.set(key, fact);
  }
  return campaigns;
}

/** Those of one campaign. */
export function factsByJobKey(
  facts: readonly SlurmJobFact[],
  { epoch, campaignId }: { readonly epoch: string; readonly campaignId: string },
): ReadonlyMap<string, SlurmJobFact> {
  return factsByCampaign(facts, epoch).get(campaignId) ?? new Map<string, SlurmJobFact>();
}

function outranks(fact: SlurmJobFact, other: SlurmJobFact): boolean {
  const lives = (one: SlurmJobFact) => !hasEnded(one) && one.source === 'queue';
  if (lives(fact) !== lives(other)) return lives(fact);
  if (fact.source === 'ledger' || other.source === 'ledger') return other.source === 'ledger';
  return (fact.submitTime ?? 0) > (other.submitTime ?? 0);
}

/** Joins what queue and accounting say about the same submission: ids are used again, so the time must agree too. */
export function mergeSources(facts: readonly SlurmJobFact[]): SlurmJobFact[] {
  const identity = (fact: SlurmJobFact) => `${fact.jobId} ${fact.submitTime ?? ''}`;
  const merged = new Map<string, SlurmJobFact>();
  for (const fact of facts) if (fact.source === 'queue') merged.set(identity(fact), fact);
  for (const fact of facts) {
    if (fact.source !== 'accounting') continue;
    const queue = merged.get(identity(fact));
    merged.set(identity(fact), queue === undefined ? fact : betterFact(queue, fact));
  }
  return [...merged.values(), ...facts.filter(({ source }) => source === 'ledger')];
}

/**
 * What keeps the cluster busy, over every user's jobs. Only the queue counts: accounting can show jobs as running for
 * ever that died with an earlier cluster of the same name. A state that is not known counts as running.
 */
export function classifyActivity(
  facts: readonly SlurmJobFact[],
  interactiveSessions: number,
): ClusterActivity {
  const counts = { running: 0, pending: 0, stuck: 0 };
  let unreadable = 0;
  for (const fact of facts) {
    if (fact.source !== 'queue' || hasEnded(fact)) continue;
    counts[classify(fact)] += 1;
    if (fact.unreadable !== undefined) unreadable += 1;
  }
  return { ...counts, interactiveSessions, ...(unreadable > 0 && { unreadable }) };
}

function classify(fact: SlurmJobFact): 'running' | 'pending' | 'stuck' {
  if (fact.state !== 'PENDING') return 'running';
  const held = (['REQUEUE_HOLD', 'SPECIAL_EXIT', 'RESV_DEL_HOLD'] as const).some((flag) =>
    fact.flags.includes(flag),
  );
  return held || isStuckReason(fact.reason) ? 'stuck' : 'pending';
}
