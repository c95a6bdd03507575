import type { z } from 'zod';
import { type CampaignStore, encodeContent } from '../clients/campaign-store.ts';
import { countByState, outcome } from '../domain/campaign.ts';
import type { CampaignManifest } from '../domain/campaign-manifest.ts';
import type { CampaignView, JobView, LogLocation } from '../domain/campaign-view.ts';
import { resolveClusterSpec } from '../domain/cluster-spec.ts';
import type { ClusterView } from '../domain/cluster-view.ts';
import { type Failure, failureOf, KnownFailure } from '../domain/failures.ts';
import type { Tenant } from '../domain/ids.ts';
import type { CampaignContent, campaignSpecSchema } from '../domain/job.ts';
import { campaignIdFor } from './campaign-id.ts';
import { withinDeadline } from './deadline.ts';
import { decodeOffset, encodeOffset } from './page-token.ts';
import type { Campaigns, Clusters } from './ports.ts';
import type { CampaignPage, CampaignReceipt } from './view-schemas.ts';

export interface CampaignServiceDeps {
  readonly clusters: Pick<Clusters, 'submit' | 'view'>;
  readonly campaigns: Campaigns;
  readonly store: Pick<CampaignStore, 'put' | 'getManifest'>;
}

/** A campaign wherever it is kept: in Temporal while it is remembered there, in its manifest afterwards. */
type Found =
  | { readonly source: 'workflow'; readonly view: CampaignView }
  | { readonly source: 'manifest'; readonly view?: CampaignView; readonly manifest: CampaignManifest };

const CONTROL_BUCKET = 'The control bucket';

/** Takes campaigns in and finds them again, whatever part of the system remembers them. */
export class CampaignService {
  private readonly deps: CampaignServiceDeps;

  constructor(deps: CampaignServiceDeps) {
    this.deps = deps;
  }

  /**
   * Submits a campaign, or finds the one that the same key submitted before. The content is stored first: what the
   * workflow is given must exist. CampaignConflict if the key stands for other jobs.
   */
  async accept(
    tenant: Tenant,
    idempotencyKey: string,
    { jobs, cluster }: z.output<typeof campaignSpecSchema>,
    answerBy: Date,
  ): Promise<{ readonly repeated: boolean; readonly receipt: CampaignReceipt }> {
    const campaignId = campaignIdFor(tenant, idempotencyKey);
    const content: CampaignContent = { version: 1, campaignId, jobs };
    const receipt = { ...tenant, campaignId, jobCount: jobs.length, sha256: encodeContent(content).sha256 };
    const earlier = await this.find(tenant, campaignId, answerBy);
    if (earlier) {
      refuseOtherContent(earlier, content, receipt.sha256);
      const view = await this.deps.clusters.view(tenant, answerBy);
      return { repeated: true, receipt: { ...receipt, ...(view && { cluster: presentState(view) }) } };
    }
    const reference = await withinDeadline(answerBy, CONTROL_BUCKET, async () =>
      this.deps.store.put(tenant, content),
    );
    const answer = await this.deps.clusters.submit(
      tenant,
      {
        campaignId,
        content: reference,
        jobCount: jobs.length,
        jobKeys: jobs.map(({ key }) => key),
        queues: [...new Set(jobs.flatMap(({ queue }) => queue ?? []))],
        ...(cluster && { spec: resolveClusterSpec(cluster) }),
      },
      answerBy,
    );
    return {
      repeated: answer.outcome === 'repeated',
      receipt: { ...receipt, cluster: presentState(answer.cluster) },
    };
  }

  /** The campaign and a page of its jobs. NotFound if the tenant has no such campaign. */
  async page(
    tenant: Tenant,
    campaignId: string,
    { pageSize, pageToken }: { readonly pageSize: number; readonly pageToken?: string | undefined },
    answerBy: Date,
  ): Promise<CampaignPage> {
    const offset = decodeOffset(pageToken);
    const found = await this.get(tenant, campaignId, answerBy);
    if (found.source === 'manifest') {
      const { jobs } = found.manifest;
      const view = found.view ? describe(found.view) : describeManifest(tenant, found.manifest);
      return { ...view, ...slice(jobs.slice(offset, offset + pageSize), offset, jobs.length) };
    }
    try {
      const range = { offset, limit: pageSize };
      const { jobs, total } = await this.deps.campaigns.jobs(tenant, campaignId, range, answerBy);
      return { ...describe(found.view), ...slice(jobs, offset, total) };
    } catch (error) {
      return { ...describe(found.view), jobs: [], jobsUnavailable: unavailable(error) };
    }
  }

