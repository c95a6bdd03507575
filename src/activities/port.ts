import type { ManifestPartReference } from '../domain/campaign-manifest.ts';
import type { CampaignPlan } from '../domain/campaign-plan.ts';
import type { Tenant } from '../domain/ids.ts';
import type { CampaignContentReference } from '../domain/job.ts';
import type { ControlOutcome } from '../domain/job-control.ts';
import type { CostAccount } from '../domain/budget.ts';
import type { ClusterAccess } from '../domain/cluster-view.ts';
import type { ClusterSpec } from '../domain/cluster-spec.ts';
import type { CampaignOutcome, JobView, LogLocation } from '../domain/campaign-view.ts';
import type { ExportVerdict } from '../domain/export-proof.ts';
import type { EfsHome } from '../domain/home.ts';
import type { KeptDeployment } from '../domain/kept-deployment.ts';
import type { JobListingReference } from '../domain/job-listing.ts';
import type {
  CreatedStack,
  Deployment,
  KeyPair,
  KeyRole,
  SigningKey,
  SubnetLease,
} from '../domain/deployment.ts';
import type { OperatorDecision } from '../domain/lustre-export.ts';
import type { LustreFileSystem, LustreSpec } from '../domain/lustre.ts';
import type { Findings, Remnant } from '../domain/orphans.ts';
import type { BudgetNotice } from '../domain/budget-notice.ts';
import type { CostRates } from '../domain/cost-rates.ts';
import type { DeploymentCosts } from '../domain/deployment-costs.ts';
import type { ClusterEstimate, SpecNotes } from '../domain/spec-notes.ts';
import type { Failure } from '../domain/failures.ts';
import type { PriceRefresh } from '../domain/price-refresh.ts';
import type { PreflightReport, PreflightRequest } from '../domain/preflight.ts';
import type { ReconcileRequest } from '../domain/sweep-brake.ts';
import type { SlurmApiSpec } from '../domain/slurm-api-spec.ts';
import type { SlurmJwk } from '../domain/slurm-jwt.ts';
import type { Tier } from '../domain/tiers.ts';
import type { PoolSubnet } from '../domain/subnets.ts';
import type {
  ControlJobsRequest,
  Observation,
  ObserveRequest,
  SubmitOutcome,
  SubmitRequest,
} from '../domain/slurm-requests.ts';

/** `waiting`: all subnets are taken; the pool signals the cluster workflow `subnetAvailable` when it is its turn. */
export type LeaseAnswer =
  | {
      readonly status: 'leased';
      readonly lease: SubnetLease;
      /** All availability zones in which the pool has subnets. */
      readonly zones?: readonly string[];
    }
  | { readonly status: 'waiting'; readonly position: number; readonly poolSize: number };

export interface SupportBundleRequest extends Deployment {
  /** Why it failed. */
  readonly failure: Pick<Failure, 'type' | 'message'>;
}

/** Something of a deployment that is to go. */
export interface DeletionRequest extends Deployment {
  /**
   * Where it was asked for and what came of that is not known: so many seconds ago the asking ended. AWS may not show it
   * yet, so that "not found" is not taken at its word before it must. Absent where it was seen, and in histories before 0.3.0.
   */
  readonly askedSecondsAgo?: number;
}

export interface StackRequest extends Deployment {
  readonly spec: ClusterSpec;
  readonly lease: SubnetLease;
  readonly adminKeyName: string;
  readonly jobUserPublicKey: string;
  /** Keys whose tokens Slurm's REST API is to accept, where the spec asks for it. */
  readonly trusted?: readonly SlurmJwk[];
  /** Mounted at `/home`, where homes are on EFS. */
  readonly home?: EfsHome;
  /** The file system that the nodes are to mount, where the spec asks for one. */
  readonly lustre?: LustreFileSystem;
}

export interface StackUpdateRequest extends Deployment {
  /** Of the update: a repeated attempt is none of its own. */
  readonly updateId: string;
  readonly spec: ClusterSpec;
}

/** A Lustre file system that is to exist for a deployment. */
export interface LustreRequest extends Deployment {
  readonly lustre: LustreSpec;
  readonly lease: SubnetLease;
}

export interface ExportRequest extends Deployment {
  readonly fileSystemId: string;
  /** Of this export; what was written after an earlier one needs another. */
  readonly requestId: string;
  /** A head node that can still be asked what there is. */
  readonly access?: ClusterAccess;
}

/** Why a file system may go. */
export type LustreConsent =
  /** This task of FSx has exported everything, after the last node was gone. */
  | { readonly kind: 'exported'; readonly taskId: string }
  /** No node can ever have mounted it. */
  | { readonly kind: 'never-mounted' }
  /** Somebody said that what is not in S3 may be lost. */
  | ({ readonly kind: 'discard' } & OperatorDecision);

