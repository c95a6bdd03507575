import { z } from 'zod';
import type { Campaigns, ClusterListRequest, Clusters, Page } from '../../src/api/ports.ts';
import {
  type CampaignStore,
  contentKey,
  decodeContent,
  encodeContent,
} from '../../src/clients/campaign-store.ts';
import { countByState, newCampaignSnapshot, renderCampaignView } from '../../src/domain/campaign.ts';
import { viewOfJob } from '../../src/domain/campaign-job.ts';
import type { CampaignManifest, ManifestPartReference } from '../../src/domain/campaign-manifest.ts';
import { type BudgetRequest, standingOf } from '../../src/domain/budget.ts';
import type { CampaignView, JobView } from '../../src/domain/campaign-view.ts';
import { type ClusterSpec, diffSpecs } from '../../src/domain/cluster-spec.ts';
import type { PreflightReport } from '../../src/domain/preflight.ts';
import { planUpdate } from '../../src/domain/spec-update.ts';
import type { HoldRequest, Resolution } from '../../src/domain/lifetime.ts';
import type { KeyRotationRequest } from '../../src/domain/slurm-keys.ts';
import type { ClusterView } from '../../src/domain/cluster-view.ts';
import { type Failure, KnownFailure } from '../../src/domain/failures.ts';
import { campaignWorkflowId, clusterWorkflowId, type Tenant } from '../../src/domain/ids.ts';
import type { ControlOutcome, ControlRequest } from '../../src/domain/job-control.ts';
import type { CampaignContent, CampaignContentReference } from '../../src/domain/job.ts';
import type {
  ChangeAnswer,
  ChangeJudgement,
  ChangeRequest,
  EnsureAnswer,
  EnsureRequest,
  ListJobsAnswer,
  SubmitCampaignAnswer,
  SubmitCampaignRequest,
  CancelCampaignRequest,
} from '../../src/workflows/messages.ts';

export const tenant: Tenant = { virtualLabId: 'lab-1', projectId: 'project-1' };
export const other: Tenant = { virtualLabId: 'lab-2', projectId: 'project-1' };
export const NOW = '2026-01-15T09:41:07.000Z';

export function clusterUrl({ virtualLabId, projectId }: Tenant = tenant): string {
  return `/v1/virtual-labs/${virtualLabId}/projects/${projectId}/cluster`;
}

export function clusterView(own: Partial<ClusterView> = {}): ClusterView {
  return {
    version: 1,
    ...tenant,
    clusterName: 'pcluster-lab-1-project-1',
    state: 'provisioning',
    since: NOW,
    message: 'Creating the stack.',
    observedAt: NOW,
    holds: [],
    openCampaigns: 0,
    activeJobs: 0,
    ...own,
  };
}

export function jobView(own: Partial<JobView> & { readonly key: string }): JobView {
  return { state: 'waiting', reason: 'Waiting until the cluster is ready.', logsComplete: false, ...own };
}

/** Says that Temporal or its workers are away, when a test wants it. */
export class Outage {
  /** Thrown by everything that needs a worker. */
  worker: Error | undefined;
  /** Thrown by everything that needs Temporal. */
  temporal: Error | undefined;

  check(needs: 'temporal' | 'worker'): void {
    if (this.temporal) throw this.temporal;
    if (needs === 'worker' && this.worker) throw this.worker;
  }
}

interface FakeCampaign {
  view: CampaignView;
  open: boolean;
  jobs: JobView[];
}

const keysSchema = z
  .object({ jobs: z.array(z.object({ key: z.string() })) })
  .transform(({ jobs }) => jobs.map(({ key }) => key));

/** Campaigns as their workflows would keep them. */
export class FakeCampaigns implements Campaigns {
  readonly cancellations: CancelCampaignRequest[] = [];
  private readonly campaigns = new Map<string, FakeCampaign>();
  private readonly outage: Outage;
  private readonly store: FakeStore;

  constructor(outage: Outage, store: FakeStore) {
    this.outage = outage;
    this.store = store;
  }

  /** The campaign, to be changed as its workflow would. */
  at(owner: Tenant, campaignId: string): FakeCampaign {
    const found = this.campaigns.get(campaignWorkflowId(owner, campaignId));
    if (!found) throw new Error(`No campaign ${campaignId}`);
    return found;
  }

  /** The keys of its jobs are found where the workflow finds them. */
  accept(owner: Tenant, { campaignId, content }: SubmitCampaignRequest): void {
    const keys = keysSchema.parse(JSON.parse(this.store.contents.get(content.key) ?? '{}'));
    const snapshot = newCampaignSnapshot(keys, NOW);
    const view = renderCampaignView(owner, campaignId, content, snapshot, NOW);
    const views = snapshot.jobs.map(viewOfJob);
    this.campaigns.set(campaignWorkflowId(owner, campaignId), { view, open: true, jobs: views });
  }

  /** As after the end of Temporal's retention. */
  forget(owner: Tenant, campaignId: string): void {
    this.campaigns.delete(campaignWorkflowId(owner, campaignId));
  }

