import type { JobLog, JobLogPage, JobLogRequest, LogReader } from '../clients/log-reader.ts';
import type { JobView, LogLocation } from '../domain/campaign-view.ts';
import { KnownFailure } from '../domain/failures.ts';
import { type LogKind, logKinds } from '../domain/log-events.ts';
import type { ArchiveMember } from './archive.ts';
import type { CampaignSummary } from './view-schemas.ts';

/** A campaign with all of its jobs, and where their logs are. */
export interface ArchivedCampaign {
  readonly campaign: CampaignSummary;
  readonly jobs: readonly JobView[];
  readonly logs: LogLocation | undefined;
}

/** A log that is not in the archive, or not whole. */
interface Lack {
  readonly jobKey: string;
  readonly kind: LogKind;
  readonly reason: string;
}

/**
 * What the archive of a campaign holds: `manifest.json` with its jobs as they are now, every log that there is as
 * `<campaign>/<job>/<kind>`, and `missing.json`, which names what is not there and why, and the jobs that can still
 * write. At the top there are no other names: any key can be a job's.
 */
export async function* archiveMembers(
  { campaign, jobs, logs: location }: ArchivedCampaign,
  logs: Pick<LogReader, 'read'>,
  documentOf: (job: JobView, kind: LogKind) => Promise<Uint8Array | undefined>,
): AsyncGenerator<ArchiveMember, void, undefined> {
  const modifiedAt = time(campaign.endedAt ?? campaign.observedAt);
  yield { name: 'manifest.json', modifiedAt, content: json({ ...campaign, jobs }) };
  const missing: Lack[] = [];
  for (const job of jobs) {
    for (const kind of logKinds) {
      const lack = (reason: string) => void missing.push({ jobKey: job.key, kind, reason });
      const isSubmitted = location && job.slurmJobId !== undefined;
      const log = isSubmitted && { location, campaignId: campaign.campaignId, jobKey: job.key, kind };
      const { page, gap } = log ? await readUnlessGap(logs, log) : {};
      const document = page || gap ? undefined : await documentOf(job, kind);
      const name = `${campaign.campaignId}/${job.key}/${kind}`;
      const modifiedAt = time(job.endedAt ?? job.startedAt ?? job.submittedAt);
      if (log && page) yield { name, modifiedAt, content: rest(logs, log, page, lack) };
      else if (document) yield { name, modifiedAt, content: [document] };
      else lack(gap ?? (log ? whyNothing(job) : `The job was not submitted to Slurm: ${job.reason}`));
    }
  }
  const canStillWrite = jobs.filter(({ logsComplete }) => !logsComplete).map(({ key }) => key);
  yield { name: 'missing.json', modifiedAt, content: json({ missing, canStillWrite }) };
}

/** A log from its first page on. A gap ends it and is noted: nothing that follows could be put in its place. */
async function* rest(
  logs: Pick<LogReader, 'read'>,
  log: JobLog,
  first: JobLogPage,
  lack: (reason: string) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  let page: JobLogPage | undefined = first;
  while (page) {
    if (page.content.length > 0) yield page.content;
    if (page.atEnd) return;
    const next = await readUnlessGap(logs, { ...log, pageToken: page.nextPageToken });
    if (next.gap !== undefined) lack(next.gap);
    ({ page } = next);
  }
}

async function readUnlessGap(
  logs: Pick<LogReader, 'read'>,
  request: JobLogRequest,
): Promise<{ readonly page?: JobLogPage | undefined; readonly gap?: string }> {
  try {
    return { page: await logs.read(request) };
  } catch (error) {
    if (error instanceof KnownFailure && error.type === 'LogIncomplete') return { gap: error.message };
    throw error;
  }
}

function whyNothing({ logsComplete, logsProblem }: JobView): string {
  return logsComplete ? (logsProblem ?? 'Nothing was written.') : 'Nothing was written yet.';
}

function json(value: unknown): Iterable<Uint8Array> {
  return [Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`)];
}

/** The earliest time that a ZIP archive knows, where there is none. */
function time(iso = '1980-01-01T00:00:00Z'): Date {
  return new Date(iso);
}
