import { countWaitingForOthers } from './campaign-dependencies.ts';
import { endUnsubmitted, isUnsubmitted, newJobs } from './campaign-job.ts';
import type { CampaignSnapshot } from './campaign-snapshot.ts';
import type { CampaignOutcome, CampaignView, JobView } from './campaign-view.ts';
import type { CampaignDependency } from './dependencies.ts';
import type { Failure } from './failures.ts';
import type { Tenant } from './ids.ts';
import type { CampaignContentReference } from './job.ts';
import { isTerminal, type JobState } from './slurm-states.ts';
import { counted } from './wording.ts';

/** The snapshot of a campaign that was just accepted: every job waits for the cluster. */
export function newCampaignSnapshot(jobKeys: readonly string[], now: string): CampaignSnapshot {
  return {
    state: 'waiting-for-cluster',
    since: now,
    message: 'Accepted; waiting until the cluster is ready.',
    acceptedAt: now,
    jobs: newJobs(jobKeys.map((key) => ({ key }))),
    sequence: 0,
  };
}

/** How many jobs are in each state; states without jobs are left out. */
export function countByState(jobs: readonly JobView[]): Partial<Record<JobState, number>> {
  const counts: Partial<Record<JobState, number>> = {};
  for (const { state } of jobs) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

/** Jobs that Slurm does not have yet. */
export function unsubmitted<Job extends JobView>(jobs: readonly Job[]): Job[] {
  return jobs.filter(isUnsubmitted);
}

/** The state of a campaign that has not ended, and what is happening, in words. */
export function describeProgress(snapshot: CampaignSnapshot): Pick<CampaignSnapshot, 'state' | 'message'> {
  const { jobs, target, cancellation, state, message, dependsOn = [] } = snapshot;
  if (!target) return { state, message };
  const open = jobs.filter((job) => !isTerminal(job.state));
  const waiting = unsubmitted(jobs).length;
  const doomed = open.filter((job) => job.cancellation !== undefined);
  const dependent = countWaitingForOthers(jobs);
  const isAnyRefused = jobs.some((job) => job.state === 'rejected');
  const sentences = [
    dependsOn.length > 0 && waitingForCampaigns(dependsOn),
    waiting > 0 && dependsOn.length === 0 && `Being handed to Slurm: ${counted(waiting, 'job')}.`,
    waiting === 0 && `${isAnyRefused ? 'Not all jobs could be' : 'All jobs were'} handed to Slurm.`,
    dependent > 0 && `Waiting for others to end: ${counted(dependent, 'job')}.`,
    doomed.length > 0 &&
      `Being cancelled: ${counted(doomed.length, 'job')} (${doomed[0]?.cancellation?.reason}).`,
    cancellation && 'The campaign as a whole was cancelled.',
  ];
  return {
    state: dependsOn.length > 0 ? 'waiting-for-campaigns' : waiting > 0 ? 'submitting' : 'running',
    message: sentences.filter((sentence) => typeof sentence === 'string').join(' '),
  };
}

function waitingForCampaigns(dependsOn: readonly CampaignDependency[]): string {
  const ids = dependsOn.map(({ campaignId }) => campaignId);
  return `Waiting until ${ids.length === 1 ? 'campaign' : 'these campaigns'} ${ids.join(', ')} ${ids.length === 1 ? 'has' : 'have'} ended.`;
}

/** Ends every job that could not be handed to Slurm. If Slurm has one all the same, what it says counts. */
export function refuseUnsubmitted<Job extends JobView>(
  jobs: readonly Job[],
  { message, nextStep }: Pick<Failure, 'message' | 'nextStep'>,
  endedAt: string,
): Job[] {
  const end = { state: 'rejected', reason: `Could not be submitted: ${message}`, nextStep, endedAt } as const;
  return jobs.map((job) => (isUnsubmitted(job) ? endUnsubmitted(job, end) : job));
}

/** Whether every job has ended and all that it wrote is in the log group. */
export function isComplete(jobs: readonly JobView[]): boolean {
  return jobs.every(({ state, logsComplete }) => isTerminal(state) && logsComplete);
}

/**
 * How the campaign as a whole ended: failed when one job did, cancelled when none failed and one was cancelled. In a
 * campaign that was cancelled as a whole, jobs that failed before make no failure of it.
 */
export function outcome(jobs: readonly JobView[], isCancelled = false): CampaignOutcome {
  const states = new Set(jobs.map(({ state }) => state));
  if (isCancelled && states.has('cancelled')) return 'cancelled';
  if (states.has('failed') || states.has('timed-out') || states.has('rejected')) return 'failed';
  return states.has('cancelled') ? 'cancelled' : 'succeeded';
}

/**
 * Ends every job that has not ended, because its cluster is gone; what was seen before stays as it is. A job that was
 * being submitted may have run: only one that still waited certainly wrote nothing.
 */
export function loseJobs<Job extends JobView>(jobs: readonly Job[], because: string, now: string): Job[] {
  return jobs.map((job) => {
    if (job.state === 'waiting') return { ...job, ...lost(`Never submitted: ${because}`, now) };
    const logs = job.logsComplete
      ? {}
      : { logsProblem: `The cluster went before everything that the job wrote was copied: ${because}` };
    const end = isTerminal(job.state)
      ? { logsComplete: true }
      : lost(`The cluster went before the end of the job was seen: ${because}`, now);
    return { ...job, ...end, ...logs };
  });
}

function lost(reason: string, endedAt: string) {
  return { state: 'cancelled', reason, endedAt, logsComplete: true } as const;
}

/** The view of a campaign's state: what the memo carries and the API answers. */
export function renderCampaignView(
  tenant: Tenant,
  campaignId: string,
  content: CampaignContentReference,
  snapshot: CampaignSnapshot,
  observedAt: string,
): CampaignView {
  const { state, since, message, acceptedAt, endedAt, jobs, target, failure } = snapshot;
  return {
    version: 1,
    virtualLabId: tenant.virtualLabId,
    projectId: tenant.projectId,
    campaignId,
    state,
    since,
    message,
    observedAt,
    acceptedAt,
    ...(endedAt && { endedAt }),
    jobCount: jobs.length,
    jobsByState: countByState(jobs),
    content,
    ...(target && { logs: target.logs }),
    ...(failure && { failure }),
  };
}

/** The view of a campaign whose jobs are not known yet, or never will be: all of them are in one state. */
export function renderViewBeforePlan(
  tenant: Tenant,
  campaign: {
    readonly campaignId: string;
    readonly content: CampaignContentReference;
    readonly jobCount: number;
  },
  snapshot: CampaignSnapshot,
  observedAt: string,
  state: 'waiting' | 'rejected' = 'waiting',
): CampaignView {
  const { campaignId, content, jobCount } = campaign;
  const view = renderCampaignView(tenant, campaignId, content, snapshot, observedAt);
  return { ...view, jobCount, jobsByState: { [state]: jobCount } };
}

/** What an operator reads at the top of a campaign's workflow in the Temporal UI. */
export function renderCampaignDetails(view: CampaignView): string {
  const counts = Object.entries(view.jobsByState).map(([state, count]) => `${count} ${state}`);
  const lines = [
    `## Campaign ${view.campaignId}: ${view.state}`,
    view.message,
    '',
    `- **since** ${view.since}`,
    `- **jobs** ${view.jobCount} (${counts.join(', ')})`,
    ...(view.logs
      ? [`- **logs** \`${view.logs.logGroupName}\`, streams \`${view.logs.epoch}/${view.campaignId}/…\``]
      : []),
    ...(view.failure
      ? ['', `### ${view.failure.type}`, view.failure.message, '', `**Next step:** ${view.failure.nextStep}`]
      : []),
  ];
  return lines.join('\n');
}