  /** One job and where its logs are. NotFound, which names what does not exist. */
  async job(
    tenant: Tenant,
    campaignId: string,
    jobKey: string,
    answerBy: Date,
  ): Promise<{ readonly job: JobView; readonly logs?: LogLocation }> {
    const found = await this.get(tenant, campaignId, answerBy);
    const fromManifest = found.source === 'manifest';
    const job = fromManifest
      ? found.manifest.jobs.find(({ key }) => key === jobKey)
      : await this.deps.campaigns.job(tenant, campaignId, jobKey, answerBy);
    if (!job) throw new KnownFailure('NotFound', `Campaign ${campaignId} has no job \`${jobKey}\`.`);
    const logs = fromManifest ? found.manifest.logs : found.view.logs;
    return { job, ...(logs && { logs }) };
  }

  private async get(tenant: Tenant, campaignId: string, answerBy: Date): Promise<Found> {
    const found = await this.find(tenant, campaignId, answerBy);
    if (found) return found;
    const { virtualLabId, projectId } = tenant;
    throw new KnownFailure(
      'NotFound',
      `Project ${projectId} in virtual lab ${virtualLabId} has no campaign ${campaignId}.`,
    );
  }

  /** An ended campaign is read from its manifest, which needs no worker. */
  private async find(tenant: Tenant, campaignId: string, answerBy: Date): Promise<Found | undefined> {
    const workflow = await this.deps.campaigns.view(tenant, campaignId, answerBy);
    if (workflow?.open) return { source: 'workflow', view: workflow.view };
    const manifest = await withinDeadline(answerBy, CONTROL_BUCKET, async () =>
      this.deps.store.getManifest(tenant, campaignId),
    );
    if (manifest) return { source: 'manifest', manifest, ...(workflow && { view: workflow.view }) };
    return workflow && { source: 'workflow', view: workflow.view };
  }
}

/** Once Temporal has forgotten the hash of the content, the keys of its jobs are what is left to compare. */
function refuseOtherContent(found: Found, { campaignId, jobs }: CampaignContent, sha256: string): void {
  const same =
    found.view !== undefined
      ? found.view.content.sha256 === sha256
      : found.source === 'manifest' &&
        sameMembers(
          found.manifest.jobs.map(({ key }) => key),
          jobs.map(({ key }) => key),
        );
  if (!same) {
    throw new KnownFailure(
      'CampaignConflict',
      `The Idempotency-Key stands for campaign ${campaignId}, which has other jobs.`,
      { campaignId },
    );
  }
}

function sameMembers(a: readonly string[], b: readonly string[]): boolean {
  const members = new Set(a);
  return a.length === b.length && b.every((member) => members.has(member));
}

function presentState({ state, since, message }: ClusterView): CampaignReceipt['cluster'] {
  return { state, since, message };
}

type Description = Omit<CampaignPage, 'jobs' | 'nextPageToken' | 'jobsUnavailable'>;

/** Where the content lies is the service's own business. */
function describe({ version: _version, content: _content, logs: _logs, ...view }: CampaignView): Description {
  return view;
}

function describeManifest(tenant: Tenant, { campaignId, jobs }: CampaignManifest): Description {
  return {
    ...tenant,
    campaignId,
    state: outcome(jobs),
    message: 'The campaign has ended; this is what was kept of it.',
    jobCount: jobs.length,
    jobsByState: countByState(jobs),
  };
}

function slice(
  jobs: readonly JobView[],
  offset: number,
  total: number,
): Pick<CampaignPage, 'jobs' | 'nextPageToken'> {
  const next = offset + jobs.length;
  return { jobs: [...jobs], ...(jobs.length > 0 && next < total && { nextPageToken: encodeOffset(next) }) };
}

/** Only a missing worker leaves the rest of the answer usable; everything else is thrown again. */
function unavailable(error: unknown): Failure {
  if (error instanceof KnownFailure && error.type === 'WorkerUnavailable') {
    return failureOf(error.type, error.message);
  }
  throw error;
}
