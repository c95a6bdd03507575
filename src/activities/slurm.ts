import { createHash } from 'node:crypto';
import type { CampaignStore } from '../clients/campaign-store.ts';
import type { SlurmGateway } from '../clients/slurm-gateway.ts';
import { canonicalJson } from '../domain/canonical-json.ts';
import { KnownFailure } from '../domain/failures.ts';
import { classifyActivity, factsByJobKey } from '../domain/job-state.ts';
import type { SlurmJobFact } from '../domain/slurm-facts.ts';
import { withHeartbeat } from './heartbeat.ts';
import { pollUntil } from './poll.ts';
import type { Activities, CampaignFacts, ObserveRequest, SubmitRequest } from './port.ts';

export interface SlurmActivityDeps {
  readonly gateway: SlurmGateway;
  readonly campaignStore: Pick<CampaignStore, 'get'>;
}

/** The clocks of the API and of the head node may differ: accounting is asked from a little earlier on. */
const CLOCK_TOLERANCE_SECONDS = 60;
const CANCEL_INTERVAL_SECONDS = 1;

/** Jobs of the clusters, through whatever gateway reaches their Slurm. */
export function createSlurmActivities({
  gateway,
  campaignStore,
}: SlurmActivityDeps): Pick<Activities, 'submitJobs' | 'observeSlurm' | 'cancelJobs' | 'disconnect'> {
  return {
    async submitJobs(request) {
      const { epoch, access, campaignId, defaultQueue } = request;
      return withHeartbeat(async ({ signal }) => {
        const jobs = await selectJobs(campaignStore, request);
        return gateway.submit({ epoch, access }, { campaignId, jobs, defaultQueue }, { signal });
      });
    },

    async observeSlurm(request) {
      const { epoch, access } = request;
      const { facts, interactiveSessions } = await withHeartbeat(async ({ signal }) =>
        gateway.observe({ epoch, access }, accountingWindow(request), { signal }),
      );
      return {
        activity: classifyActivity(facts, interactiveSessions),
        campaigns: changedCampaigns(facts, request),
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

    async disconnect({ epoch }) {
      gateway.disconnect(epoch);
    },
  };
}

async function selectJobs(campaignStore: Pick<CampaignStore, 'get'>, { content, jobKeys }: SubmitRequest) {
  const { jobs } = await campaignStore.get(content);
  const byKey = new Map(jobs.map((job) => [job.key, job]));
  return jobKeys.map((jobKey) => {
    const job = byKey.get(jobKey);
    if (job !== undefined) return job;
    throw new KnownFailure(
      'CampaignContentMissing',
      `s3://${content.bucket}/${content.key} has no job ${jobKey}`,
    );
  });
}

/** Without open campaigns nobody waits for an end, so the queue alone is asked. */
function accountingWindow({ campaigns }: ObserveRequest): { readonly sinceSeconds?: number } {
  if (campaigns.length === 0) return {};
  return { sinceSeconds: Math.min(...campaigns.map(({ since }) => since)) - CLOCK_TOLERANCE_SECONDS };
}

function changedCampaigns(
  facts: readonly SlurmJobFact[],
  { epoch, campaigns }: ObserveRequest,
): CampaignFacts[] {
  return campaigns.flatMap(({ campaignId, digest: known }) => {
    const byKey = [...factsByJobKey(facts, { epoch, campaignId })];
    const ownFacts = byKey
      .map(([jobKey, fact]) => ({ ...fact, jobKey }))
      .toSorted((a, b) => (a.jobKey < b.jobKey ? -1 : 1));
    const digest = createHash('sha256').update(canonicalJson(ownFacts)).digest('hex').slice(0, 32);
    return digest === known ? [] : [{ campaignId, digest, facts: ownFacts }];
  });
}
