import { isCancellation } from '@temporalio/workflow';
import { describeProgress, isComplete, refuseUnsubmitted } from '../domain/campaign.ts';
import { endUnmeetable, nextBatch, type SubmittableJob } from '../domain/campaign-dependencies.ts';
import {
  answerOfTask,
  type CampaignJob,
  jobAfterSubmission,
  mustBeCancelled,
  viewOfJob,
} from '../domain/campaign-job.ts';
import type { Failure } from '../domain/failures.ts';
import { parseIndexes, submissionKeyOf, taskKey } from '../domain/job-array.ts';
import { isTerminal } from '../domain/slurm-states.ts';
import { nowIso } from './clock.ts';
import { activities } from './activities.ts';
import { awaitPredecessors } from './campaign-predecessors.ts';
import { type CampaignRun } from './campaign-run.ts';
import { failureFrom } from './failure.ts';
import type { CampaignTarget } from './messages.ts';
import { SideBySide } from './side-by-side.ts';

/**
 * What one SSH channel submits: small enough that a lost attempt is cheap, large enough to be fast. Each dependency is
 * told by key, so that the largest batch is half a megabyte.
 */
const SUBMISSION_BATCH = { jobs: 100, dependencies: 5000 };

/** Jobs whose logs one activity copies. */
const LOG_BATCH = 100;

/** When jobs are tried again whose dependencies Slurm did not know, if no newer facts come. */
const DEFERRED_SECONDS = 30;

/** How long what is under way may take to end before the run continues as new all the same: all of it can be repeated. */
const ROLL_OVER_SECONDS = 300;

type Task = 'submit' | 'cancel' | 'copy';

/**
 * Submits jobs, copies logs of ended ones and cancels what is to be cancelled, side by side, until each job has ended
 * and is copied. One loop decides; what it begins only notes its results in the run.
 */
export async function runJobs(run: CampaignRun): Promise<void> {
  const tasks = new SideBySide<Task>(() => run.wake());
  const stopWaiting = awaitPredecessors(run);
  try {
    for (;;) {
      const batch = tasks.isBusy('submit') ? [] : prepareBatch(run);
      if (isComplete(run.snapshot.jobs)) return;
      const { state, message } = describeProgress(run.snapshot);
      run.enter(state, message);
      await run.publish();
      begin(run, tasks, batch);
      await untilSomethingHappened(run, tasks);
      if (!run.mustRollOver) continue;
      await tasks.stop(ROLL_OVER_SECONDS);
      await run.rollOverIfNeeded();
    }
  } finally {
    await stopWaiting();
    await tasks.settled();
  }
}

async function untilSomethingHappened(run: CampaignRun, tasks: SideBySide<Task>): Promise<void> {
  if (!run.isSideBySide && tasks.isAnyBusy) {
    await tasks.settled();
  } else {
    const isChanged = await run.nextChange(run.deferred.size > 0 ? DEFERRED_SECONDS : undefined);
    if (!isChanged) run.deferred.clear();
  }
  tasks.throwIfBroken();
}

/** Ends jobs whose dependencies can no longer be met, and takes those that Slurm is to get next. */
function prepareBatch(run: CampaignRun): SubmittableJob[] {
  const { snapshot, order, deferred } = run;
  snapshot.jobs = endUnmeetable(snapshot.jobs, order, nowIso());
  if (!snapshot.target || (snapshot.dependsOn ?? []).length > 0) return [];
  const batch = nextBatch(snapshot.jobs, order, deferred, SUBMISSION_BATCH);
  if (batch.length > 0) {
    run.updateJobsOf(keysOf(batch), (job) => ({
      ...job,
      state: 'submitting',
      reason: 'Being handed to Slurm.',
    }));
  }
  return batch;
}

/** The keys of all jobs of a batch, of arrays those of the tasks that are in it. */
function keysOf(batch: readonly SubmittableJob[]): string[] {
  return batch.flatMap(({ jobKey, indexes }) =>
    indexes === undefined ? [jobKey] : parseIndexes(indexes).map((index) => taskKey(jobKey, index)),
  );
}

