import type { CampaignStore } from '../clients/campaign-store.ts';
import type { JobView, LogLocation } from '../domain/campaign-view.ts';
import { type Failure, failureOf, KnownFailure } from '../domain/failures.ts';
import type { Tenant } from '../domain/ids.ts';
import type { ControlOutcome, ControlRequest, JobAction } from '../domain/job-control.ts';
import type { LogKind } from '../domain/log-events.ts';
import { isTerminal } from '../domain/slurm-states.ts';
import { CampaignIntake } from './campaign-intake.ts';
import {
  type CampaignRecord,
  CampaignRecords,
  CONTROL_BUCKET,
  type JobRange,
  logsOf,
  summaryOf,
  summaryOfView,
} from './campaign-records.ts';
import { withinDeadline } from './deadline.ts';
import { decodeOffset, encodeOffset } from './page-token.ts';
import type { Planning } from './planning.ts';
import type { Campaigns, Clusters } from './ports.ts';
import type { Installation } from './request-validation.ts';
import type { CampaignPage, CampaignSummary } from './view-schemas.ts';

export interface CampaignServiceDeps {
  readonly clusters: Pick<Clusters, 'submit' | 'view'>;
  readonly campaigns: Campaigns;
  readonly installation: Installation;
  readonly planning: Planning;
  readonly store: Pick<CampaignStore, 'put' | 'get' | 'reference' | 'getManifest' | 'getManifestPart'>;
}

/** What a cancellation leaves. `ended`: there was nothing left to cancel. */
export interface Cancelled<T> {
  readonly ended: boolean;
  readonly left: T;
}

/** Shows campaigns, changes and cancels them. */
export class CampaignService {
  private readonly deps: CampaignServiceDeps;
  private readonly records: CampaignRecords;
  /** Takes campaigns in. */
  readonly intake: CampaignIntake;

  constructor(deps: CampaignServiceDeps) {
    this.deps = deps;
    this.records = new CampaignRecords(deps);
    this.intake = new CampaignIntake(deps, this.records);
  }

  /** The campaign and a page of its jobs. NotFound if the tenant has no such campaign. */
  async page(
    tenant: Tenant,
    campaignId: string,
    { pageSize, pageToken }: { readonly pageSize: number; readonly pageToken?: string | undefined },
    answerBy: Date,
  ): Promise<CampaignPage> {
    const offset = decodeOffset(pageToken);
    const record = await this.records.get(tenant, campaignId, answerBy);
    const [blind, page] = await Promise.all([
      this.blindness(tenant, record, answerBy),
      this.pageOfJobs(tenant, campaignId, record, { offset, limit: pageSize }, answerBy),
    ]);
    return { ...summaryOf(tenant, record), ...blind, ...page };
  }

  /** The epoch that has its jobs; undefined as long as none was submitted. NotFound. */
  async epochOf(tenant: Tenant, campaignId: string, answerBy: Date): Promise<string | undefined> {
    return logsOf(await this.records.get(tenant, campaignId, answerBy))?.epoch;
  }

  /** One job and where its logs are. NotFound, which names what does not exist. */
  async job(
    tenant: Tenant,
    campaignId: string,
    jobKey: string,
    answerBy: Date,
  ): Promise<{ readonly job: JobView; readonly logs?: LogLocation }> {
    const record = await this.records.get(tenant, campaignId, answerBy);
    const job = await this.records.job(tenant, campaignId, record, jobKey, answerBy);
    const logs = logsOf(record);
    return { job, ...(logs && { logs }) };
  }

  /** A range of a campaign's jobs, and where their logs are. NotFound. Needs a worker while the campaign runs. */
  async jobs(
    tenant: Tenant,
    campaignId: string,
    range: JobRange,
    answerBy: Date,
  ): Promise<{
    readonly campaign: CampaignSummary;
    readonly jobs: readonly JobView[];
    readonly total: number;
    readonly logs?: LogLocation;
  }> {
    const record = await this.records.get(tenant, campaignId, answerBy);
    const { jobs, total } = await this.records.jobs(tenant, campaignId, record, range, answerBy);
    const logs = logsOf(record);
    return { campaign: summaryOf(tenant, record), jobs, total, ...(logs && { logs }) };
  }

  /** What is known of an ended job without its logs, see {@link CampaignRecords.document}. */
  async document(
    tenant: Tenant,
    campaignId: string,
    job: JobView,
    kind: LogKind,
    answerBy: Date,
  ): Promise<Buffer | undefined> {
    const record = await this.records.get(tenant, campaignId, answerBy);
    return withinDeadline(answerBy, CONTROL_BUCKET, async () =>
      this.records.document(tenant, campaignId, record, job, kind),
    );
  }

