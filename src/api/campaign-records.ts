import type { CampaignStore } from '../clients/campaign-store.ts';
import { type CampaignManifest, partsOfRange, summariseManifest } from '../domain/campaign-manifest.ts';
import type { CampaignView, JobView, LogLocation } from '../domain/campaign-view.ts';
import { KnownFailure } from '../domain/failures.ts';
import type { CampaignContentReference } from '../domain/job.ts';
import { submissionKeyOf } from '../domain/job-array.ts';
import { infoDocument, scriptDocument } from '../domain/job-documents.ts';
import type { LogKind } from '../domain/log-events.ts';
import { isTerminal } from '../domain/slurm-states.ts';
import type { Tenant } from '../domain/ids.ts';
import { counted } from '../domain/wording.ts';
import { withinDeadline } from './deadline.ts';
import type { Campaigns } from './ports.ts';
import type { CampaignSummary } from './view-schemas.ts';

export interface CampaignRecordsDeps {
  readonly campaigns: Campaigns;
  readonly store: Pick<CampaignStore, 'get' | 'reference' | 'getManifest' | 'getManifestPart'>;
}

/** A campaign wherever it is kept: in Temporal while it is remembered there, in its manifest once it has ended. */
export type CampaignRecord =
  | { readonly view: CampaignView; readonly manifest?: CampaignManifest; readonly open: boolean }
  | { readonly view?: undefined; readonly manifest: CampaignManifest; readonly open: false };

/** A range of jobs, in the order of submission. */
export interface JobRange {
  readonly offset: number;
  readonly limit: number;
}

export const CONTROL_BUCKET = 'The control bucket';

/** Finds campaigns again, whatever part of the system remembers them. */
export class CampaignRecords {
  private readonly deps: CampaignRecordsDeps;

  constructor(deps: CampaignRecordsDeps) {
    this.deps = deps;
  }

  /** The campaign. NotFound if the tenant has no such one. */
  async get(tenant: Tenant, campaignId: string, answerBy: Date): Promise<CampaignRecord> {
    const found = await this.find(tenant, campaignId, answerBy);
    if (found) return found;
    const { virtualLabId, projectId } = tenant;
    throw new KnownFailure(
      'NotFound',
      `Project ${projectId} in virtual lab ${virtualLabId} has no campaign ${campaignId}.`,
    );
  }

  /** An ended campaign is read from its manifest, which needs no worker. */
  async find(tenant: Tenant, campaignId: string, answerBy: Date): Promise<CampaignRecord | undefined> {
    const workflow = await this.deps.campaigns.view(tenant, campaignId, answerBy);
    if (workflow?.open) return workflow;
    const manifest = await withinDeadline(answerBy, CONTROL_BUCKET, async () =>
      this.deps.store.getManifest(tenant, campaignId),
    );
    if (!workflow) return manifest && { manifest, open: false };
    return { ...workflow, ...(manifest && { manifest }) };
  }

  /** A range of its jobs. Needs a worker as long as there is no manifest; reads only those parts that hold them. */
  async jobs(
    tenant: Tenant,
    campaignId: string,
    { manifest }: CampaignRecord,
    range: JobRange,
    answerBy: Date,
  ): Promise<{ readonly jobs: readonly JobView[]; readonly total: number }> {
    return manifest
      ? withinDeadline(answerBy, CONTROL_BUCKET, async () => this.keptJobs(manifest, range))
      : this.deps.campaigns.jobs(tenant, campaignId, range, answerBy);
  }

  /** One of its jobs. NotFound if it has no such one. */
  async job(
    tenant: Tenant,
    campaignId: string,
    record: CampaignRecord,
    jobKey: string,
    answerBy: Date,
  ): Promise<JobView> {
    const allJobs = async () => (await this.jobs(tenant, campaignId, record, ALL, answerBy)).jobs;
    // Which part of a manifest has it is not known beforehand.
    const kept = record.manifest && (await allJobs());
    const job = kept
      ? kept.find(({ key }) => key === jobKey)
      : await this.deps.campaigns.job(tenant, campaignId, jobKey, answerBy);
    if (job) return job;
    const jobs = kept ?? (await allJobs());
    const tasks = jobs.filter(({ arrayKey }) => arrayKey === jobKey);
    const message =
      tasks[0] === undefined
        ? `Campaign ${campaignId} has no job \`${jobKey}\`.`
        : `\`${jobKey}\` is an array of ${counted(tasks.length, 'task')}: name one, e.g. \`${tasks[0].key}\`. For all of them, POST …/campaigns/${campaignId}/actions takes the key of the array.`;
    throw new KnownFailure('NotFound', message);
  }

  /**
   * What is known of an ended job without its logs: how it ended, and its script. Undefined for any other kind, while the
   * job can still write, and where the content is gone.
   */
  async document(
    tenant: Tenant,
    campaignId: string,
    { view, manifest }: CampaignRecord,
    job: JobView,
    kind: LogKind,
  ): Promise<Buffer | undefined> {
    if (!isTerminal(job.state)) return undefined;
    if (kind === 'info') return Buffer.from(infoDocument(job));
    if (kind !== 'script') return undefined;
    const { store } = this.deps;
    const content = this.contentOf(tenant, campaignId, { view, manifest });
    const spec = content && (await store.get(content)).jobs.find(({ key }) => key === submissionKeyOf(job));
    return spec && Buffer.from(scriptDocument(spec));
  }

  /** Where its content is. Undefined of campaigns of which only a manifest of version 0.1.0 is left. */
  contentOf(
    tenant: Tenant,
    campaignId: string,
    { view, manifest }: Pick<CampaignRecord, 'view' | 'manifest'>,
  ): CampaignContentReference | undefined {
    const sha256 = manifest?.contentSha256;
    return (
      view?.content ??
      (sha256 === undefined ? undefined : this.deps.store.reference(tenant, campaignId, sha256))
    );
  }

  private async keptJobs(manifest: CampaignManifest, { offset, limit }: JobRange) {
    if (manifest.version === 1) {
      return { jobs: manifest.jobs.slice(offset, offset + limit), total: manifest.jobs.length };
    }
    const { parts, skip } = partsOfRange(manifest.parts, { offset, limit });
    const jobs = await Promise.all(parts.map(async (part) => this.deps.store.getManifestPart(part)));
    return { jobs: jobs.flat().slice(skip, skip + limit), total: summariseManifest(manifest).jobCount };
  }
}

/** Every job of a campaign. */
export const ALL: JobRange = { offset: 0, limit: Number.MAX_SAFE_INTEGER };

/** The campaign as the API shows it, without its jobs. */
export function summaryOf(tenant: Tenant, record: CampaignRecord): CampaignSummary {
  if (record.view) return summaryOfView(record.view);
  const { manifest } = record;
  return {
    ...tenant,
    campaignId: manifest.campaignId,
    ...summariseManifest(manifest),
    message: 'The campaign has ended; this is what was kept of it.',
  };
}

/** Where the content lies is the service's own business. */
export function summaryOfView({
  version: _version,
  content: _content,
  logs: _logs,
  ...view
}: CampaignView): CampaignSummary {
  return view;
}

/** Where the logs of its jobs are; undefined as long as none was submitted. */
export function logsOf({ view, manifest }: CampaignRecord): LogLocation | undefined {
  return manifest?.logs ?? view?.logs;
}