/** The keys that a cluster's Slurm is to go by, and the head node's administrator, who gives it them. */
export interface TrustedKeysRequest extends Deployment {
  readonly adminAccess: ClusterAccess;
  readonly trusted: readonly SlurmJwk[];
}

/** A job whose output is to be copied into the cluster's log group. */
export interface LogCopyRequest extends Deployment {
  readonly access: ClusterAccess;
  readonly campaignId: string;
  readonly content: CampaignContentReference;
  readonly jobs: readonly { readonly jobKey: string; readonly view: JobView }[];
}

/** Why something of what a job wrote is not in its logs. */
export interface LogProblem {
  readonly jobKey: string;
  readonly message: string;
}

export interface LogCopyReport {
  readonly copiedBytes: number;
  /** Jobs of which something was left out; one can be named more than once. Absent in histories of version 0.1.0. */
  readonly problems?: readonly LogProblem[];
}

/** The cluster whose running jobs' output is to be copied. */
export interface FollowRequest extends Deployment {
  readonly access: ClusterAccess;
  /** Nothing runs any more: what there is is copied once. */
  readonly isLast?: boolean;
}

/** The epoch whose usage is to be recorded. */
export interface UsageRequest extends Deployment {
  readonly access: ClusterAccess;
  /** Nothing runs any more and the cluster goes: no later record will bring what this one misses. */
  readonly isLast: boolean;
  /** What its nodes cost. Absent where nobody said that, and in histories before 0.3.0. */
  readonly rates?: CostRates;
}

/** The cluster whose buckets are to be as its jobs left them. */
export interface S3WritesRequest extends Deployment {
  readonly access: ClusterAccess;
  /** Somebody said that what is being written may be lost. */
  readonly discard?: OperatorDecision;
}

export interface KeepCostsRequest {
  readonly tenant: Tenant;
  readonly account: CostAccount;
  readonly deployment?: Deployment;
  readonly costs?: DeploymentCosts;
}

export interface ManifestPartRequest {
  readonly content: CampaignContentReference;
  readonly part: number;
  readonly jobs: readonly JobView[];
}

/** How a campaign ended: with its jobs, or with the parts that were written before. */
export interface ManifestRequest {
  readonly content: CampaignContentReference;
  readonly campaignId: string;
  /** Absent in histories of version 0.1.0: then the jobs tell. */
  readonly state?: CampaignOutcome;
  readonly logs?: LogLocation;
  readonly jobs?: readonly JobView[];
  readonly parts?: readonly ManifestPartReference[];
}

/**
 * The port between workflows and the world. Every activity is idempotent: it may run twice, at the same time, and
 * after its own effect. Failures of `src/domain/failures.ts` cross it as `ApplicationFailure`s of that type.
 */
export interface Activities {
  // network.ts
  /** Every subnet that carries the pool's tag, with its free addresses and the epochs of stacks that use it. */
  describePoolSubnets(vpcId: string): Promise<PoolSubnet[]>;

  // preflight.ts
  /** Looks for all that could keep a cluster from coming up, within 30 s; changes nothing. */
  preflight(request: PreflightRequest): Promise<PreflightReport>;

  // priced-specs.ts
  /** A specification with the nodes of a fallback tier, and what it costs. */
  resolveFallback(request: {
    readonly spec: ClusterSpec;
    readonly tier: Tier;
  }): Promise<{ readonly spec: ClusterSpec; readonly notes: SpecNotes }>;

  /** What a specification costs, where whoever asks for it has not said so. */
  priceSpec(request: { readonly spec: ClusterSpec }): Promise<SpecNotes>;

  // support-bundle.ts
  /** Keeps what is to be known of a deployment that failed in the control bucket; returns where. Heartbeats. */
  saveSupportBundle(request: SupportBundleRequest): Promise<{ readonly uri: string }>;

  // subnet-lease.ts
  /** Asks the VPC's pool for a subnet for this epoch, in none of `avoidZones`; the same epoch always gets the same answer. SubnetPoolEmpty. */
  acquireSubnet(request: Deployment & { readonly avoidZones?: readonly string[] }): Promise<LeaseAnswer>;
  /**
   * Gives the epoch's subnet (or its place in the queue) back. Only call when its stack is proven gone. With `onlyIfEmpty` a subnet
   * stays in which a network interface still is: the answer says so.
   */
  releaseSubnet(
    request: Deployment & { readonly onlyIfEmpty?: boolean },
  ): Promise<{ readonly inUse: string } | undefined>;