function begin(run: CampaignRun, tasks: SideBySide<Task>, batch: readonly SubmittableJob[]): void {
  const { target, jobs } = run.snapshot;
  if (!target) return;
  if (batch.length > 0) tasks.begin('submit', async () => submit(run, target, batch));
  const isFree = (task: Task) => (run.isSideBySide ? !tasks.isBusy(task) : !tasks.isAnyBusy);
  const doomed = isFree('cancel') ? jobs.filter(mustBeCancelled) : [];
  if (doomed.length > 0) tasks.begin('cancel', async () => cancel(run, target, doomed));
  const ended = isFree('copy') ? jobs.filter(mustBeCopied).slice(0, LOG_BATCH) : [];
  if (ended.length > 0) tasks.begin('copy', async () => copyLogs(run, target, ended));
}

function mustBeCopied({ state, logsComplete }: CampaignJob): boolean {
  return isTerminal(state) && !logsComplete;
}

function addressOf(run: CampaignRun, { deployment, access }: CampaignTarget) {
  return { ...deployment, access, campaignId: run.input.campaignId };
}

async function submit(
  run: CampaignRun,
  target: CampaignTarget,
  jobs: readonly SubmittableJob[],
): Promise<void> {
  const { content } = run.input;
  const { defaultQueue } = target;
  const outcomes = await attempt(async () =>
    activities.submitJobs({ ...addressOf(run, target), content, jobs, defaultQueue }),
  );
  if ('failure' in outcomes) {
    // What repeating could not mend: the campaign says so, and follows what Slurm already has.
    const { failure } = outcomes;
    run.snapshot.failure = failure;
    run.snapshot.jobs = refuseUnsubmitted(run.snapshot.jobs, failure, nowIso());
    return;
  }
  const byKey = new Map(outcomes.answer.map((outcome) => [outcome.jobKey, outcome]));
  for (const { jobKey, status } of outcomes.answer) if (status === 'deferred') run.deferred.add(jobKey);
  run.updateJobsOf(keysOf(jobs), (job) => {
    const answer = byKey.get(submissionKeyOf(job));
    return answer ? jobAfterSubmission(job, answerOfTask(job, answer), nowIso()) : job;
  });
}

/** Tells Slurm what is to end. That it has ended is told by facts. */
async function cancel(run: CampaignRun, target: CampaignTarget, jobs: readonly CampaignJob[]): Promise<void> {
  const jobKeys = jobs.map(({ key }) => key);
  const which = run.snapshot.cancellation ? {} : { jobKeys };
  const outcome = await attempt(async () =>
    activities.cancelCampaignJobs({ ...addressOf(run, target), ...which }),
  );
  if ('failure' in outcome) run.snapshot.failure = outcome.failure;
  run.updateJobsOf(jobKeys, (job) =>
    job.cancellation ? { ...job, cancellation: { ...job.cancellation, isAsked: true } } : job,
  );
}

/** Copies what ended jobs wrote. A failure, or what was left out, is noted at the jobs: logging never makes a job or a campaign fail. */
async function copyLogs(
  run: CampaignRun,
  target: CampaignTarget,
  ended: readonly CampaignJob[],
): Promise<void> {
  const { content } = run.input;
  const jobs = ended.map((job) => ({ jobKey: job.key, view: viewOfJob(job) }));
  const outcome = await attempt(async () =>
    activities.copyJobLogs({ ...addressOf(run, target), content, jobs }),
  );
  const problemsOf = (jobKey: string) =>
    'failure' in outcome
      ? [outcome.failure]
      : (outcome.answer.problems ?? []).filter((problem) => problem.jobKey === jobKey);
  run.updateJobsOf(
    ended.map(({ key }) => key),
    (job) => {
      const logsProblem = problemsOf(job.key)
        .map(({ message }) => message)
        .join(' ');
      return { ...job, logsComplete: true, ...(logsProblem && { logsProblem }) };
    },
  );
}

/** What an activity answered, or why it failed for good. */
async function attempt<Answer>(
  call: () => Promise<Answer>,
): Promise<{ readonly answer: Answer } | { readonly failure: Failure }> {
  try {
    return { answer: await call() };
  } catch (error) {
    if (isCancellation(error)) throw error;
    return { failure: failureFrom(error) };
  }
}
