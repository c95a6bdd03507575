import type { BudgetRequest } from '../domain/budget.ts';
import type { CampaignView, JobView } from '../domain/campaign-view.ts';
import type { ClusterSpec } from '../domain/cluster-spec.ts';
import type { ClusterState, ClusterView } from '../domain/cluster-view.ts';
import type { Tenant } from '../domain/ids.ts';
import type { ControlOutcome, ControlRequest } from '../domain/job-control.ts';
import type { HoldRequest, Resolution } from '../domain/lifetime.ts';
import type { PreflightReport } from '../domain/preflight.ts';
import type { AskedSpec } from './planning.ts';
import type { SpecNotes } from '../domain/spec-notes.ts';
import type { KeyRotationRequest } from '../domain/slurm-keys.ts';
import type {
  CancelCampaignRequest,
  ChangeAnswer,
  ChangeJudgement,
  ChangeRequest,
  EnsureAnswer,
  ListJobsAnswer,
  SubmitCampaignAnswer,
  SubmitCampaignRequest,
} from '../workflows/messages.ts';

/*
 * What the routes need from the world. Every method takes the moment by which it must have answered: one request
 * can make several calls, and all of them share its time. Failures are `KnownFailure`s; anything else is a defect.
 */

/** A page of a longer list. The token is opaque to callers; absent on the last page. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly nextPageToken?: string;
}

export interface ClusterListRequest {
  readonly state?: ClusterState;
  readonly pageSize: number;
  readonly pageToken?: string;
}

/** Clusters as Temporal keeps them. WorkerUnavailable and TemporalUnavailable can come from every method. */
export interface Clusters {
  /** Judges whether a cluster could come up; makes nothing. */
  preflight(tenant: Tenant, spec: ClusterSpec, answerBy: Date): Promise<PreflightReport>;
  /** Makes the cluster exist. ClusterSpecConflict. */
  ensure(tenant: Tenant, asked: AskedSpec, answerBy: Date): Promise<EnsureAnswer>;
  /** The last view that was written, readable without a worker; undefined if nobody ever asked for the cluster. */
  view(tenant: Tenant, answerBy: Date): Promise<ClusterView | undefined>;
  /** Begins the teardown, or answers what is left of it. NotFound if nobody ever asked for the cluster. */
  teardown(tenant: Tenant, reason: string, answerBy: Date): Promise<ClusterView>;
  /** Keeps an idle cluster. NotFound if none lives, like the three below. */
  hold(tenant: Tenant, hold: HoldRequest, answerBy: Date): Promise<ClusterView>;
  release(tenant: Tenant, name: string, answerBy: Date): Promise<ClusterView>;
  extend(tenant: Tenant, until: string, answerBy: Date): Promise<ClusterView>;
  resolve(tenant: Tenant, resolution: Resolution, answerBy: Date): Promise<ClusterView>;
  /** Begins to replace the signing key. NotFound, ClusterNotReady; InvalidRequest where there is none. */
  rotateSigningKey(tenant: Tenant, request: KeyRotationRequest, answerBy: Date): Promise<ClusterView>;
  /** The whole specification that a cluster has or is about to get. NotFound if none lives. */
  comingSpec(
    tenant: Tenant,
    answerBy: Date,
  ): Promise<{ readonly spec?: ClusterSpec; readonly notes?: SpecNotes }>;
  /** What a change of it would be refused with at this moment. NotFound if none lives. */
  judgeChange(tenant: Tenant, request: Omit<ChangeRequest, 'from'>, answerBy: Date): Promise<ChangeJudgement>;
  /** Changes it. NotFound if none lives; NoCluster, ClusterNotReady, ClusterUpdating, ClusterSpecConflict, ChangeRefused. */
  changeSpec(tenant: Tenant, request: ChangeRequest, answerBy: Date): Promise<ChangeAnswer>;
  /** Sets what the tenant may spend; one that nobody ever asked anything of may have a budget too. */
  setBudget(tenant: Tenant, budget: BudgetRequest, answerBy: Date): Promise<ClusterView>;
  removeBudget(tenant: Tenant, answerBy: Date): Promise<ClusterView>;
  /** One page of all tenants' clusters, each once. InvalidRequest for a token that is not ours. */
  list(request: ClusterListRequest, answerBy: Date): Promise<Page<ClusterView>>;
  /**
   * Lets the cluster ask Slurm for all its jobs, unless it just has. NotFound if none lives, ClusterNotReady,
   * ClusterDeleting, SlurmUnavailable.
   */
  listJobs(tenant: Tenant, answerBy: Date): Promise<ListJobsAnswer>;
  /** Hands a campaign to the cluster. NoCluster, ClusterSpecConflict, QueueNotInCluster, CampaignConflict, ClusterDeleting. */
  submit(tenant: Tenant, campaign: SubmitCampaignRequest, answerBy: Date): Promise<SubmitCampaignAnswer>;
}

/** A campaign as Temporal keeps it, until its retention ends. */
export interface Campaigns {
  /** `open`: its workflow still runs. Undefined if Temporal does not (any longer) know the campaign. */
  view(
    tenant: Tenant,
    campaignId: string,
    answerBy: Date,
  ): Promise<{ readonly view: CampaignView; readonly open: boolean } | undefined>;
  /** A page of its jobs, in the order of submission. Needs a worker. */
  jobs(
    tenant: Tenant,
    campaignId: string,
    range: { readonly offset: number; readonly limit: number },
    answerBy: Date,
  ): Promise<{ readonly jobs: readonly JobView[]; readonly total: number }>;
  /** Undefined if the campaign has no such job. Needs a worker. */
  job(tenant: Tenant, campaignId: string, jobKey: string, answerBy: Date): Promise<JobView | undefined>;
  /** Cancels it, or some of its jobs; does not wait for their end. Undefined if its workflow does not run. */
  cancel(
    tenant: Tenant,
    campaignId: string,
    request: CancelCampaignRequest,
    answerBy: Date,
  ): Promise<CampaignView | undefined>;
  /** Does something to jobs that Slurm has. Undefined if its workflow does not run. SlurmUnavailable. */
  control(
    tenant: Tenant,
    campaignId: string,
    request: ControlRequest,
    answerBy: Date,
  ): Promise<readonly ControlOutcome[] | undefined>;
}

/** Whether requests that need Temporal and a worker can succeed now. */
export interface ReadinessProbe {
  /** What is missing, TemporalUnavailable or WorkerUnavailable with words of its own; undefined if nothing is. */
  check(
    answerBy: Date,
  ): Promise<
    { readonly type: 'TemporalUnavailable' | 'WorkerUnavailable'; readonly detail: string } | undefined
  >;
}
