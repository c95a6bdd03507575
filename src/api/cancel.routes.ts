import { z } from 'zod';
import { jobKeySchema } from '../domain/ids.ts';
import { holdRequestSchema } from '../domain/lifetime.ts';
import type { CampaignService } from './campaign-service.ts';
import { CAMPAIGN_PATH, campaignParams, JOB_PATH, jobParams } from './campaigns.routes.ts';
import { answer, problemResponses } from './openapi.ts';
import { answerBy, clusterPath, type Server } from './server.ts';
import { campaignSummarySchema, jobViewSchema } from './view-schemas.ts';

const cancelBody = z.strictObject({
  reason: holdRequestSchema.shape.reason
    .default('Asked for through the API.')
    .meta({ description: 'Shown as the reason of jobs that end by it.' }),
});

const cancelSomeBody = cancelBody.extend({
  jobKeys: z.array(jobKeySchema).min(1).max(10_000).optional().meta({
    description: 'Only these jobs; the key of an array stands for all of its tasks. All jobs if absent.',
  }),
});

const tags = ['Campaigns'];

/** Cancels campaigns and jobs. Nothing waits for their end: the views that are answered say what is left. */
export function registerCancelRoutes(app: Server, campaigns: CampaignService): void {
  app.delete(
    CAMPAIGN_PATH,
    {
      config: { bodyIsOptional: true },
      schema: {
        tags,
        body: cancelSomeBody,
        operationId: 'cancelCampaign',
        summary: 'Cancel a campaign, or some of its jobs',
        description:
          'Jobs that Slurm does not have yet end at once, the others when Slurm has ended them. What they wrote ' +
          'stays readable. Repeating it is harmless; the body may be left out.',
        params: campaignParams,
        response: {
          200: answer('It had ended: nothing was cancelled', campaignSummarySchema),
          202: answer('Accepted: it is being cancelled', campaignSummarySchema),
          ...problemResponses('body', 'NotFound', 'temporal', 'AwsUnavailable'),
        },
      },
    },
    async ({ params: { campaignId, ...tenant }, body }, reply) => {
      const { ended, left } = await campaigns.cancel(tenant, campaignId, body, answerBy());
      if (ended) return reply.code(200).send(left);
      const location = `${clusterPath(tenant)}/campaigns/${campaignId}`;
      return reply.code(202).header('location', location).send(left);
    },
  );

  app.delete(
    JOB_PATH,
    {
      config: { bodyIsOptional: true },
      schema: {
        tags,
        body: cancelBody,
        operationId: 'cancelJob',
        summary: 'Cancel one job',
        description:
          'Jobs that depend on its success end with it. Repeating it is harmless; the body may be left out.',
        params: jobParams,
        response: {
          200: answer('It had ended: nothing was cancelled', jobViewSchema),
          202: answer('Accepted: it is being cancelled', jobViewSchema),
          ...problemResponses('body', 'NotFound', 'temporal', 'AwsUnavailable'),
        },
      },
    },
    async ({ params: { campaignId, jobKey, ...tenant }, body: { reason } }, reply) => {
      const { ended, left } = await campaigns.cancelJob(tenant, campaignId, jobKey, reason, answerBy());
      if (ended) return reply.code(200).send(left);
      const location = `${clusterPath(tenant)}/campaigns/${campaignId}/jobs/${jobKey}`;
      return reply.code(202).header('location', location).send(left);
    },
  );
}
