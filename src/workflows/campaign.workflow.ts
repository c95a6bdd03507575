import { CancellationScope, isCancellation, setHandler } from '@temporalio/workflow';
import type { ManifestPartReference } from '../domain/campaign-manifest.ts';
import { isComplete, loseJobs, outcome } from '../domain/campaign.ts';
import { cancelRequestSchema, reasonInWords } from '../domain/campaign-cancel.ts';
import { viewOfJob } from '../domain/campaign-job.ts';
import { namesOf } from '../domain/campaign-plan.ts';
import { JOBS_PER_PART } from '../domain/campaign-manifest.ts';
import type { CampaignOutcome } from '../domain/campaign-view.ts';
import { controlRequestSchema } from '../domain/job-control.ts';
import type { JobChunk } from '../domain/job-chunks.ts';
import { problemWith } from '../domain/lifetime.ts';
import { counted } from '../domain/wording.ts';
import { nowIso } from './clock.ts';
import { activities } from './activities.ts';
import { control } from './campaign-control.ts';
import { runJobs } from './campaign-jobs.ts';
import { CampaignRun } from './campaign-run.ts';
import { failureFrom, refuse, rejection } from './failure.ts';
import {
  type CampaignInput,
  campaignJob,
  campaignJobs,
  campaignView,
  cancelCampaign,
  type CancelCampaignRequest,
  clusterGone,
  clusterReady,
  controlJobs,
  slurmFacts,
} from './messages.ts';

/**
 * One submission: hands its jobs to Slurm once each, follows them, copies their logs, writes the manifest. A continued
 * run has its jobs in `chunks`. Cancelling the workflow cancels its jobs and then ends it, as the update does.
 */
export async function campaign(input: CampaignInput, ...chunks: JobChunk[]): Promise<void> {
  const run = new CampaignRun(input, chunks);
  registerHandlers(run);
  registerControl(run);
  CancellationScope.current().cancelRequested.catch(async () => {
    await CancellationScope.nonCancellable(async () => run.untilPlanIsKnown());
    run.cancel({ reason: 'An operator cancelled the workflow.' });
  });
  await CancellationScope.nonCancellable(async () => live(run));
}

async function live(run: CampaignRun): Promise<void> {
  await run.publish();
  await loadPlan(run);
  registerJobQueries(run);
  await untilGone(run, async () => runJobs(run));
  await finish(run);
}

function registerHandlers(run: CampaignRun): void {
  setHandler(campaignView, () => run.view(), { description: 'How the campaign stands' });
  setHandler(clusterReady, (target) => run.aim(target));
  setHandler(slurmFacts, (message) => run.takeFacts(message));
  setHandler(clusterGone, ({ failure }) => run.lose(failure));
  setHandler(
    cancelCampaign,
    async (request) => {
      await run.untilPlanIsKnown();
      // The validator may not have known the jobs yet.
      refuseUnknownJobs(run, request);
      run.cancel(request);
      return run.view();
    },
    {
      validator: (request) => {
        refuse(problemWith(cancelRequestSchema, request));
        if (run.isLoaded) refuseUnknownJobs(run, request);
      },
      description: 'Cancel the campaign, or some of its jobs',
    },
  );
}

function registerControl(run: CampaignRun): void {
  setHandler(
    controlJobs,
    async (request) => {
      await run.untilPlanIsKnown();
      refuseUnknownJobs(run, request);
      return control(run, request);
    },
    {
      validator: (request) => {
        refuse(problemWith(controlRequestSchema, request));
        if (run.isLoaded) refuseUnknownJobs(run, request);
      },
      description: 'Hold, release, requeue jobs, or change their time limit or nice value',
    },
  );
}

function refuseUnknownJobs(run: CampaignRun, { jobKeys = [] }: Pick<CancelCampaignRequest, 'jobKeys'>): void {
  const known = new Set(namesOf(run.snapshot.jobs));
  const unknown = jobKeys.find((key) => !known.has(key));
  if (unknown !== undefined) throw rejection('NotFound', `The campaign has no job \`${unknown}\`.`);
}

/** Only once the jobs are known: until then nobody can say that there is no such job. */
function registerJobQueries(run: CampaignRun): void {
  setHandler(
    campaignJobs,
    ({ offset, limit }) => ({
      jobs: run.snapshot.jobs.slice(offset, offset + limit).map(viewOfJob),
      total: run.snapshot.jobs.length,
    }),
    { description: 'A page of the jobs' },
  );
  setHandler(
    campaignJob,
    ({ jobKey }) => {
      const job = run.snapshot.jobs.find(({ key }) => key === jobKey);
      return job ? viewOfJob(job) : null;
    },
    { description: 'One job by its key' },
  );
}

/** Without its plan a campaign ends: nobody knows what to submit. */
async function loadPlan(run: CampaignRun): Promise<void> {
  if (run.isLoaded) return;
  try {
    run.load(await activities.loadCampaign({ content: run.input.content }));
  } catch (error) {
    if (isCancellation(error)) throw error;
    run.failToLoad(failureFrom(error, 'AwsUnavailable'));
  }
}

/** Runs until done or until the cluster is gone, which cancels whatever is being done there. */
async function untilGone(run: CampaignRun, work: () => Promise<void>): Promise<void> {
  if (run.gone) return;
  const scope = new CancellationScope({ cancellable: true });
  run.onClusterGone(() => scope.cancel());
  try {
    await scope.run(work);
  } catch (error) {
    if (!(run.gone && isCancellation(error))) throw error;
  }
}

async function finish(run: CampaignRun): Promise<void> {
  const { snapshot, gone } = run;
  const now = nowIso();
  if (gone && !isComplete(snapshot.jobs)) {
    snapshot.jobs = loseJobs(snapshot.jobs, gone.message, now);
    snapshot.failure = gone;
  }
  const { jobs, cancellation } = snapshot;
  const state = run.isLoaded ? outcome(jobs, cancellation !== undefined) : 'failed';
  const count = jobs.filter((job) => job.state === 'succeeded').length;
  await writeManifest(run, state);
  snapshot.endedAt = now;
  const cause =
    cancellation && state === 'cancelled' ? ` It was cancelled: ${reasonInWords(cancellation)}` : '';
  run.enter(state, `${count} of ${counted(run.view().jobCount, 'job')} succeeded.${cause}`);
  await run.publish(true);
}

/** Of a large campaign in parts, because one payload of Temporal has 2 MB. */
async function writeManifest({ input, snapshot }: CampaignRun, state: CampaignOutcome): Promise<void> {
  const { content, campaignId } = input;
  const jobs = snapshot.jobs.map(viewOfJob);
  const manifest = { content, campaignId, state, ...(snapshot.target && { logs: snapshot.target.logs }) };
  if (jobs.length <= JOBS_PER_PART) {
    await activities.writeManifest({ ...manifest, jobs });
    return;
  }
  const parts: ManifestPartReference[] = [];
  for (let begin = 0; begin < jobs.length; begin += JOBS_PER_PART) {
    const some = jobs.slice(begin, begin + JOBS_PER_PART);
    parts.push(await activities.writeManifestPart({ content, part: parts.length, jobs: some }));
  }
  await activities.writeManifest({ ...manifest, parts });
}
