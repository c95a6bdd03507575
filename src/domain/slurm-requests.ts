import type { Dependency } from './dependencies.ts';
import type { ClusterAccess } from './cluster-view.ts';
import type { Deployment } from './deployment.ts';
import type { CampaignContentReference } from './job.ts';
import type { JobAction } from './job-control.ts';
import type { NodeCounts } from './node-groups.ts';
import type { ClusterActivity, SlurmJobFact } from './slurm-facts.ts';

/* What workflows ask of a cluster's Slurm, and what they are answered. */

/** Slurm jobs of one campaign that are to exist after the call. */
export interface SubmitRequest extends Deployment {
  readonly access: ClusterAccess;
  readonly campaignId: string;
  readonly content: CampaignContentReference;
  /** All of them in the content, each after those of them that it depends on. */
  readonly jobs: readonly {
    readonly jobKey: string;
    /** Of an array: the tasks that are wanted. All of them if absent. */
    readonly indexes?: string;
    /**
     * What Slurm is to wait for: jobs of the campaign that Slurm still has, or that come earlier in this list. One
     * that has already ended as asked is left out.
     */
    readonly dependencies?: readonly Dependency[];
  }[];
  readonly defaultQueue: string;
}

export type SubmitOutcome =
  | { readonly jobKey: string; readonly status: 'submitted' | 'adopted'; readonly jobId: string }
  | { readonly jobKey: string; readonly status: 'rejected'; readonly message: string }
  /** Slurm has no job because it does not know one that this one depends on: decide again from newer facts. */
  | { readonly jobKey: string; readonly status: 'deferred'; readonly message: string };

export interface ObserveRequest extends Deployment {
  readonly access: ClusterAccess;
  /** Open campaigns and what they were last told: a campaign with nothing new is left out of the answer. */
  readonly campaigns: readonly {
    readonly campaignId: string;
    /** Seconds since 1970: accounting is asked from the earliest of these on. */
    readonly since: number;
    /** What earlier answers said in `told`, merged: none for a campaign that was never told anything. */
    readonly told?: Readonly<Record<string, string>>;
  }[];
}

export interface CampaignFacts {
  readonly campaignId: string;
  /**
   * What the campaign has been told once it has these facts: to be merged into what was told before and given back at
   * the next look. A short text for each hundred Slurm ids, only for those with something new.
   */
  readonly told: Readonly<Record<string, string>>;
  /** What is new. `source: 'ledger'` says that Slurm lost the job of this id: it is to be submitted again. */
  readonly facts: readonly (SlurmJobFact & { readonly jobKey: string })[];
}

export interface Observation {
  readonly activity: ClusterActivity;
  /** Running jobs that came through us: what they write is worth following. */
  readonly runningOwn: number;
  /** Nodes that EC2 bills. Absent where they cannot be seen, and in histories before 0.3.0. */
  readonly nodesUp?: NodeCounts;
  /** Only campaigns with something new. */
  readonly campaigns: readonly CampaignFacts[];
  /** Not everything that is new fitted into this answer: look again at once. */
  readonly more: boolean;
}

/** Something that is to be done to jobs that Slurm has. */
export interface ControlJobsRequest extends Deployment {
  readonly access: ClusterAccess;
  /** The head node's administrator, for what Slurm lets only its operators do. */
  readonly adminAccess?: ClusterAccess;
  readonly campaignId: string;
  readonly action: JobAction;
  /** `restarts`: how often Slurm had requeued it when this was asked for. */
  readonly jobs: readonly { readonly jobKey: string; readonly restarts: number }[];
}
