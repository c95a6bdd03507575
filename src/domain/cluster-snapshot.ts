import type { CostAccount } from './budget.ts';
import type { ClusterSpec } from './cluster-spec.ts';
import type { CostMeter } from './cost-meter.ts';
import type { NodeCounts } from './node-groups.ts';
import type { SpecNotes } from './spec-notes.ts';
import type { ClusterAccess, ClusterState, Hold } from './cluster-view.ts';
import type { CreatedStack, KeyPair, SigningKey, SubnetLease } from './deployment.ts';
import type { Failure } from './failures.ts';
import type { CampaignContentReference } from './job.ts';
import type { EfsHome } from './home.ts';
import type { OperatorDecision, LustreExport } from './lustre-export.ts';
import type { LustreFileSystem } from './lustre.ts';
import type { Placement } from './placement.ts';
import type { Resolution } from './lifetime.ts';
import type { PreflightCheckName } from './preflight.ts';
import { adminUser } from './operating-systems.ts';
import type { ClusterActivity } from './slurm-facts.ts';
import type { SlurmKeys } from './slurm-keys.ts';
import type { SpecUpdate } from './spec-update-record.ts';

/** How a cluster entity paces itself. Given when it starts and carried with it. */
export interface ClusterPolicy {
  /** Between two looks at a cluster on which something runs or waits. */
  readonly busyTickSeconds: number;
  /** Between two looks at a cluster on which nothing does. */
  readonly idleTickSeconds: number;
  /** How long Slurm may take to answer after the stack is complete. */
  readonly readyTimeoutSeconds: number;
  /** How long campaigns may take to copy their last logs before the stack is deleted all the same. */
  readonly drainTimeoutSeconds: number;
  /** A run that was started but never given its first update ends after this. */
  readonly unclaimedTimeoutSeconds: number;
  /** Continue-as-new at the latest when the history has this many events. */
  readonly historyEventLimit: number;
  /** Between two records of what jobs used, while something runs. USAGE_RECORD_SECONDS where it is absent. */
  readonly usageRecordSeconds?: number;
}

/** What an entity that releases before 0.3.0 started has no policy for. */
export const USAGE_RECORD_SECONDS = 600;

export const defaultClusterPolicy: ClusterPolicy = {
  busyTickSeconds: 15,
  idleTickSeconds: 300,
  readyTimeoutSeconds: 1800,
  drainTimeoutSeconds: 900,
  unclaimedTimeoutSeconds: 60,
  historyEventLimit: 4000,
  usageRecordSeconds: USAGE_RECORD_SECONDS,
};

/**
 * What a deployment holds in the world. A field is set *before* the step that makes the thing, so that whatever
 * happens in between, the one teardown procedure knows what to look for.
 */
export interface Resources {
  lease?: SubnetLease | 'requested';
  adminKey?: KeyPair | 'requested';
  jobUserKey?: KeyPair | 'requested';
  /** Only where the spec asks for Slurm's REST API. */
  signingKey?: SigningKey | 'requested';
  stack?: CreatedStack | 'requested';
  /** Only where homes are on EFS. */
  home?: EfsHome | 'requested';
  /** Only where the spec asks for Lustre. Lives outside the stack. */
  lustre?: LustreFileSystem | 'requested';
}

/** How what no workflow looked after is given back. */
export interface OrphanOrders {
  /**
   * After so long without an answer of the head node what is mounted counts as lost with it, and the teardown goes on: nobody
   * is there who would decide. 0 where EC2 shows no node that runs.
   */
  readonly giveUpAfterSeconds: number;
  /** ISO 8601. */
  unansweredSince?: string;
}

