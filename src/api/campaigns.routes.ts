import { z } from 'zod';
import { campaignIdSchema, jobKeySchema } from '../domain/ids.ts';
import { campaignSpecSchema, retrySelectionSchema } from '../domain/job.ts';
import type { CampaignService } from './campaign-service.ts';
import { answer, problemResponses } from './openapi.ts';
import { answerBy, CLUSTER_PATH, clusterPath, type Server, tenantParams } from './server.ts';
import { campaignPageSchema, campaignReceiptSchema, jobViewSchema } from './view-schemas.ts';

const tags = ['Campaigns'];

/** Ten thousand jobs with scripts of 6 KiB; larger inputs belong on the file system of the cluster. */
const MAX_CAMPAIGN_BYTES = 64 * 1024 * 1024;

/** The route pattern of a campaign. */
export const CAMPAIGN_PATH = `${CLUSTER_PATH}/campaigns/:campaignId`;
export const JOB_PATH = `${CAMPAIGN_PATH}/jobs/:jobKey`;

export const campaignParams = tenantParams.extend({ campaignId: campaignIdSchema });
export const jobParams = campaignParams.extend({ jobKey: jobKeySchema });

const idempotencyHeaders = z.object({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 visible ASCII characters')
    .meta({ description: 'Chosen by the caller, the same for every repetition of one campaign.' }),
});

const pageQuery = z.strictObject({
  pageSize: z.coerce.number().int().min(1).max(500).default(100),
  pageToken: z.string().min(1).max(64).optional(),
});

/** Submit Slurm jobs together and follow them. */
export function registerCampaignRoutes(app: Server, campaigns: CampaignService): void {
  app.post(
    `${CLUSTER_PATH}/campaigns`,
    {
      bodyLimit: MAX_CAMPAIGN_BYTES,
      schema: {
        operationId: 'submitCampaign',
        summary: 'Submit a campaign of jobs',
        description:
          'Also while the cluster is still being made. With `cluster`, a cluster is made if there is none. The same ' +
          '`Idempotency-Key` and jobs again answer 202 and the same receipt, with `Idempotent-Replayed: true`; ' +
          'other jobs are refused. `cluster` is not compared: it may be added after `NoCluster`.',
        tags,
        params: tenantParams,
        headers: idempotencyHeaders,
        body: campaignSpecSchema,
        response: {
          202: answer('Accepted: every job becomes exactly one Slurm job', campaignReceiptSchema),
          ...problemResponses(
            'body',
            'ClusterSpecConflict',
            'BudgetExhausted',
            'PriceUnknown',
            'ClusterDeleting',
            'NoCluster',
            'NeedsInfeasible',
            'QueueNotInCluster',
            'CampaignConflict',
            'temporal',
            'AwsUnavailable',
          ),
        },
      },
    },
    async (request, reply) => {
      const tenant = request.params;
      const key = request.headers['idempotency-key'];
      const { repeated, receipt } = await campaigns.intake.accept(tenant, key, request.body, answerBy());
      if (repeated) reply.header('idempotent-replayed', 'true');
      return reply
        .code(202)
        .header('location', `${clusterPath(tenant)}/campaigns/${receipt.campaignId}`)
        .send(receipt);
    },
  );

  app.post(
    `${CAMPAIGN_PATH}/retries`,
    {
      config: { bodyIsOptional: true },
      schema: {
        operationId: 'retryCampaign',
        summary: 'Try those jobs of a campaign again that did not succeed',
        description:
          'Makes a campaign of its own of jobs that failed, reached their time limit, were refused or cancelled; of job ' +
          'arrays only of such tasks, under the same indexes. Dependencies that were met are left out. It can be asked for ' +
          'while other jobs of the campaign still run. The same `Idempotency-Key` again answers the same receipt.',
        tags,
        params: campaignParams,
        headers: idempotencyHeaders,
        body: retrySelectionSchema.prefault({}),
        response: {
          202: answer('Accepted: a new campaign', campaignReceiptSchema),
          ...problemResponses(
            'body',
            'NotFound',
            'RetryRefused',
            'NoCluster',
            'QueueNotInCluster',
            'ClusterDeleting',
            'CampaignConflict',
            'CampaignContentMissing',
            'temporal',
            'AwsUnavailable',
          ),
        },
      },
    },
    async ({ params: { campaignId, ...tenant }, headers, body }, reply) => {
      const key = headers['idempotency-key'];
      const { repeated, receipt } = await campaigns.intake.retry(tenant, campaignId, key, body, answerBy());
      if (repeated) reply.header('idempotent-replayed', 'true');
      return reply
        .code(202)
        .header('location', `${clusterPath(tenant)}/campaigns/${receipt.campaignId}`)
        .send(receipt);
    },
  );

  app.get(
    CAMPAIGN_PATH,
    {
      schema: {
        operationId: 'getCampaign',
        summary: 'Look at a campaign and a page of its jobs',
        description: 'Ended campaigns stay readable, also when the cluster is gone.',
        tags,
        params: campaignParams,
        querystring: pageQuery,
        response: {
          200: answer('The campaign', campaignPageSchema),
          ...problemResponses('NotFound', 'TemporalUnavailable', 'AwsUnavailable'),
        },
      },
    },
    async ({ params: { campaignId, ...tenant }, query }) =>
      campaigns.page(tenant, campaignId, query, answerBy()),
  );

  app.get(
    JOB_PATH,
    {
      schema: {
        operationId: 'getJob',
        summary: 'Look at one job',
        tags,
        params: jobParams,
        response: {
          200: answer('The job', jobViewSchema),
          ...problemResponses('NotFound', 'temporal', 'AwsUnavailable'),
        },
      },
    },
    async ({ params: { campaignId, jobKey, ...tenant } }) =>
      (await campaigns.job(tenant, campaignId, jobKey, answerBy())).job,
  );
}
