import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { LeaseAnswer } from '../activities/port.ts';
import type { CampaignView, JobView, LogLocation } from '../domain/campaign-view.ts';
import type { StoredCampaignSnapshot } from '../domain/campaign-snapshot.ts';
import type { ClusterPolicy, ClusterSnapshot } from '../domain/cluster-snapshot.ts';
import type { ClusterSpec } from '../domain/cluster-spec.ts';
import type { ClusterAccess, ClusterView } from '../domain/cluster-view.ts';
import type { Deployment } from '../domain/deployment.ts';
import type { Failure } from '../domain/failures.ts';
import type { Tenant } from '../domain/ids.ts';
import type { CampaignContentReference } from '../domain/job.ts';
import type { JobListingReference } from '../domain/job-listing.ts';
import type { BudgetRequest } from '../domain/budget.ts';
import type { ControlOutcome, ControlRequest } from '../domain/job-control.ts';
import type { ExtensionRequest, HoldRequest, Resolution } from '../domain/lifetime.ts';
import type { QueueDemand } from '../domain/queue-demands.ts';
import type { SlurmJobFact } from '../domain/slurm-facts.ts';
import type { SpecNotes } from '../domain/spec-notes.ts';
import type { KeyRotationRequest } from '../domain/slurm-keys.ts';
import type { PoolSnapshot } from '../domain/subnets.ts';

/*
 * The whole public surface of the workflows: what API, CLI and activities may send without importing a body.
 * Workflow types are `cluster`, `campaign` and `subnetPool`; ids come from src/domain/ids.ts.
 */

/** Input of `cluster`: the first run has a policy only, a continued one its snapshot. */
export interface ClusterInput extends Tenant {
  readonly policy: ClusterPolicy;
  readonly snapshot?: ClusterSnapshot;
}

export interface EnsureRequest {
  readonly spec: ClusterSpec;
  /** What the API says about the specification: estimate and plan. Absent in histories before 0.3.0. */
  readonly notes?: SpecNotes;
}

/** `created`: a deployment begins or is queued behind the one that goes; `exists`: the same one is there. */
export interface EnsureAnswer {
  readonly outcome: 'created' | 'exists';
  readonly view: ClusterView;
}

/** Makes the tenant's cluster exist with this specification. ClusterSpecConflict if another one does. */
export const ensureCluster = defineUpdate<EnsureAnswer, [EnsureRequest]>('ensure');

export interface ChangeRequest extends EnsureRequest {
  /** The specification that the caller has changed; refused with ClusterSpecConflict if it is no longer the one to come. */
  readonly from?: ClusterSpec;
  readonly reason: string;
}

/** `done`: nothing in AWS had to change; `accepted`: the view's `update` tells how far it is. */
export interface ChangeAnswer {
  readonly outcome: 'unchanged' | 'done' | 'accepted';
  readonly view: ClusterView;
}

/**
 * Changes the specification of a living cluster, as `planUpdate` says what that takes. The present specification withdraws a
 * change that waits for campaigns. NoCluster, ClusterNotReady, ClusterUpdating, ClusterSpecConflict, ChangeRefused,
 * BudgetExhausted, PriceUnknown.
 */
export const changeSpec = defineUpdate<ChangeAnswer, [ChangeRequest]>('changeSpec');

/** The whole specification that the cluster has or is about to get, whatever a memo has room for; none if none lives. */
export const comingSpec = defineQuery<{ readonly spec?: ClusterSpec; readonly notes?: SpecNotes }>(
  'comingSpec',
);

/** What a change would be refused with if it were asked for at this moment. */
export interface ChangeJudgement {
  readonly refusal?: Failure;
}

/** Judges a change as `changeSpec` would, and changes nothing. */
export const judgeChange = defineQuery<ChangeJudgement, [Omit<ChangeRequest, 'from'>]>('judgeChange');

