import { z } from 'zod';
import type { CampaignService } from './campaign-service.ts';
import { CAMPAIGN_PATH, campaignParams } from './campaigns.routes.ts';
import { answer, problemResponses } from './openapi.ts';
import { answerBy, type Server, tenantParams } from './server.ts';
import { usageRangeOf, usageRangeQuery } from './usage-range.ts';
import { campaignUsageSchema, usageEpochPageSchema, usageReportSchema } from './usage-schemas.ts';
import type { UsageService } from './usage-service.ts';

const tags = ['Usage'];

const USAGE_PATH = '/v1/virtual-labs/:virtualLabId/projects/:projectId/usage';

const pageQuery = z.strictObject({
  pageSize: z.coerce.number().int().min(1).max(1000).default(100),
  pageToken: z.string().min(1).max(256).optional(),
});

/** What a project used, over all its clusters, and what each job of a campaign did. */
export function registerUsageRoutes(
  app: Server,
  usage: UsageService,
  campaigns: Pick<CampaignService, 'epochOf'>,
): void {
  app.get(
    USAGE_PATH,
    {
      schema: {
        operationId: 'getUsage',
        summary: 'Report what a project used',
        description:
          'Hours of allocated processors and nodes within a range, and what these nodes cost, in all, by queue and by campaign, ' +
          'over all deployments of the project’s cluster. From what was last recorded of Slurm’s accounting (`asOf`), also ' +
          'without a worker and when the cluster is gone. Runs count with the part that lies in the range.',
        tags,
        params: tenantParams,
        querystring: usageRangeQuery,
        response: {
          200: answer('The report; all zero if nothing was used', usageReportSchema),
          ...problemResponses('AwsUnavailable', 'AwsAccessDenied'),
        },
      },
    },
    async ({ params, query }) => usage.report(params, usageRangeOf(query, Date.now()), answerBy()),
  );

  app.get(
    `${USAGE_PATH}/epochs`,
    {
      schema: {
        operationId: 'listUsageEpochs',
        summary: 'List the deployments with recorded usage',
        description: 'The oldest first. Only a missing `nextPageToken` says that a page was the last.',
        tags,
        params: tenantParams,
        querystring: pageQuery,
        response: {
          200: answer('One page', usageEpochPageSchema),
          ...problemResponses('AwsUnavailable', 'AwsAccessDenied'),
        },
      },
    },
    async ({ params, query }) => usage.epochs(params, query, answerBy()),
  );

  app.get(
    `${CAMPAIGN_PATH}/usage`,
    {
      schema: {
        operationId: 'getCampaignUsage',
        summary: 'Report what each job of a campaign used and costs',
        description:
          'Hours of allocated processors and nodes and what they cost, by job: all runs of a requeued job together, each task of ' +
          'an array by itself. From what was last recorded of Slurm’s accounting (`epoch.asOf`), also when the cluster is gone; ' +
          'a campaign that had ended then is in it as a whole.',
        tags,
        params: campaignParams,
        querystring: pageQuery,
        response: {
          200: answer('One page; all zero if nothing was used', campaignUsageSchema),
          ...problemResponses('NotFound', 'temporal', 'AwsUnavailable', 'AwsAccessDenied'),
        },
      },
    },
    async ({ params: { campaignId, ...tenant }, query }) => {
      const deadline = answerBy();
      const epoch = await campaigns.epochOf(tenant, campaignId, deadline);
      return usage.ofCampaign(tenant, { campaignId, epoch }, query, deadline);
    },
  );
}
