import { CancellationScope, isCancellation } from '@temporalio/workflow';
import { endUnsubmitted, isUnsubmitted } from '../domain/campaign-job.ts';
import { demands, isMetBy } from '../domain/campaign-dependencies.ts';
import type { CampaignDependency } from '../domain/dependencies.ts';
import { activities } from './activities.ts';
import type { CampaignRun } from './campaign-run.ts';
import { nowIso } from './clock.ts';
import { failureFrom } from './failure.ts';

/**
 * Waits, beside everything else, for the campaigns that must have ended before this one begins, and notes in the run which
 * have. One that ended in another way than asked, or of which nobody knows the end, ends all jobs that wait.
 *
 * @returns how to give the wait up
 */
export function awaitPredecessors(run: CampaignRun): () => Promise<void> {
  const scope = new CancellationScope({ cancellable: true });
  const waits = scope.run(async () =>
    Promise.all((run.snapshot.dependsOn ?? []).map(async (dependency) => awaitOne(run, dependency))),
  );
  const over = waits.catch((error: unknown) => {
    if (!isCancellation(error)) throw error;
  });
  return async () => {
    scope.cancel();
    await over;
  };
}

async function awaitOne(run: CampaignRun, dependency: CampaignDependency): Promise<void> {
  const { campaignId, condition } = dependency;
  let problem: string | undefined;
  try {
    const end = await activities.readCampaignEnd({ ...run.tenant, campaignId });
    if (!isMetBy(condition, [end])) problem = `campaign ${campaignId} ended as ${end}`;
  } catch (error) {
    if (isCancellation(error)) throw error;
    problem = failureFrom(error).message;
  }
  const { snapshot } = run;
  snapshot.dependsOn = (snapshot.dependsOn ?? []).filter((other) => other !== dependency);
  if (problem === undefined) run.wake();
  else endWaiting(run, `Never submitted: ${problem}, and it was to start ${demands[condition]}.`);
}

function endWaiting(run: CampaignRun, reason: string): void {
  const endedAt = nowIso();
  run.updateJobs((job) =>
    isUnsubmitted(job) ? endUnsubmitted(job, { state: 'cancelled', reason, endedAt }) : job,
  );
}