  // keys.ts
  /** Makes or repairs the key pair of a role. KeyPairConflict if the name belongs to somebody else. */
  ensureKeyPair(request: Deployment & { readonly role: KeyRole }): Promise<KeyPair>;
  /** Deletes key pair and secret of a role at once, without recovery window; absent ones are fine. */
  deleteKeyPair(request: DeletionRequest & { readonly role: KeyRole }): Promise<void>;

  // signing-key.ts
  /** Makes or repairs the key that signs tokens for Slurm's REST API. KeyPairConflict if the secret's name belongs to somebody else. */
  ensureSigningKey(deployment: Deployment): Promise<SigningKey>;
  /** Makes the next key, has Slurm accept it beside those that it trusts, then lets it sign. The same id is the same key. Heartbeats. */
  rotateSigningKey(request: TrustedKeysRequest & { readonly rotationId: string }): Promise<SigningKey>;
  /** Deletes the key at once, without recovery window; an absent one is fine, a foreign one stays. */
  deleteSigningKey(request: DeletionRequest): Promise<void>;

  // trusted-keys.ts
  /** Those keys of Keycloak that Slurm can check tokens with, as they are now. KeycloakUnavailable. */
  readKeycloakKeys(): Promise<SlurmJwk[]>;
  /** Lets Slurm go by these keys alone; its controller and accounting restart, jobs run on. Heartbeats. */
  replaceTrustedKeys(request: TrustedKeysRequest): Promise<void>;

  // logs.ts
  /** Creates the cluster's log group with its retention; it outlives the cluster. Returns its name. */
  ensureLogGroup(deployment: Deployment): Promise<{ logGroupName: string }>;
  /** Copies what the jobs wrote and is not yet in the log group; resumes where the log stream ends. Heartbeats. */
  copyJobLogs(request: LogCopyRequest): Promise<LogCopyReport>;
  /** Copies what running jobs write while they write it, up to the limit of a log's head. Returns by itself when nothing grew for a while, nothing runs, or its hour is over. Heartbeats. */
  followJobLogs(request: FollowRequest): Promise<{ copiedBytes: number }>;

  // stack.ts
  /** Creates the outer stack if it is not there and waits until it is complete. Heartbeats. StackNameTaken, StackCreateFailed, InsufficientCapacity, QuotaExceeded, UnsupportedInZone. */
  createStack(request: StackRequest): Promise<CreatedStack>;
  /** Gives the epoch's cluster the queues of another specification, and waits until CloudFormation has done it. Returns what it will cost. Heartbeats. StackUpdateFailed: all is as before. */
  updateStack(
    request: StackUpdateRequest,
  ): Promise<{ readonly estimate: ClusterEstimate; readonly rates?: CostRates }>;
  /** Deletes the epoch's outer stack and waits until stack and cluster are gone; an absent or foreign one is left alone. Heartbeats. StackDeleteFailed. */
  deleteStack(request: DeletionRequest): Promise<void>;

  // home.ts
  /** Makes the deployment's access point to its tenant's homes; undefined where homes are not on EFS. Heartbeats. HomeNotAvailable. */
  ensureHome(deployment: Deployment): Promise<EfsHome | undefined>;
  /** Deletes the epoch's access points; what lies behind them stays. Absent ones are fine. */
  deleteHome(request: DeletionRequest & { readonly home?: EfsHome }): Promise<void>;

  // lustre.ts
  /** Makes the deployment's file system and its links with S3, or goes on where an attempt stopped. Heartbeats. InsufficientCapacity, LustreCreateFailed, LustreLinkFailed. */
  ensureLustre(request: LustreRequest): Promise<LustreFileSystem>;
  /** Switches automatic export of all exported paths on or off. Heartbeats. */
  setAutomaticExport(
    request: Deployment & { readonly fileSystemId: string; readonly isOn: boolean },
  ): Promise<void>;
  /** Switches automatic export off, exports everything once and judges whether it is in S3. The same request is the same export. Heartbeats. ExportNotVerifiable. */
  exportLustre(request: ExportRequest): Promise<ExportVerdict>;
  /** Deletes the epoch's file systems and waits until they are gone. Heartbeats. LustreNotExported, LustreDeleteFailed. */
  deleteLustre(request: DeletionRequest & { readonly consent: LustreConsent }): Promise<void>;

  // s3-writes.ts
  /** Waits until nothing can write to mounted buckets any more; or keeps who let go what is being written. Heartbeats. S3WritesUnfinished. */
  settleS3Writes(request: S3WritesRequest): Promise<void>;

  // readiness.ts
  /** One attempt: SSH as the job user answers, `scontrol ping`, `sinfo`, and a smoke job COMPLETEs; where there is to be a REST API, it answers a token. Returns the pinned access. ClusterNotReady while something is missing. */
  checkReadiness(
    request: Deployment & {
      readonly address: string;
      readonly privateKeySecretArn: string;
      /** Set once pinned: another key is HostKeyMismatch. */
      readonly hostKey?: string;
      readonly queues: readonly string[];
      readonly slurmApi?: SlurmApiSpec & { readonly signingKeySecretArn: string };
    },
  ): Promise<ClusterAccess>;

