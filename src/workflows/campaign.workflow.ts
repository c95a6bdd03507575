import { CancellationScope, isCancellation, setHandler } from '@temporalio/workflow';
import { isComplete, loseJobs, outcome, refuseUnsubmitted, unsubmitted } from '../domain/campaign.ts';
import type { JobView } from '../domain/campaign-view.ts';
import { isTerminal } from '../domain/slurm-states.ts';
import { counted } from '../domain/wording.ts';
import { activities } from './activities.ts';
import { CampaignRun } from './campaign-run.ts';
import { failureFrom } from './failure.ts';
import {
  type CampaignInput,
  type CampaignTarget,
  campaignJob,
  campaignJobs,
  campaignView,
  clusterGone,
  clusterReady,
  slurmFacts,
} from './messages.ts';

/** Jobs that one SSH channel submits; small enough that a lost attempt is cheap, large enough to be fast. */
const SUBMISSION_BATCH = 100;

/** Jobs whose logs one activity copies. */
const LOG_BATCH = 50;

/** One submission: hands its jobs to Slurm once each, follows them, copies their logs, writes the manifest. */
export async function campaign(input: CampaignInput): Promise<void> {
  const run = new CampaignRun(input);
  registerHandlers(run);
  await run.publish();
  await untilGone(run, () => runJobs(run));
  await finish(run);
}

function registerHandlers(run: CampaignRun): void {
  setHandler(campaignView, () => run.view(), { description: 'How the campaign stands' });
  setHandler(
    campaignJobs,
    ({ offset, limit }) => ({
      jobs: run.snapshot.jobs.slice(offset, offset + limit),
      total: run.snapshot.jobs.length,
    }),
    { description: 'A page of the jobs' },
  );
  setHandler(campaignJob, ({ jobKey }) => run.snapshot.jobs.find(({ key }) => key === jobKey) ?? null, {
    description: 'One job by its key',
  });
  setHandler(clusterReady, (target) => run.aim(target));
  setHandler(slurmFacts, (message) => run.takeFacts(message));
  setHandler(clusterGone, ({ failure }) => run.lose(failure));
}

/** Runs until done or until the cluster is gone, which cancels whatever is being done there. */
async function untilGone(run: CampaignRun, work: () => Promise<void>): Promise<void> {
  const scope = new CancellationScope({ cancellable: true });
  run.onClusterGone(() => scope.cancel());
  try {
    await scope.run(work);
  } catch (error) {
    if (!(run.gone && isCancellation(error))) throw error;
  }
}

async function runJobs(run: CampaignRun): Promise<void> {
  while (!run.snapshot.target) {
    if (run.gone) return;
    await run.nextChange();
  }
  await submitAll(run, run.snapshot.target);
  await follow(run);
}

async function submitAll(run: CampaignRun, target: CampaignTarget): Promise<void> {
  for (;;) {
    const waiting = unsubmitted(run.snapshot.jobs);
    if (waiting.length === 0) return;
    run.enter('submitting', `Being handed to Slurm: ${counted(waiting.length, 'job')}.`);
    try {
      await submitBatch(run, target, waiting.slice(0, SUBMISSION_BATCH));
    } catch (error) {
      if (isCancellation(error)) throw error;
      // What repeating could not mend: the campaign says so, and follows what Slurm already has.
      const failure = failureFrom(error);
      run.snapshot.failure = failure;
      run.snapshot.jobs = refuseUnsubmitted(run.snapshot.jobs, failure.message, new Date().toISOString());
    }
    await run.rollOverIfNeeded();
  }
}

async function submitBatch(
  run: CampaignRun,
  target: CampaignTarget,
  batch: readonly JobView[],
): Promise<void> {
  run.replaceJobs(batch.map((job) => ({ ...job, state: 'submitting', reason: 'Being handed to Slurm.' })));
  await run.publish();
  const outcomes = await activities.submitJobs({
    ...target.deployment,
    access: target.access,
    campaignId: run.input.campaignId,
    content: run.input.content,
    jobs: batch.map(({ key }) => ({ jobKey: key })),
    defaultQueue: target.defaultQueue,
  });
  const now = new Date().toISOString();
  const byKey = new Map(outcomes.map((answer) => [answer.jobKey, answer]));
  run.updateJobs((job) => {
    const answer = byKey.get(job.key);
    // Facts that arrived meanwhile know more than the submission's answer.
    if (!answer || job.state !== 'submitting') return job;
    if (answer.status === 'deferred') return { ...job, state: 'waiting', reason: answer.message };
    return answer.status === 'rejected'
      ? {
          ...job,
          state: 'rejected',
          reason: `Slurm refused it: ${answer.message}`,
          endedAt: now,
          logsComplete: true,
        }
      : { ...job, state: 'pending', reason: 'Slurm has it.', slurmJobId: answer.jobId, submittedAt: now };
  });
}

async function follow(run: CampaignRun): Promise<void> {
  run.enter(
    'running',
    run.snapshot.failure ? 'Not all jobs could be handed to Slurm.' : 'All jobs were handed to Slurm.',
  );
  while (!isComplete(run.snapshot.jobs)) {
    await run.publish();
    const ended = run.snapshot.jobs
      .filter((job) => isTerminal(job.state) && !job.logsComplete)
      .slice(0, LOG_BATCH);
    if (ended.length > 0)
      await copyLogs(
        run,
        ended.map(({ key }) => key),
      );
    else await run.nextChange();
    await run.rollOverIfNeeded();
  }
}

/** Copies what ended jobs wrote. A failure is noted at the jobs: logging never makes a job or a campaign fail. */
async function copyLogs(run: CampaignRun, keys: readonly string[]): Promise<void> {
  const { target, jobs } = run.snapshot;
  if (!target) return;
  const wanted = new Set(keys);
  let problem: string | undefined;
  try {
    await activities.copyJobLogs({
      ...target.deployment,
      access: target.access,
      campaignId: run.input.campaignId,
      content: run.input.content,
      jobs: jobs.filter(({ key }) => wanted.has(key)).map((view) => ({ jobKey: view.key, view })),
    });
  } catch (error) {
    if (isCancellation(error)) throw error;
    problem = failureFrom(error).message;
  }
  run.updateJobs((job) =>
    wanted.has(job.key) ? { ...job, logsComplete: true, ...(problem && { logsProblem: problem }) } : job,
  );
}

async function finish(run: CampaignRun): Promise<void> {
  const { snapshot, input, gone } = run;
  const now = new Date().toISOString();
  if (gone && !isComplete(snapshot.jobs)) {
    snapshot.jobs = loseJobs(snapshot.jobs, gone.message, now);
    snapshot.failure = gone;
  }
  const state = outcome(snapshot.jobs);
  const count = snapshot.jobs.filter((job) => job.state === 'succeeded').length;
  await activities.writeManifest({
    content: input.content,
    campaignId: input.campaignId,
    jobs: snapshot.jobs,
    ...(snapshot.target && { logs: snapshot.target.logs }),
  });
  snapshot.endedAt = now;
  run.enter(state, `${count} of ${counted(snapshot.jobs.length, 'job')} succeeded.`);
  await run.publish(true);
}
