import { z } from 'zod';
import { jobKeySchema } from '../domain/ids.ts';
import { type ControlOutcome, controlRequestSchema, jobActionSchema } from '../domain/job-control.ts';
import type { CampaignService } from './campaign-service.ts';
import { CAMPAIGN_PATH, campaignParams, JOB_PATH, jobParams } from './campaigns.routes.ts';
import { answer, problemResponses } from './openapi.ts';
import { answerBy, type Server } from './server.ts';
import { jobViewSchema } from './view-schemas.ts';

const outcomeSchema: z.ZodType<ControlOutcome> = z.discriminatedUnion('status', [
  z.object({ jobKey: jobKeySchema, status: z.enum(['done', 'absent']) }),
  z.object({
    jobKey: jobKeySchema,
    status: z.literal('refused'),
    message: z.string().describe('Why: in Slurm’s own words, or because Slurm does not have the job.'),
  }),
]);

const outcomesSchema = z.object({ outcomes: z.array(outcomeSchema).readonly() });

const problems = problemResponses(
  'body',
  'NotFound',
  'JobActionRefused',
  'SlurmUnavailable',
  'temporal',
  'AwsUnavailable',
);

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
          ...problems,
        },
      },
    },
    async ({ params: { campaignId, jobKey, ...tenant }, body }) =>
      campaigns.act(tenant, campaignId, jobKey, body, answerBy()),
  );

  app.post(
    `${CAMPAIGN_PATH}/actions`,
    {
      schema: {
        tags: ['Campaigns'],
        operationId: 'actOnJobs',
        summary: 'Do the same to several jobs of a campaign',
        description:
          'The key of an array stands for all of its tasks. The answer comes when Slurm was told about each of the jobs, ' +
          '200 at most, and says what became of each.',
        params: campaignParams,
        body: controlRequestSchema.omit({ requestedBy: true }),
        response: {
          200: answer('What became of it at each job', outcomesSchema),
          ...problems,
        },
      },
    },
    async ({ params: { campaignId, ...tenant }, body }) => ({
      outcomes: await campaigns.actOnJobs(tenant, campaignId, body, answerBy()),
    }),
  );
}
