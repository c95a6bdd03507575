import { jobActionSchema } from '../domain/job-control.ts';
import type { CampaignService } from './campaign-service.ts';
import { JOB_PATH, jobParams } from './campaigns.routes.ts';
import { answer, problemResponses } from './openapi.ts';
import { answerBy, type Server } from './server.ts';
import { jobViewSchema } from './view-schemas.ts';

/** What can be done to a job beside cancelling it. */
export function registerActionRoutes(app: Server, campaigns: CampaignService): void {
  app.post(
    `${JOB_PATH}/actions`,
    {
      schema: {
        tags: ['Campaigns'],
        operationId: 'actOnJob',
        summary: 'Hold, release or requeue a job, or change its time limit or nice value',
        description:
          'For a job that Slurm has. The answer comes when Slurm has done it; the next look at Slurm shows what became ' +
          'of the job. Repeating it is harmless: a job that has been requeued since is not requeued again.',
        params: jobParams,
        body: jobActionSchema,
        response: {
          200: answer('Done; the job as it was last seen', jobViewSchema),
          ...problemResponses(
            'body',
            'NotFound',
            'JobActionRefused',
            'SlurmUnavailable',
            'temporal',
            'AwsUnavailable',
          ),
        },
      },
    },
    async ({ params: { campaignId, jobKey, ...tenant }, body }) =>
      campaigns.act(tenant, campaignId, jobKey, body, answerBy()),
  );
}
