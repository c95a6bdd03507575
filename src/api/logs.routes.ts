import { z } from 'zod';
import type { JobView } from '../domain/campaign-view.ts';
import { KnownFailure } from '../domain/failures.ts';
import { logKinds } from '../domain/log-events.ts';
import { isTerminal } from '../domain/slurm-states.ts';
import { parseRange } from './byte-range.ts';
import type { CampaignService } from './campaign-service.ts';
import { JOB_PATH, jobParams } from './campaigns.routes.ts';
import { LogAnswers, type LogAnswersDeps } from './log-answers.ts';
import { defaultTailPace, type TailPace } from './log-tail.ts';
import { OpenStreams } from './open-streams.ts';
import { problemResponses } from './openapi.ts';
import { HttpProblem } from './problem.ts';
import { answerBy, clusterPath, type Server } from './server.ts';

const logParams = jobParams.extend({ kind: z.enum(logKinds) });
const logQuery = z.strictObject({ pageToken: z.string().min(1).max(1024).optional() });
const logHeaders = z.object({
  accept: z.string().optional().meta({ description: '`text/event-stream` to follow stdout or stderr.' }),
  range: z.string().optional().meta({ description: '`bytes=a-b`, `bytes=a-` or `bytes=-n`: one range.' }),
  'if-range': z.string().optional().meta({ description: 'Logs have no validators: a range is not sent.' }),
  'last-event-id': z
    .string()
    .regex(/^\d{1,15}$/, 'is not the id of an event of this log')
    .optional()
    .meta({ description: 'Go on following behind the event with this id.' }),
});

/** Sent as it is: fastify does not serialise bytes, so this only describes them. */
const bytes = z
  .instanceof(Buffer)
  .meta({ type: 'string', description: 'What was written, as it was written.' });
const byteContent = { 'text/plain': { schema: bytes }, 'application/octet-stream': { schema: bytes } };
const events = z
  .string()
  .meta({ description: 'Server-sent events.', examples: ['id: 6\ndata: hello\ndata: \n\n'] });

/** Each looks into CloudWatch Logs, which allows 25 calls a second, every 2 to 10 s. */
const MAX_TAILS = 100;

const description = `Page by page, a range, or as it is written:

- \`Link: <…>; rel="next"\` leads to what follows. Without it, the end is reached and nothing more will come. With
  \`Log-End: true\` it leads to what the job has yet to write: ask again later.
- With \`Range\`, \`Content-Range\` says what came: at most 4 MiB, the first of a long range, the last of \`bytes=-n\`.
  Offsets are those of what the job wrote, also where bytes in the middle of it were left out: a range ends before these
  or begins behind them. The length is \`*\` as long as the job can write.
- With \`Accept: text/event-stream\`, stdout and stderr are followed: an event for each piece, whose id is the offset of
  the next byte, with the text as it is; \`base64\` events where bytes are not UTF-8 or hold carriage returns; \`end\` when
  the job has ended and all is there. \`Last-Event-ID\` goes on behind an event.

What is not UTF-8 is \`application/octet-stream\`.`;

/** What a job writes, from CloudWatch Logs: while it runs, when it has ended, and after the cluster is gone. */
export function registerLogRoutes(
  app: Server,
  campaigns: CampaignService,
  logs: LogAnswersDeps['logs'],
  pace: TailPace = defaultTailPace,
): void {
  const answers = new LogAnswers({ logs, pace, tails: new OpenStreams(app, MAX_TAILS) });
  app.get(
    `${JOB_PATH}/logs/:kind`,
    {
      schema: {
        operationId: 'getJobLog',
        summary: 'Read or follow what a job writes',
        description,
        tags: ['Campaigns'],
        params: logParams,
        querystring: logQuery,
        headers: logHeaders,
        response: {
          200: {
            description: 'One page, or the events',
            content: { ...byteContent, 'text/event-stream': { schema: events } },
          },
          206: { description: 'The range in `Content-Range`', content: byteContent },
          ...problemResponses(
            'NotFound',
            'JobNotSubmitted',
            'LogNotWritten',
            'NotAcceptable',
            'RangeNotSatisfiable',
            'temporal',
            'AwsUnavailable',
            'TooManyStreams',
            'LogIncomplete',
          ),
        },
      },
    },
    async ({ method, params, query: { pageToken }, headers }, reply) => {
      const deadline = answerBy();
      const { campaignId, jobKey, kind, ...tenant } = params;
      // Only GET has ranges (RFC 9110, section 14.2), and only it can be followed.
      const isGet = method === 'GET';
      const range = isGet && headers['if-range'] === undefined ? parseRange(headers.range) : undefined;
      const follows = isGet && acceptsEvents(headers.accept);
      if (pageToken !== undefined && (range || follows)) throw twoPlaces();
      const find = async (by: Date) => campaigns.job(tenant, campaignId, jobKey, by);
      const { job, logs: location } = await find(deadline);
      const document = async () => campaigns.document(tenant, campaignId, job, kind, deadline);
      if (!location || !wasSubmitted(job)) {
        if (!isTerminal(job.state)) throw notSubmitted(job);
        return answers.document(job, kind, await document(), reply);
      }
      const subject = { log: { location, campaignId, jobKey, kind }, job, document };
      if (follows) {
        const lookAtJob = async (by: Date) => (await find(by)).job;
        const lastEventId = headers['last-event-id'];
        return answers.tail(subject, { lookAtJob, lastEventId }, deadline, reply);
      }
      if (range) return answers.range(subject, range, deadline, reply);
      const url = `${clusterPath(tenant)}/campaigns/${campaignId}/jobs/${jobKey}/logs/${kind}`;
      return answers.page(subject, { url, pageToken }, deadline, reply);
    },
  );
}

function acceptsEvents(accept = ''): boolean {
  return accept
    .split(',')
    .some((range) => /^text\/event-stream *(?:;(?! *q=0(?:\.0*)?$)|$)/i.test(range.trim()));
}

/** A job that Slurm refused has no id, and nothing of it was ever run. */
function wasSubmitted(job: JobView): boolean {
  return job.slurmJobId !== undefined;
}

function notSubmitted({ key, state, reason }: JobView): HttpProblem {
  return new HttpProblem('JobNotSubmitted', `Job \`${key}\` is ${state}: ${reason}`, { state });
}

function twoPlaces(): KnownFailure {
  const reason = 'cannot be given together with a range or while following';
  return new KnownFailure('InvalidRequest', `query pageToken: ${reason}`, {
    errors: [{ in: 'query', path: 'pageToken', reason }],
  });
}
