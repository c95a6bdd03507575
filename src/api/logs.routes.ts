import { isUtf8 } from 'node:buffer';
import { z } from 'zod';
import type { LogReader } from '../clients/log-reader.ts';
import type { JobView } from '../domain/campaign-view.ts';
import { logKinds } from '../domain/log-events.ts';
import type { CampaignService } from './campaign-service.ts';
import { JOB_PATH, jobParams } from './campaigns.routes.ts';
import { withinDeadline } from './deadline.ts';
import { problemResponses } from './openapi.ts';
import { HttpProblem } from './problem.ts';
import { answerBy, clusterPath, type Server } from './server.ts';

const logParams = jobParams.extend({ kind: z.enum(logKinds) });
const logQuery = z.strictObject({ pageToken: z.string().min(1).max(1024).optional() });

/** Sent as it is: fastify does not serialise bytes, so this only describes them. */
const bytes = z
  .instanceof(Buffer)
  .meta({ type: 'string', description: 'What was written, as it was written.' });

/** What a job wrote, from CloudWatch Logs: readable once it has ended, and after the cluster is gone. */
export function registerLogRoutes(
  app: Server,
  campaigns: CampaignService,
  logs: Pick<LogReader, 'read'>,
): void {
  app.get(
    `${JOB_PATH}/logs/:kind`,
    {
      schema: {
        operationId: 'getJobLog',
        summary: 'Read what a job wrote, page by page',
        description:
          '`Link: <…>; rel="next"` leads to what follows. Without it, the end is reached and nothing more will ' +
          'come. With `Log-End: true` it leads to what the job has yet to write: ask again later. Not UTF-8: ' +
          '`application/octet-stream`.',
        tags: ['Campaigns'],
        params: logParams,
        querystring: logQuery,
        response: {
          200: {
            description: 'One page',
            content: { 'text/plain': { schema: bytes }, 'application/octet-stream': { schema: bytes } },
          },
          ...problemResponses(
            'NotFound',
            'JobNotSubmitted',
            'LogNotWritten',
            'temporal',
            'AwsUnavailable',
            'LogIncomplete',
          ),
        },
      },
    },
    async ({ params: { campaignId, jobKey, kind, ...tenant }, query: { pageToken } }, reply) => {
      const deadline = answerBy();
      const { job, logs: location } = await campaigns.job(tenant, campaignId, jobKey, deadline);
      if (!location || !wasSubmitted(job)) throw notSubmitted(job);
      const request = { location, campaignId, jobKey, kind, ...(pageToken !== undefined && { pageToken }) };
      const page = await withinDeadline(deadline, 'CloudWatch Logs', async () => logs.read(request));
      if (!page) throw notWritten(job, kind);
      const next = `${clusterPath(tenant)}/campaigns/${campaignId}/jobs/${jobKey}/logs/${kind}?pageToken=${encodeURIComponent(page.nextPageToken)}`;
      if (!(page.atEnd && job.logsComplete)) reply.header('link', `<${next}>; rel="next"`);
      reply.header('log-end', String(page.atEnd));
      reply.type(isUtf8(page.content) ? 'text/plain; charset=utf-8' : 'application/octet-stream');
      return reply.send(Buffer.from(page.content));
    },
  );
}

/** A job that Slurm refused has no id, and nothing of it was ever run. */
function wasSubmitted(job: JobView): boolean {
  return job.slurmJobId !== undefined;
}

function notSubmitted({ key, state, reason }: JobView): HttpProblem {
  return new HttpProblem('JobNotSubmitted', `Job \`${key}\` is ${state}: ${reason}`, { state });
}

function notWritten({ key, state, logsComplete }: JobView, kind: string): HttpProblem {
  const more = logsComplete ? 'and nothing more will come' : 'yet';
  return new HttpProblem('LogNotWritten', `Job \`${key}\` (${state}) has no ${kind} ${more}.`, {
    state,
    logsComplete,
  });
}