  async view(owner: Tenant, campaignId: string): Promise<FakeCampaign | undefined> {
    this.outage.check('temporal');
    return this.campaigns.get(campaignWorkflowId(owner, campaignId));
  }

  async jobs(
    owner: Tenant,
    campaignId: string,
    { offset, limit }: { readonly offset: number; readonly limit: number },
  ): Promise<{ jobs: readonly JobView[]; total: number }> {
    this.outage.check('worker');
    const { jobs } = this.at(owner, campaignId);
    return { jobs: jobs.slice(offset, offset + limit), total: jobs.length };
  }

  async job(owner: Tenant, campaignId: string, jobKey: string): Promise<JobView | undefined> {
    this.outage.check('worker');
    return this.at(owner, campaignId).jobs.find(({ key }) => key === jobKey);
  }

  /** What is done to jobs, and what becomes of it; done if nothing is said. */
  readonly controls: ControlRequest[] = [];
  controlOutcome: Omit<ControlOutcome, 'jobKey'> = { status: 'done' };

  async control(
    owner: Tenant,
    campaignId: string,
    request: ControlRequest,
  ): Promise<ControlOutcome[] | undefined> {
    this.outage.check('worker');
    if (!this.at(owner, campaignId).open) return undefined;
    this.controls.push(request);
    return request.jobKeys.map((jobKey) => ({ message: '', ...this.controlOutcome, jobKey }));
  }

  /** Jobs that wait end at once; what Slurm has goes on until Slurm ends it. */
  async cancel(
    owner: Tenant,
    campaignId: string,
    request: CancelCampaignRequest,
  ): Promise<CampaignView | undefined> {
    this.outage.check('worker');
    const campaign = this.at(owner, campaignId);
    this.cancellations.push(request);
    if (!campaign.open) return undefined;
    const isMeant = ({ key }: JobView) => request.jobKeys?.includes(key) ?? true;
    campaign.jobs = campaign.jobs.map((job) =>
      isMeant(job) && job.state === 'waiting' ? { ...job, state: 'cancelled', reason: request.reason } : job,
    );
    campaign.view = { ...campaign.view, jobsByState: countByState(campaign.jobs) };
    return campaign.view;
  }
}

/** Cluster entities without workers, time or AWS. */
export class FakeClusters implements Clusters {
  readonly views = new Map<string, ClusterView>();
  readonly submitted: SubmitCampaignRequest[] = [];
  /** Arguments of the lifetime messages, in order. */
  readonly messages: unknown[] = [];
  listed: ClusterListRequest | undefined;
  page: Page<ClusterView> = { items: [] };
  private readonly outage: Outage;
  /** What somebody else makes of the cluster while it is being changed. */
  racingSpec: ClusterSpec | undefined;
  private readonly campaigns: FakeCampaigns;

  constructor(outage: Outage, campaigns: FakeCampaigns) {
    this.outage = outage;
    this.campaigns = campaigns;
  }

  private existing(owner: Tenant): ClusterView {
    this.outage.check('worker');
    const view = this.views.get(clusterWorkflowId(owner));
    if (!view) throw new KnownFailure('NotFound', 'The cluster was never asked for.');
    return view;
  }

  /** What dry runs find. */
  preflightReport: PreflightReport = { checks: [] };
  readonly judged: ClusterSpec[] = [];

  async preflight(_owner: Tenant, spec: ClusterSpec): Promise<PreflightReport> {
    this.outage.check('worker');
    this.judged.push(spec);
    return this.preflightReport;
  }

  async ensure(owner: Tenant, { spec, notes }: EnsureRequest): Promise<EnsureAnswer> {
    this.outage.check('worker');
    const existing = this.views.get(clusterWorkflowId(owner));
    if (existing?.spec) {
      const differences = diffSpecs(existing.spec, spec);
      if (differences.length > 0)
        throw new KnownFailure('ClusterSpecConflict', 'Other queues.', { differences });
      return { outcome: 'exists', view: existing };
    }
    const view = clusterView({ ...owner, spec, ...notes });
    this.views.set(clusterWorkflowId(owner), view);
    return { outcome: 'created', view };
  }

  async view(owner: Tenant): Promise<ClusterView | undefined> {
    this.outage.check('temporal');
    return this.views.get(clusterWorkflowId(owner));
  }

  async teardown(owner: Tenant, reason: string): Promise<ClusterView> {
    const view = { ...this.existing(owner), state: 'draining', message: reason } as const;
    this.views.set(clusterWorkflowId(owner), view);
    return view;
  }

  async comingSpec(owner: Tenant) {
    const { spec } = this.existing(owner);
    return { ...(spec && { spec }) };
  }

  /** What changes are refused with. */
  refusal: Failure | undefined;

  async judgeChange(): Promise<ChangeJudgement> {
    return { ...(this.refusal && { refusal: this.refusal }) };
  }

