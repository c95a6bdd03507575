import { z } from 'zod';
import { jobListingPageSchema } from './job-listing-schemas.ts';
import type { JobListingService } from './job-listing-service.ts';
import { answer, problemResponses } from './openapi.ts';
import { queryFlag } from './query-flag.ts';
import { answerBy, CLUSTER_PATH, type Server, tenantParams } from './server.ts';

const listQuery = z.strictObject({
  all: queryFlag('`true`: also jobs that did not come through this service, of whatever user.'),
  pageSize: z.coerce.number().int().min(1).max(1000).default(100),
  pageToken: z.string().min(1).max(256).optional(),
});

/** What Slurm itself has. */
export function registerJobListingRoute(app: Server, listings: JobListingService): void {
  app.get(
    `${CLUSTER_PATH}/jobs`,
    {
      schema: {
        operationId: 'listJobs',
        summary: 'List the jobs in Slurm',
        description:
          'All jobs that Slurm has or had in this deployment, in the order of their ids: those of campaigns, with ' +
          '`all=true` also others, such as those of own logins. Slurm is asked for it, at most once in some seconds ' +
          '(`observedAt`). The first answer can be 503 while Slurm is slow; repeat the request then. A page can be ' +
          'of a newer listing than the one before: only a missing `nextPageToken` says that it was the last.',
        tags: ['Clusters'],
        params: tenantParams,
        querystring: listQuery,
        response: {
          200: answer('One page', jobListingPageSchema),
          ...problemResponses(
            'NotFound',
            'ClusterNotReady',
            'ClusterDeleting',
            'SlurmUnavailable',
            'HeadNodeUnreachable',
            'HostKeyMismatch',
            'temporal',
            'AwsUnavailable',
          ),
        },
      },
    },
    async ({ params, query: { all, ...page } }) =>
      listings.page(params, { ...page, all: all === 'true' }, answerBy()),
  );
}
