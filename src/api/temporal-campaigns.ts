import { type Client, QueryNotRegisteredError } from '@temporalio/client';
import type { QueryDefinition } from '@temporalio/common';
import { CAMPAIGN_VIEW_MEMO } from '../domain/cluster-view.ts';
import type { CampaignView } from '../domain/campaign-view.ts';
import { failureOf, KnownFailure } from '../domain/failures.ts';
import { campaignWorkflowId, type Tenant } from '../domain/ids.ts';
import { campaignJob, campaignJobs, cancelCampaign, controlJobs } from '../workflows/messages.ts';
import { endedFromOutside } from './cluster-memo.ts';
import type { Campaigns } from './ports.ts';
import { callTemporal, unlessUnknown } from './temporal-calls.ts';
import { campaignViewSchema } from './view-schemas.ts';

/**
 * Campaign workflows, read by memo and query, cancelled by update. The tenant is part of their workflow id: a campaign of another tenant
 * is as unknown as one that does not exist.
 */
export function createTemporalCampaigns(client: Client): Campaigns {
  const handleOf = (tenant: Tenant, campaignId: string) =>
    client.workflow.getHandle(campaignWorkflowId(tenant, campaignId));

  const ask = async <Answer, Args extends [unknown?]>(
    query: QueryDefinition<Answer, Args>,
    tenant: Tenant,
    campaignId: string,
    args: Args,
    answerBy: Date,
  ): Promise<Answer> => {
    try {
      const handle = handleOf(tenant, campaignId);
      return await callTemporal(client, answerBy, async () => handle.query(query, ...args));
    } catch (error) {
      // Temporal's answer while the workflow has not run yet and so has no handlers.
      if (error instanceof QueryNotRegisteredError) throw notBegun();
      throw error;
    }
  };

  const jobs: Campaigns['jobs'] = async (tenant, campaignId, range, answerBy) => {
    const page = await ask(campaignJobs, tenant, campaignId, [range], answerBy);
    // Every campaign has jobs; its workflow learns them from the control bucket, a moment after it was started.
    if (page.total === 0) throw notBegun();
    return page;
  };

  return {
    async view(tenant, campaignId, answerBy) {
      const handle = handleOf(tenant, campaignId);
      const description = await unlessUnknown(callTemporal(client, answerBy, async () => handle.describe()));
      if (!description) return undefined;
      const { memo, status } = description;
      const view = campaignViewSchema.parse(memo?.[CAMPAIGN_VIEW_MEMO]);
      return {
        view: endedFromOutside(status.name) ? unattended(view) : view,
        open: status.name === 'RUNNING',
      };
    },

    jobs,

    job: async (tenant, campaignId, jobKey, answerBy) => {
      const job = await ask(campaignJob, tenant, campaignId, [{ jobKey }], answerBy);
      if (!job) await jobs(tenant, campaignId, { offset: 0, limit: 0 }, answerBy);
      return job ?? undefined;
    },

    cancel: async (tenant, campaignId, request, answerBy) => {
      const handle = handleOf(tenant, campaignId);
      return unlessUnknown(
        callTemporal(client, answerBy, async () => handle.executeUpdate(cancelCampaign, { args: [request] })),
      );
    },

    control: async (tenant, campaignId, request, answerBy) => {
      const handle = handleOf(tenant, campaignId);
      return unlessUnknown(
        callTemporal(client, answerBy, async () => handle.executeUpdate(controlJobs, { args: [request] })),
      );
    },
  };
}

/** The last view of a campaign that nobody writes any more must not pass for the present. */
function unattended(view: CampaignView): CampaignView {
  if (view.endedAt !== undefined) return view;
  const message = `The workflow ended when the campaign was ${view.state} (seen at ${view.observedAt}).`;
  return { ...view, message, failure: failureOf('CampaignUnattended', message) };
}

function notBegun(): KnownFailure {
  return new KnownFailure('WorkerUnavailable', 'The campaign has not begun yet.');
}