  /** As a real one that is ready: what is in place is under way, what is at once is done. */
  async changeSpec(owner: Tenant, request: ChangeRequest): Promise<ChangeAnswer> {
    this.messages.push(request);
    const view = this.existing(owner);
    if (this.racingSpec) {
      this.views.set(clusterWorkflowId(owner), { ...view, spec: this.racingSpec });
      this.racingSpec = undefined;
      throw new KnownFailure('ClusterSpecConflict', 'The specification was changed meanwhile.');
    }
    const { mode, changes } = planUpdate(view.spec ?? request.spec, request.spec);
    if (mode === 'refused') throw new KnownFailure('ChangeRefused', 'Not changed.', { changes });
    if (mode === 'none') return { outcome: 'unchanged', view };
    if (mode !== 'at-once') return { outcome: 'accepted', view };
    const changed = { ...view, spec: request.spec };
    this.views.set(clusterWorkflowId(owner), changed);
    return { outcome: 'done', view: changed };
  }

  async hold(owner: Tenant, hold: HoldRequest): Promise<ClusterView> {
    this.messages.push(hold);
    return { ...this.existing(owner), holds: [{ name: hold.name, reason: hold.reason, until: NOW }] };
  }

  async release(owner: Tenant, name: string): Promise<ClusterView> {
    this.messages.push(name);
    return this.existing(owner);
  }

  async extend(owner: Tenant, until: string): Promise<ClusterView> {
    this.messages.push(until);
    return this.existing(owner);
  }

  async resolve(owner: Tenant, resolution: Resolution): Promise<ClusterView> {
    this.messages.push(resolution);
    return this.existing(owner);
  }

  async setBudget(owner: Tenant, request: BudgetRequest): Promise<ClusterView> {
    this.outage.check('worker');
    this.messages.push(request);
    const standing = standingOf(request, 0, '2026-01');
    const view = {
      ...(this.views.get(clusterWorkflowId(owner)) ?? clusterView({ ...owner, state: 'deleted' })),
    };
    const { hardLimitUsd, ...rest } = request;
    const hard = hardLimitUsd === undefined ? {} : { hardLimitUsd };
    const withBudget = { ...view, budget: { ...rest, ...hard, setAt: NOW, ...standing } };
    this.views.set(clusterWorkflowId(owner), withBudget);
    return withBudget;
  }

  async removeBudget(owner: Tenant): Promise<ClusterView> {
    const { budget: _gone, ...view } = this.views.get(clusterWorkflowId(owner)) ?? clusterView(owner);
    this.views.set(clusterWorkflowId(owner), view);
    return view;
  }

  async rotateSigningKey(owner: Tenant, request: KeyRotationRequest): Promise<ClusterView> {
    this.messages.push(request);
    return this.existing(owner);
  }

  /** What the cluster answers about the listing of its jobs. */
  jobListing: ListJobsAnswer | Error | undefined;

  async listJobs(owner: Tenant): Promise<ListJobsAnswer> {
    this.existing(owner);
    if (!this.jobListing || this.jobListing instanceof Error)
      throw this.jobListing ?? new KnownFailure('ClusterNotReady', 'The cluster is provisioning.');
    return this.jobListing;
  }

  async list(request: ClusterListRequest): Promise<Page<ClusterView>> {
    this.outage.check('temporal');
    this.listed = request;
    return this.page;
  }

  async submit(owner: Tenant, request: SubmitCampaignRequest): Promise<SubmitCampaignAnswer> {
    if (request.spec)
      await this.ensure(owner, { spec: request.spec, ...(request.notes && { notes: request.notes }) });
    this.outage.check('worker');
    const cluster = this.views.get(clusterWorkflowId(owner));
    if (!cluster) throw new KnownFailure('NoCluster', 'The project has no cluster.');
    this.submitted.push(request);
    this.campaigns.accept(owner, request);
    return { outcome: 'accepted', campaignId: request.campaignId, cluster };
  }
}

/** The control bucket in memory, with the real hashes. */
export class FakeStore implements Pick<
  CampaignStore,
  'put' | 'get' | 'reference' | 'getManifest' | 'getManifestPart'
> {
  readonly contents = new Map<string, string>();
  readonly manifests = new Map<string, CampaignManifest>();
  readonly parts = new Map<string, readonly JobView[]>();
  readonly partsRead: string[] = [];
  failure: Error | undefined;

  async put(owner: Tenant, content: CampaignContent): Promise<CampaignContentReference> {
    if (this.failure) throw this.failure;
    const { text, sha256 } = encodeContent(content);
    const key = contentKey(owner, content.campaignId, sha256);
    this.contents.set(key, text);
    return { bucket: 'control', key, sha256 };
  }

  reference(owner: Tenant, campaignId: string, sha256: string): CampaignContentReference {
    return { bucket: 'control', key: contentKey(owner, campaignId, sha256), sha256 };
  }

  async get(reference: CampaignContentReference): Promise<CampaignContent> {
    return decodeContent(reference, this.contents.get(reference.key) ?? '');
  }

  async getManifest(owner: Tenant, campaignId: string): Promise<CampaignManifest | undefined> {
    if (this.failure) throw this.failure;
    return this.manifests.get(campaignWorkflowId(owner, campaignId));
  }

  async getManifestPart({ key }: ManifestPartReference): Promise<JobView[]> {
    this.partsRead.push(key);
    return [...(this.parts.get(key) ?? [])];
  }
}