export interface DeploymentRecord {
  readonly epoch: string;
  readonly startedAt: string;
  spec: ClusterSpec;
  /** What was said about the specification when it was asked for. */
  notes?: SpecNotes;
  readonly resources: Resources;
  /** Availability zones of the pool, as it said when it gave the subnet. */
  poolZones?: readonly string[];
  /** What a preflight found in the way. */
  failedChecks?: readonly PreflightCheckName[];
  logGroupName?: string;
  /** Where the spec asks for Slurm's REST API: the keys that its Slurm was last given. */
  slurmKeys?: SlurmKeys;
  access?: ClusterAccess;
  readyAt?: string;
  /** Where the cluster has Lustre: what is known of the export of what is in it. */
  lustreExport?: LustreExport;
  /** It was not seen that everything written to mounted buckets is in S3. */
  s3WritesUnfinished?: boolean;
  /** Something of it may be gone: it cannot be called back. */
  deletionBegan?: boolean;
  /** Somebody said that what is not in S3 may be lost. */
  discard?: OperatorDecision;
  lifetimeEndsAt?: string;
  /** Something ran that no record of usage can have seen the end of. */
  usageDue?: boolean;
  /** When usage was last asked to be recorded. */
  usageAskedAt?: string;
  /** What it has cost. Absent where nobody said what it costs an hour. */
  meter?: CostMeter;
  /** Nodes that EC2 bills, as Slurm said at the last look. Absent before the first. */
  nodesUp?: NodeCounts;
  /** What it is was kept in the control bucket, as it is. Absent before that, after a change, and in snapshots before 0.3.0. */
  isKept?: boolean;
  /** Set by the sweep on what it gives back, as no workflow looked after it. */
  readonly orphan?: OrphanOrders;
  /** Why its lease was left to a later sweep: somebody lives in its subnet. */
  leaseInUse?: string;
  /** When its cost was last kept in the control bucket. */
  costKeptAt?: string;
}

/** How the head node's administrator is reached, with whom the pinned host key came; undefined before the cluster is ready. */
export function adminAccessOf({ access, resources, spec }: DeploymentRecord): ClusterAccess | undefined {
  const { adminKey } = resources;
  if (!access || typeof adminKey !== 'object') return undefined;
  return { ...access, user: adminUser(spec.os), privateKeySecretArn: adminKey.privateKeySecretArn };
}

/** A campaign that still needs the cluster. */
export interface OpenCampaign {
  readonly content: CampaignContentReference;
  readonly acceptedAt: string;
  /** The epoch that the campaign was told to use. */
  targetEpoch?: string;
  /** The cluster that it waited for was deleted; it is yet to hear of that. */
  isDismissed?: boolean;
  /** Id of the update that must have ended before the campaign is told to use the cluster. */
  afterUpdate?: string;
  unsubmittedJobs: number;
  activeJobs: number;
  /** What the campaign was told of its jobs, as `CampaignFacts.told` says it. */
  told?: Record<string, string>;
  /** Of the last message with facts. */
  sequence: number;
}

/** Why a deployment goes. Only an idle one can be called back. */
export interface TeardownCause {
  readonly kind: 'idle' | 'lifetime' | 'budget' | 'requested' | 'replaced' | 'placed-anew' | 'failed';
  readonly reason: string;
  /** Of a deployment that failed: what the entity shows once everything is gone. */
  readonly failure?: Failure;
}

/** State of a cluster entity, carried over continue-as-new as plain JSON. */
export interface ClusterSnapshot {
  readonly version: 1;
  state: ClusterState;
  /** ISO 8601, as all times here. */
  since: string;
  message: string;
  deployment?: DeploymentRecord;
  /** The specification to deploy next; present while one is asked for and not begun. */
  requested?: ClusterSpec;
  /** What was said about it. */
  requestedNotes?: SpecNotes;
  /** Where it was tried in vain. Absent until something fails. */
  placement?: Placement;
  teardown?: TeardownCause;
  /** The last change of the specification that was asked for, on its way or ended. */
  update?: SpecUpdate;
  holds: Hold[];
  campaigns: Record<string, OpenCampaign>;
  activity?: ClusterActivity & { readonly at: string };
  blindSince?: string;
  /** Why looks fail since then. Absent in snapshots of releases before 0.3.0. */
  blindBecause?: Failure;
  idleSince?: string;
  failure?: Failure;
  /** An operator's answer in state `blocked` that was not acted on yet. */
  resolution?: Resolution;
  /** Epochs that were given up, the last first: what is left of them is somebody else's now. */
  abandonedEpochs?: string[];
  /** What the tenant's deployments have cost, and what they may. Absent until somebody asks for what has a price. */
  account?: CostAccount;
  /** An operator cancelled the workflow: it ends when the cluster is gone. */
  cancelled?: boolean;
}

/** Whether a blocked cluster could go if what is not in S3 were given up. */
export function isBlockedByData({ state, deployment }: ClusterSnapshot): boolean {
  const { lustreExport, s3WritesUnfinished = false } = deployment ?? {};
  return state === 'blocked' && ((lustreExport?.problems ?? []).length > 0 || s3WritesUnfinished);
}

/** The snapshot of an entity that nobody has asked anything yet. */
export function newClusterSnapshot(now: string): ClusterSnapshot {
  return {
    version: 1,
    state: 'requested',
    since: now,
    message: 'Not asked for yet.',
    holds: [],
    campaigns: {},
  };
}
