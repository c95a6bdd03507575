import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { LogReader } from '../clients/log-reader.ts';
import type { JobView } from '../domain/campaign-view.ts';
import type { Tenant } from '../domain/ids.ts';
import type { LogKind } from '../domain/log-events.ts';
import { zipStream } from './archive.ts';
import { type ArchivedCampaign, archiveMembers } from './campaign-archive.ts';
import type { CampaignService } from './campaign-service.ts';
import { CAMPAIGN_PATH, campaignParams } from './campaigns.routes.ts';
import { withinDeadline } from './deadline.ts';
import { OpenStreams } from './open-streams.ts';
import { problemResponses } from './openapi.ts';
import { answerBy, type Server } from './server.ts';

/** Each reads one log after the other: together they stay below the 25 calls a second of CloudWatch Logs. */
const MAX_ARCHIVES = 4;

/** Jobs that are asked for at a time. */
const PAGE_JOBS = 500;

/** What one page of a log may take: the SDK repeats calls that CloudWatch Logs throttles. */
const PAGE_WITHIN_MS = 60_000;

/** Sent as it is: fastify does not serialise bytes, so this only describes them. */
const bytes = z.instanceof(Buffer).meta({ type: 'string', description: 'A ZIP archive.' });

/** All logs of a campaign in one file. */
export function registerArchiveRoute(
  app: Server,
  campaigns: CampaignService,
  logs: Pick<LogReader, 'read'>,
): void {
  const archives = new OpenStreams(app, MAX_ARCHIVES);
  app.get(
    `${CAMPAIGN_PATH}/logs`,
    {
      // Its length is known only when it was made.
      exposeHeadRoute: false,
      schema: {
        operationId: 'getCampaignLogs',
        summary: 'Read all logs of a campaign',
        description:
          'As one ZIP archive: `manifest.json` with the campaign and its jobs, `<campaign>/<job>/<kind>` for every ' +
          'log that there is, and `missing.json` with `missing` (what there is not, and why) and `canStillWrite` ' +
          '(jobs whose logs are not complete). Also while the campaign runs, and after the cluster is gone. It is ' +
          'sent while it is made: if something breaks, the connection is cut and the archive has no directory.',
        tags: ['Campaigns'],
        params: campaignParams,
        response: {
          200: { description: 'The archive', content: { 'application/zip': { schema: bytes } } },
          ...problemResponses('NotFound', 'temporal', 'AwsUnavailable', 'TooManyStreams'),
        },
      },
    },
    async ({ params: { campaignId, ...tenant } }, reply) => {
      const archived = await allJobs(campaigns, tenant, campaignId);
      const documentOf = async (job: JobView, kind: LogKind) =>
        campaigns.document(tenant, campaignId, job, kind, pageBy());
      return sendArchive(archived, { logs, documentOf }, archives.begin(reply), reply);
    },
  );
}

function sendArchive(
  archived: ArchivedCampaign,
  { logs, documentOf }: { logs: Pick<LogReader, 'read'>; documentOf: Parameters<typeof archiveMembers>[2] },
  signal: AbortSignal,
  reply: FastifyReply,
): FastifyReply {
  const read: LogReader['read'] = async (request) => {
    signal.throwIfAborted();
    return withinDeadline(pageBy(), 'CloudWatch Logs', async () => logs.read(request));
  };
  const { campaignId } = archived.campaign;
  reply.type('application/zip');
  reply.header('content-disposition', `attachment; filename="${campaignId}.zip"`);
  return reply.send(zipStream(archiveMembers(archived, { read }, documentOf)));
}

function pageBy(): Date {
  return new Date(Date.now() + PAGE_WITHIN_MS);
}

/** Within the time of one request: a page takes some tens of milliseconds. */
async function allJobs(
  campaigns: CampaignService,
  tenant: Tenant,
  campaignId: string,
): Promise<ArchivedCampaign> {
  const deadline = answerBy();
  const jobs: JobView[] = [];
  for (;;) {
    const range = { offset: jobs.length, limit: PAGE_JOBS };
    const { campaign, jobs: page, total, logs } = await campaigns.jobs(tenant, campaignId, range, deadline);
    jobs.push(...page);
    if (page.length === 0 || jobs.length >= total) return { campaign, jobs, logs };
  }
}