export interface SubmitCampaignRequest {
  readonly campaignId: string;
  readonly content: CampaignContentReference;
  /** Absent in histories of version 0.1.0, which have `jobKeys`. */
  readonly jobCount?: number;
  readonly jobKeys?: readonly string[];
  /** Queues that the jobs name; a job without one runs in the cluster's first queue. */
  readonly queues: readonly string[];
  /** What they ask of the queues. Absent in histories of releases before 0.3.0. */
  readonly demands?: readonly QueueDemand[];
  /** The cluster to make when there is none. */
  readonly spec?: ClusterSpec;
  /** What the API says about it. */
  readonly notes?: SpecNotes;
}

export interface SubmitCampaignAnswer {
  readonly outcome: 'accepted' | 'repeated';
  readonly campaignId: string;
  readonly cluster: ClusterView;
}

/**
 * Hands a campaign to the tenant's cluster; returns once it is durable. NoCluster, ClusterSpecConflict,
 * QueueNotInCluster, CampaignConflict, ClusterDeleting; InvalidRequest for a job that no limit of its queue ever allows.
 */
export const submitCampaign = defineUpdate<SubmitCampaignAnswer, [SubmitCampaignRequest]>('submit');

export interface TeardownRequest {
  readonly reason: string;
}

/** Begins the teardown: running jobs are cancelled, logs copied, everything given back. Repeating it is harmless. */
export const teardownCluster = defineUpdate<ClusterView, [TeardownRequest]>('teardown');

/** Keeps the cluster although idle, for a named reason and a bounded time. The same name replaces the hold. NoCluster, BudgetExhausted. */
export const holdCluster = defineUpdate<ClusterView, [HoldRequest]>('hold');

export const releaseHold = defineUpdate<ClusterView, [{ readonly name: string }]>('release');

/**
 * Moves the end of the maximum lifetime to a moment (ISO 8601), so that repeating it changes nothing. ClusterNotReady,
 * BudgetExhausted.
 */
export const extendCluster = defineUpdate<ClusterView, [ExtensionRequest]>('extend');

/**
 * Says what the tenant may spend in a calendar month. From the limit on, new work and longer lifetimes are refused
 * (BudgetExhausted); at the hard limit the deployment goes. Starts the entity where there is none. Repeating it is harmless.
 */
export const setBudget = defineUpdate<ClusterView, [BudgetRequest]>('setBudget');

/** Takes the budget back. Repeating it is harmless. */
export const removeBudget = defineUpdate<ClusterView, [Readonly<Record<string, never>>]>('removeBudget');

/**
 * An operator's answer in state `blocked`. `retry` repeats what did not go; `abandon` gives the record up, leaving
 * what is left in AWS to a named person.
 */
export const resolveBlock = defineUpdate<ClusterView, [Resolution]>('resolve');

/**
 * Replaces the key that signs the service's tokens for Slurm's REST API, in the background: the view's `slurmKeys` tells
 * how far it is. Repeating it while a rotation is under way begins no other one. ClusterNotReady; NotFound where the cluster
 * has no such API.
 */
export const rotateSigningKey = defineUpdate<ClusterView, [KeyRotationRequest]>('rotateSigningKey');

/** `pending`: Slurm was asked at `since` and has not answered yet. */
export type ListJobsAnswer =
  | ({ readonly status: 'listed' } & JobListingReference)
  | { readonly status: 'pending'; readonly since: string };

/**
 * Asks Slurm for all its jobs, unless that was just done; the listing is in the control bucket. ClusterNotReady,
 * ClusterDeleting, NotFound when there is no cluster, SlurmUnavailable.
 */
export const listJobs = defineUpdate<ListJobsAnswer>('listJobs');

/** Sent by the subnet pool when a subnet was set aside for the cluster. */
export const subnetAvailable = defineSignal<[{ readonly epoch: string }]>('subnetAvailable');

/** Sent by a campaign to its cluster whenever one of these figures changes. */
export interface CampaignProgress {
  readonly campaignId: string;
  readonly unsubmittedJobs: number;
  readonly activeJobs: number;
  /** The campaign needs nothing from the cluster any more. */
  readonly ended: boolean;
}

export const campaignProgress = defineSignal<[CampaignProgress]>('campaignProgress');

