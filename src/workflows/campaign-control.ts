import { ApplicationFailure, isCancellation } from '@temporalio/workflow';
import { type CampaignJob, jobAskedToRequeue, jobNotRequeued } from '../domain/campaign-job.ts';
import { isFailureType } from '../domain/failures.ts';
import {
  type ControlOutcome,
  type ControlRequest,
  type JobAction,
  MAX_CONTROLLED_JOBS,
} from '../domain/job-control.ts';
import { isNamed } from '../domain/job-array.ts';
import { isTerminal } from '../domain/slurm-states.ts';
import { activities } from './activities.ts';
import type { CampaignRun } from './campaign-run.ts';
import { failureFrom, rejection } from './failure.ts';
import type { CampaignTarget } from './messages.ts';

/** Does to jobs what somebody asked for, and answers what became of it at each. */
export async function control(
  run: CampaignRun,
  { jobKeys, action }: ControlRequest,
): Promise<ControlOutcome[]> {
  const { jobs, target } = run.snapshot;
  const wanted = new Set(jobKeys);
  const chosen = jobs.filter((job) => isNamed(job, wanted));
  if (chosen.length > MAX_CONTROLLED_JOBS) {
    const message = `These are ${chosen.length} jobs, each task of an array counted: name at most ${MAX_CONTROLLED_JOBS} at a time.`;
    throw rejection('JobActionRefused', message);
  }
  const inSlurm = chosen.filter((job) => refusalOf(job) === undefined);
  const answers = new Map(
    target && inSlurm.length > 0
      ? (await askNoted(run, target, action, inSlurm)).map((outcome) => [outcome.jobKey, outcome])
      : [],
  );
  return chosen.map((job) => {
    const message = refusalOf(job) ?? 'Slurm does not have it any more.';
    return answers.get(job.key) ?? { jobKey: job.key, status: 'refused', message };
  });
}

/** Why Slurm need not be asked. */
function refusalOf({ state, slurmJobId }: CampaignJob): string | undefined {
  if (isTerminal(state)) return `It has ended: it is ${state}.`;
  return slurmJobId === undefined ? 'Slurm does not have it yet.' : undefined;
}

/** Requeues that somebody asks for are noted at the jobs: `requeueLimit` does not count them. */
async function askNoted(
  run: CampaignRun,
  target: CampaignTarget,
  action: JobAction,
  jobs: readonly CampaignJob[],
): Promise<ControlOutcome[]> {
  if (action.kind !== 'requeue') return ask(run, target, action, jobs);
  const keys = jobs.map(({ key }) => key);
  run.updateJobsOf(keys, jobAskedToRequeue);
  const outcomes = await ask(run, target, action, jobs);
  const restartsOf = new Map(jobs.map(({ key, restarts = 0 }) => [key, restarts]));
  const notDone = outcomes.filter(({ status }) => status !== 'done').map(({ jobKey }) => jobKey);
  run.updateJobsOf(notDone, (job) => jobNotRequeued(job, restartsOf.get(job.key) ?? 0));
  return outcomes;
}

async function ask(
  { input: { campaignId } }: CampaignRun,
  { deployment, access, adminAccess }: CampaignTarget,
  action: JobAction,
  jobs: readonly CampaignJob[],
): Promise<ControlOutcome[]> {
  const head = { ...deployment, access, ...(adminAccess && { adminAccess }) };
  const wanted = jobs.map(({ key, restarts = 0 }) => ({ jobKey: key, restarts }));
  try {
    return await activities.controlJobs({ ...head, campaignId, action, jobs: wanted });
  } catch (error) {
    if (isCancellation(error)) throw error;
    const { type, message } = failureFrom(error, 'SlurmUnavailable');
    throw isFailureType(type) ? rejection(type, message) : ApplicationFailure.nonRetryable(message);
  }
}
