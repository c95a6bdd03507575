import { Context } from '@temporalio/activity';
import type { CampaignStore } from '../clients/campaign-store.ts';
import type { JobToSubmit, SlurmControl, SlurmGateway } from '../clients/slurm-gateway.ts';
import type { ControlOutcome } from '../domain/job-control.ts';
import { KnownFailure } from '../domain/failures.ts';
import { parseJobComment } from '../domain/ids.ts';
import type { JobSpec } from '../domain/job.ts';
import { identitiesOf } from '../domain/job-array.ts';
import { classifyActivity } from '../domain/job-state.ts';
import type { SlurmJobFact } from '../domain/slurm-facts.ts';
import { newFacts, rememberBuckets } from './campaign-facts.ts';
import { withHeartbeat } from './heartbeat.ts';
import { pollUntil } from './poll.ts';
import type { Activities } from './port.ts';
import type { ObserveRequest, SubmitRequest } from '../domain/slurm-requests.ts';

export interface SlurmActivityDeps {
  readonly gateway: SlurmGateway;
  readonly control: Pick<SlurmControl, 'control'>;
  readonly campaignStore: Pick<CampaignStore, 'get'>;
}

/** The clocks of the API and of the head node may differ: accounting is asked from a little earlier on. */
const CLOCK_TOLERANCE_SECONDS = 60;
const CANCEL_INTERVAL_SECONDS = 1;

/** Jobs of the clusters, through whatever gateway reaches their Slurm. */
export function createSlurmActivities({
  gateway,
  control,
  campaignStore,
}: SlurmActivityDeps): Pick<
  Activities,
  'submitJobs' | 'observeSlurm' | 'cancelJobs' | 'cancelCampaignJobs' | 'controlJobs' | 'disconnect'
> {
  const remembered = rememberBuckets();
  return {
    async submitJobs(request) {
      const { epoch, access, campaignId, defaultQueue } = request;
      return withHeartbeat(async ({ signal }) => {
        const jobs = await selectJobs(campaignStore, request);
        const isFirstAttempt = Context.current().info.attempt === 1;
        return gateway.submit(
          { epoch, access },
          { campaignId, jobs, defaultQueue },
          { signal, isFirstAttempt },
        );
      });
    },

    async observeSlurm(request) {
      const { epoch, access } = request;
      const { facts, nodesUp, interactiveSessions, more } = await withHeartbeat(async ({ signal }) =>
        gateway.observe({ epoch, access }, { ...accountingWindow(request), oneSacct: true }, { signal }),
      );
      const news = newFacts(facts, request, { remembered, nowSeconds: Date.now() / 1000 });
      return {
        // Sessions that cannot be seen may be there.
        activity: classifyActivity(facts, interactiveSessions ?? 1),
        runningOwn: facts.filter((fact) => isRunningOwn(fact, epoch)).length,
        ...(nodesUp && { nodesUp }),
        ...news,
        more: news.more || more === true,
      };
    },

    async cancelJobs({ epoch, access }) {
      await withHeartbeat(async ({ signal }) =>
        pollUntil(
          async () => {
            const { remaining } = await gateway.cancel({ epoch, access }, {}, { signal });
            return remaining === 0 ? true : undefined;
          },
          { intervalSeconds: CANCEL_INTERVAL_SECONDS, signal },
        ),
      );
    },

    async cancelCampaignJobs({ epoch, access, campaignId, jobKeys }) {
      await withHeartbeat(async ({ signal }) =>
        gateway.cancel({ epoch, access }, { campaignId, ...(jobKeys && { jobKeys }) }, { signal }),
      );
    },

    async controlJobs({ epoch, access, adminAccess, campaignId, action, jobs }) {
      return withHeartbeat(async ({ signal }) => {
        const outcomes = await control.control({ epoch, access }, { campaignId, action, jobs }, { signal });
        const denied = new Set(outcomes.filter(isDenied).map(({ jobKey }) => jobKey));
        if (!adminAccess || denied.size === 0) return outcomes;
        const rest = { campaignId, action, jobs: jobs.filter(({ jobKey }) => denied.has(jobKey)) };
        const repeated = await control.control({ epoch, access: adminAccess }, rest, { signal });
        const byKey = new Map(repeated.map((outcome) => [outcome.jobKey, outcome]));
        return outcomes.map((outcome) => byKey.get(outcome.jobKey) ?? outcome);
      });
    },

    async disconnect({ epoch }) {
      gateway.disconnect(epoch);
    },
  };
}

/** Slurm's words for what only its operators may do (ESLURM_ACCESS_DENIED, slurm_errno.c). */
function isDenied(outcome: ControlOutcome): boolean {
  return outcome.status === 'refused' && outcome.message.includes('Access/permission denied');
}

async function selectJobs(
  campaignStore: Pick<CampaignStore, 'get'>,
  { content, jobs }: SubmitRequest,
): Promise<JobToSubmit[]> {
  const { jobs: specs } = await campaignStore.get(content);
  const byKey = new Map(specs.map((spec) => [spec.key, spec]));
  const tasks = tasksByKey(specs);
  return jobs.map(({ jobKey, indexes, dependencies = [] }) => {
    const spec = byKey.get(jobKey);
    if (spec !== undefined) {
      const waitsFor = dependencies.map((dependency) => ({ ...dependency, ...tasks.get(dependency.key) }));
      return { spec: withIndexes(spec, indexes), dependencies: waitsFor };
    }
    throw new KnownFailure(
      'CampaignContentMissing',
      `s3://${content.bucket}/${content.key} has no job ${jobKey}`,
    );
  });
}

/** By which a task is known in Slurm: the key of its array and its index. */
function tasksByKey(
  specs: readonly JobSpec[],
): ReadonlyMap<string, { readonly key: string; readonly arrayTaskId: number }> {
  const tasks = specs
    .flatMap(identitiesOf)
    .flatMap(({ key, arrayKey, arrayTaskId }) =>
      arrayKey === undefined || arrayTaskId === undefined
        ? []
        : [[key, { key: arrayKey, arrayTaskId }] as const],
    );
  return new Map(tasks);
}

function withIndexes(spec: JobSpec, indexes: string | undefined): JobSpec {
  return spec.array === undefined || indexes === undefined
    ? spec
    : { ...spec, array: { ...spec.array, indexes } };
}

function isRunningOwn({ source, state, comment }: SlurmJobFact, epoch: string): boolean {
  return source === 'queue' && state === 'RUNNING' && parseJobComment(comment)?.epoch === epoch;
}

/** Without open campaigns nobody waits for an end, so the queue alone is asked. */
function accountingWindow({ campaigns }: ObserveRequest): { readonly sinceSeconds?: number } {
  if (campaigns.length === 0) return {};
  return { sinceSeconds: Math.min(...campaigns.map(({ since }) => since)) - CLOCK_TOLERANCE_SECONDS };
}
