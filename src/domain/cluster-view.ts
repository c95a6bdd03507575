import type { Budget, BudgetStanding } from './budget.ts';
import type { ClusterSpec, ClusterSpecSummary } from './cluster-spec.ts';
import type { Month } from './cost-meter.ts';
import type { CostPart, NotMetered } from './cost-rates.ts';
import type { ExportProblem } from './export-proof.ts';
import type { Failure } from './failures.ts';
import type { OperatorDecision } from './lustre-export.ts';
import type { JobTransport, SlurmApiTrust } from './slurm-api-spec.ts';
import type { ClusterActivity } from './slurm-facts.ts';
import type { SlurmKeysView } from './slurm-keys.ts';
import type { PlacementTryView } from './placement.ts';
import type { SpecUpdateView } from './spec-update-record.ts';
import type { ClusterEstimate, PlanNote } from './spec-notes.ts';

/** States of a cluster entity; see docs/technical-description.md for the machine. */
export const clusterStates = [
  'requested',
  'provisioning',
  'waiting-ready',
  'ready',
  'draining',
  'exporting',
  'deleting',
  'deleted',
  'failed',
  'blocked',
] as const;

export type ClusterState = (typeof clusterStates)[number];

/** How the Workflow Service, or our own SSH gateway, reaches a head node. The key is named, never carried. */
export interface ClusterAccess {
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** The head node's public host key in OpenSSH form (`ssh-ed25519 AAAA…`), pinned when the cluster became ready. */
  readonly hostKey: string;
  /** Secrets Manager ARN of the job user's private key. */
  readonly privateKeySecretArn: string;
  /** Absent where the spec asks for no Slurm REST API, and in views of releases before 0.3.0. */
  readonly slurmApi?: SlurmApiAccess;
}

/** The same as it is published: with what SSH clients want. Absent in views of releases before 0.3.0. */
export interface PublishedAccess extends ClusterAccess {
  /** The head node's line of a `known_hosts` file. */
  readonly knownHosts?: string;
  /** Of the host key, as `ssh-keygen -l` shows it: `SHA256:…`. */
  readonly hostKeyFingerprint?: string;
}

/** How Slurm's REST API of a cluster is reached. slurmrestd itself listens behind TLS. */
export interface SlurmApiAccess {
  readonly port: number;
  /** SHA-256 of its certificate in lower-case hexadecimal digits, read over SSH when the cluster became ready. */
  readonly certificateSha256: string;
  /** Whose tokens Slurm accepts: this service's own for the epoch, and Keycloak's as well where the spec asks so. */
  readonly trust: SlurmApiTrust;
  /** What this service itself sends jobs over. */
  readonly jobsOver: JobTransport;
  /** Secrets Manager ARN of the private key that this service signs its tokens with. */
  readonly signingKeySecretArn: string;
}

/** A named reason that keeps a cluster although it is idle. */
export interface Hold {
  readonly name: string;
  readonly reason: string;
  /** ISO 8601; the hold ends by itself then. */
  readonly until: string;
}

/** The Lustre file system of a deployment. */
export interface LustreView {
  readonly fileSystemId: string;
  /** FSx's task that exported everything last. */
  readonly exportTaskId?: string;
  /** Why automatic export is still off on a cluster that was called back; it is tried again at each tick. */
  readonly automaticExportProblem?: string;
  /** What kept the last export from being a proof, shortened. */
  readonly notExported?: readonly ExportProblem[];
  /** Who said that what is not in S3 may be lost. */
  readonly discard?: OperatorDecision;
}

/** What a deployment has cost so far: list price × time, by the meter of its workflow. */
export interface CostView {
  readonly currency: 'USD';
  /** Counted up to then. While something exists, `ratePerHourUsd` says how it goes on. */
  readonly upTo: string;
  readonly ratePerHourUsd: number;
  /** Of the present deployment. Absent when there is none. */
  readonly sinceStartUsd?: number;
  /** Calendar month in UTC, and what all deployments of the project have cost in it. */
  readonly month: Month;
  readonly thisMonthUsd: number;
  /** Only what has cost something. */
  readonly parts: readonly { readonly part: CostPart; readonly usd: number; readonly usdPerHour: number }[];
  readonly pricesAsOf?: string;
  /** For how long which nodes ran was not seen, but taken to be as it was seen last. */
  readonly assumedSeconds?: number;
  /** Spot nodes are counted like on-demand ones, above which their price never rises. */
  readonly isUpperBound?: true;
  /** What the estimate names under `unpriced` has no price and is in none of the sums. */
  readonly isLowerBound?: true;
  /** What may cost something beside it. Absent in views that were written before this was said. */
  readonly notMetered?: readonly NotMetered[];
}

/** What the project may spend in a calendar month, and how much of it is spent. */
export interface BudgetView extends Budget, BudgetStanding {}

/**
 * Everything that is worth knowing about a cluster, small enough for a workflow memo (8 KB). Readable without a
 * worker. Times are ISO 8601 in UTC.
 */
export interface ClusterView {
  readonly version: 1;
  readonly virtualLabId: string;
  readonly projectId: string;
  readonly clusterName: string;
  readonly state: ClusterState;
  /** Since when it is in this state. */
  readonly since: string;
  /** What is happening or being waited for, in plain words. */
  readonly message: string;
  /** When this view was written. */
  readonly observedAt: string;
  /** The deployment; absent before the first. */
  readonly epoch?: string;
  readonly spec?: ClusterSpec;
  /** In the place of `spec` where that is too large for a memo. */
  readonly specSummary?: ClusterSpecSummary;
  /** What the specification was estimated to cost when it was asked for. */
  readonly estimate?: ClusterEstimate;
  /** Why the specification is as it is, where it was planned from needs. */
  readonly plan?: PlanNote;
  /** What it has cost. Absent where nobody said what it costs an hour. */
  readonly cost?: CostView;
  readonly budget?: BudgetView;
  readonly subnetId?: string;
  readonly stackId?: string;
  /** Where the spec asks for Lustre. */
  readonly lustre?: LustreView;
  readonly logGroupName?: string;
  readonly access?: PublishedAccess;
  readonly adminPrivateKeySecretArn?: string;
  /** Where the spec asks for Slurm's REST API. */
  readonly slurmKeys?: SlurmKeysView;
  readonly readyAt?: string;
  /** What Slurm said at the last successful look. */
  readonly activity?: ClusterActivity & { readonly at: string };
  /** Slurm has not answered since then: job states are the last known ones. */
  readonly blindSince?: string;
  /** Why looks at Slurm fail since then: the first failure, or the first one of another type since. */
  readonly blindBecause?: Failure;
  readonly idleSince?: string;
  /** When the cluster goes if nothing changes. */
  readonly teardownAt?: string;
  /** The last change of the specification that was asked for. */
  readonly update?: SpecUpdateView;
  readonly holds: readonly Hold[];
  readonly openCampaigns: number;
  readonly activeJobs: number;
  readonly failure?: Failure;
  /** Deployments of what was asked for last that did not come to be, the last one at the end; as many as there is room for. */
  readonly tries?: readonly PlacementTryView[];
  /** Epochs whose remains somebody has taken over with the answer `abandon`, the last first: no sweep touches them. */
  readonly abandonedEpochs?: readonly string[];
  /** In state `blocked`: what an operator can answer to the update `resolve`. */
  readonly choices?: readonly string[];
}

/** Workflow memo keys. */
export const CLUSTER_VIEW_MEMO = 'view';
export const CAMPAIGN_VIEW_MEMO = 'view';