export const clusterView = defineQuery<ClusterView>('view');

/**
 * Input of `campaign`, started by the cluster as an abandoned child. A continued run has its snapshot here, and its jobs
 * in further arguments.
 */
export interface CampaignInput extends Tenant {
  readonly campaignId: string;
  readonly content: CampaignContentReference;
  /** Absent in runs that release 0.1.0 started. */
  readonly jobCount?: number;
  /** Of a run that release 0.1.0 started: its jobs, which depend on nothing. Empty if it is a continued one. */
  readonly jobKeys?: readonly string[];
  /** Events after which a run continues as new; the cluster hands its own on. Default HISTORY_EVENT_LIMIT. */
  readonly historyEventLimit?: number;
  readonly snapshot?: StoredCampaignSnapshot;
}

/** The deployment in which a campaign's jobs run. */
export interface CampaignTarget {
  readonly deployment: Deployment;
  readonly access: ClusterAccess;
  /** Of the head node's administrator. Absent in runs that release 0.2.0 started. */
  readonly adminAccess?: ClusterAccess;
  readonly logs: LogLocation;
  readonly defaultQueue: string;
}

/** Sent by the cluster: jobs may be submitted there. */
export const clusterReady = defineSignal<[CampaignTarget]>('clusterReady');

/** Sent by the cluster: it is gone, or will not come. Jobs that had not ended are lost with it. */
export const clusterGone =
  defineSignal<[{ readonly epoch?: string; readonly failure: Failure }]>('clusterGone');

/** What Slurm says now about jobs of the campaign; numbered, so that a late one changes nothing. */
export interface FactsMessage {
  readonly epoch: string;
  readonly sequence: number;
  /** ISO 8601. */
  readonly observedAt: string;
  readonly facts: readonly (SlurmJobFact & { readonly jobKey: string })[];
}

export const slurmFacts = defineSignal<[FactsMessage]>('slurmFacts');

export interface CancelCampaignRequest {
  /** Only these jobs; the whole campaign if absent. */
  readonly jobKeys?: readonly string[];
  readonly reason: string;
  /** The person or program that asked for it. */
  readonly requestedBy?: string;
}

/**
 * Cancels a campaign or some of its jobs. InvalidRequest, NotFound for a key that it does not have. What Slurm does not have yet ends at once, the rest when Slurm says so: the
 * answer does not wait for it. Jobs that have ended stay as they are. Repeating it is harmless.
 */
export const cancelCampaign = defineUpdate<CampaignView, [CancelCampaignRequest]>('cancel');

/**
 * Does something to jobs that Slurm has, and answers once that is done or refused. InvalidRequest, NotFound for a key
 * that the campaign does not have, SlurmUnavailable.
 */
export const controlJobs = defineUpdate<ControlOutcome[], [ControlRequest]>('control');

export const campaignView = defineQuery<CampaignView>('view');

/** A page of the campaign's jobs, in the order of submission. */
export const campaignJobs = defineQuery<
  { readonly jobs: readonly JobView[]; readonly total: number },
  [{ readonly offset: number; readonly limit: number }]
>('jobs');

export const campaignJob = defineQuery<JobView | null, [{ readonly jobKey: string }]>('job');

/** Input of `subnetPool`: the first run starts with an empty pool, a continued one with its snapshot. */
export interface SubnetPoolInput {
  readonly vpcId: string;
  /** Events after which a run continues as new. Default HISTORY_EVENT_LIMIT. */
  readonly historyEventLimit?: number;
  readonly snapshot?: PoolSnapshot;
}

export interface AcquireRequest {
  readonly epoch: string;
  /** The workflow that is signalled `subnetAvailable` when its turn comes. */
  readonly holderWorkflowId: string;
  /** Availability zones that are of no use to it. */
  readonly avoidZones?: readonly string[];
}

export const acquireLease = defineUpdate<LeaseAnswer, [AcquireRequest]>('acquire');

export const releaseLease = defineUpdate<void, [{ readonly epoch: string }]>('release');

export const poolLeases = defineQuery<PoolSnapshot>('leases');
