import { z } from 'zod';
import { answer, problemResponses } from './openapi.ts';
import { answerBy, type Server, tenantParams } from './server.ts';
import { usageRangeOf, usageRangeQuery } from './usage-range.ts';
import { usageEpochPageSchema, usageReportSchema } from './usage-schemas.ts';
import type { UsageService } from './usage-service.ts';

const tags = ['Usage'];

const USAGE_PATH = '/v1/virtual-labs/:virtualLabId/projects/:projectId/usage';

const pageQuery = z.strictObject({
  pageSize: z.coerce.number().int().min(1).max(1000).default(100),
  pageToken: z.string().min(1).max(256).optional(),
});

/** What a project used, over all its clusters. */
export function registerUsageRoutes(app: Server, usage: UsageService): void {
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
}