  /** Slurm answers, and shows nodes in each of these queues. ClusterNotReady while something is missing. */
  checkQueues(
    request: Deployment & { readonly access: ClusterAccess; readonly queues: readonly string[] },
  ): Promise<void>;

  // slurm.ts
  /** After it, each key has exactly one Slurm job (adopted or submitted), or none and a reason. */
  submitJobs(request: SubmitRequest): Promise<SubmitOutcome[]>;
  /** One squeue and at most one sacct. Fails rather than answering from half of the facts. */
  observeSlurm(request: ObserveRequest): Promise<Observation>;
  /** Cancels all jobs of the job user that came through us, and waits until none is left in the queue. */
  cancelJobs(request: Deployment & { readonly access: ClusterAccess }): Promise<void>;
  /** Cancels jobs of a campaign, all of them if no keys are given; facts tell when they have ended. */
  cancelCampaignJobs(
    request: Deployment & {
      readonly access: ClusterAccess;
      readonly campaignId: string;
      readonly jobKeys?: readonly string[];
    },
  ): Promise<void>;
  /** Holds, releases, requeues or changes jobs one by one; facts tell what became of them. */
  controlJobs(request: ControlJobsRequest): Promise<ControlOutcome[]>;
  /** Forgets pooled connections and cached keys of a deployment. */
  disconnect(deployment: Deployment): Promise<void>;

  // job-listing.ts
  /** Asks Slurm for all jobs of the epoch, of whatever user, and stores them in the control bucket. */
  listSlurmJobs(request: Deployment & { readonly access: ClusterAccess }): Promise<JobListingReference>;

  // usage.ts
  /**
   * Reads all allocations of the epoch from accounting and stores them in the control bucket, where they outlive the
   * cluster. The last record fails as long as slurmctld holds something back from accounting; what is known is stored all the same.
   */
  recordUsage(request: UsageRequest): Promise<void>;

  // costs.ts
  /** What the tenant has spent and may; a new account where none was kept. */
  readCostAccount(tenant: Tenant): Promise<CostAccount>;
  /** Keeps it in the control bucket, and what a deployment has cost beside what else is kept of it. The last one counts. */
  keepCosts(request: KeepCostsRequest): Promise<void>;
  /** Tells the topic of alarms, if the worker knows one, that a budget has reached a level: once for each. */
  notifyBudget(notice: BudgetNotice): Promise<void>;

  // campaign-plan.ts
  /** The keys and dependencies of a campaign's jobs. CampaignContentMissing. */
  loadCampaign(request: { readonly content: CampaignContentReference }): Promise<CampaignPlan>;

  // campaign-end.ts
  /** How a campaign of the tenant ended. CampaignRunning while it has not. */
  readCampaignEnd(request: Tenant & { readonly campaignId: string }): Promise<CampaignOutcome>;

  // sweep.ts
  /** Everything in the account that says that it is a deployment's, sorted by whether a workflow looks after it, with its price. Changes nothing. Heartbeats. */
  surveyOrphans(request?: Pick<ReconcileRequest, 'claim'>): Promise<Findings>;
  /** Looks at each once more, and takes it away if nothing has come back to it. Heartbeats. */
  removeRemnants(request: {
    readonly remnants: readonly Remnant[];
  }): Promise<(Remnant & { readonly isRemoved: boolean })[]>;

  // prices.ts
  /** Reads the prices of the Region from AWS into the control bucket. Where that fails, the answer says why; nothing is changed then. */
  refreshPrices(): Promise<PriceRefresh>;

  // records.ts
  /** Keeps what somebody must know who gives the deployment back when its workflow is lost. The last one counts. */
  keepDeployment(request: Deployment & { readonly record: KeptDeployment }): Promise<void>;
  /** Undefined if none was kept, or none that this release can read. */
  readDeployment(deployment: Deployment): Promise<KeptDeployment | undefined>;
  /** Keeps that an operator took over what is left of a deployment: no sweep touches it. */
  keepAbandonment(request: Deployment & OperatorDecision): Promise<void>;

  // manifest.ts
  /** Writes some of a campaign's jobs beside its content. `part` counts from 0, in the order of the whole. */
  writeManifestPart(request: ManifestPartRequest): Promise<ManifestPartReference>;
  /** Writes how the campaign ended beside its content, where the API finds it after Temporal's retention, and into the log group. */
  writeManifest(request: ManifestRequest): Promise<void>;
}