  /**
   * Cancels the campaign, or some of its jobs, without waiting for their end. NotFound if the tenant has no such campaign,
   * or that no such jobs.
   */
  async cancel(
    tenant: Tenant,
    campaignId: string,
    { reason, jobKeys }: { readonly reason: string; readonly jobKeys?: string[] | undefined },
    answerBy: Date,
  ): Promise<Cancelled<CampaignSummary>> {
    const record = await this.records.get(tenant, campaignId, answerBy);
    if (!record.open) return { ended: true, left: summaryOf(tenant, record) };
    const view = await this.deps.campaigns.cancel(
      tenant,
      campaignId,
      { reason, ...(jobKeys && { jobKeys }) },
      answerBy,
    );
    if (view) return { ended: false, left: summaryOfView(view) };
    // It ended in the same moment.
    const ended = await this.records.get(tenant, campaignId, answerBy);
    return { ended: true, left: summaryOf(tenant, ended) };
  }

  /** Cancels one job, without waiting for its end. NotFound, which names what does not exist. */
  async cancelJob(
    tenant: Tenant,
    campaignId: string,
    jobKey: string,
    reason: string,
    answerBy: Date,
  ): Promise<Cancelled<JobView>> {
    const { job } = await this.job(tenant, campaignId, jobKey, answerBy);
    if (isTerminal(job.state)) return { ended: true, left: job };
    const request = { jobKeys: [jobKey], reason };
    const view = await this.deps.campaigns.cancel(tenant, campaignId, request, answerBy);
    const after = await this.job(tenant, campaignId, jobKey, answerBy);
    return { ended: view === undefined, left: after.job };
  }

  /**
   * Does something to a job that Slurm has, and answers the job as it was last seen: what became of it, the next look
   * at Slurm shows. NotFound, JobActionRefused with Slurm's own words.
   */
  async act(
    tenant: Tenant,
    campaignId: string,
    jobKey: string,
    action: JobAction,
    answerBy: Date,
  ): Promise<JobView> {
    const { job } = await this.job(tenant, campaignId, jobKey, answerBy);
    const outcomes = await this.deps.campaigns.control(
      tenant,
      campaignId,
      { jobKeys: [jobKey], action },
      answerBy,
    );
    const outcome = outcomes?.find((each) => each.jobKey === jobKey);
    if (outcome?.status === 'done') return job;
    const message =
      outcome?.status === 'refused' ? outcome.message : `Slurm does not have the job: it is ${job.state}.`;
    throw new KnownFailure('JobActionRefused', message);
  }

  /**
   * Does something to several jobs, and answers what became of it at each. NotFound; JobActionRefused if the campaign has
   * ended.
   */
  async actOnJobs(
    tenant: Tenant,
    campaignId: string,
    request: Omit<ControlRequest, 'requestedBy'>,
    answerBy: Date,
  ): Promise<readonly ControlOutcome[]> {
    await this.records.get(tenant, campaignId, answerBy);
    const outcomes = await this.deps.campaigns.control(tenant, campaignId, request, answerBy);
    if (outcomes) return outcomes;
    throw new KnownFailure('JobActionRefused', 'The campaign has ended: Slurm has none of its jobs.');
  }

  /** Since when and why the states of jobs are only the last known ones. Of an ended campaign they are final. */
  private async blindness(
    tenant: Tenant,
    record: CampaignRecord,
    answerBy: Date,
  ): Promise<Pick<CampaignPage, 'blindSince' | 'blindBecause'>> {
    if (!record.open) return {};
    const cluster = await this.deps.clusters.view(tenant, answerBy);
    if (cluster?.blindSince === undefined) return {};
    const { blindSince, blindBecause } = cluster;
    return { blindSince, ...(blindBecause && { blindBecause }) };
  }

  private async pageOfJobs(
    tenant: Tenant,
    campaignId: string,
    record: CampaignRecord,
    range: JobRange,
    answerBy: Date,
  ): Promise<Pick<CampaignPage, 'jobs' | 'nextPageToken' | 'jobsUnavailable'>> {
    try {
      const { jobs, total } = await this.records.jobs(tenant, campaignId, record, range, answerBy);
      const next = range.offset + jobs.length;
      const isLast = jobs.length === 0 || next >= total;
      return { jobs: [...jobs], ...(!isLast && { nextPageToken: encodeOffset(next) }) };
    } catch (error) {
      return { jobs: [], jobsUnavailable: unavailable(error) };
    }
  }
}

/** Only a missing worker leaves the rest of the answer usable; everything else is thrown again. */
function unavailable(error: unknown): Failure {
  if (error instanceof KnownFailure && error.type === 'WorkerUnavailable') {
    return failureOf(error.type, error.message);
  }
  throw error;
}
