import type { CampaignContentReference } from './job.ts';
import type { Failure } from './failures.ts';
import type { PendingCause } from './slurm-reasons.ts';
import type { JobState } from './slurm-states.ts';

export const campaignStates = [
  'waiting-for-cluster',
  'waiting-for-campaigns',
  'submitting',
  'running',
  'succeeded',
  'failed',
  'cancelled',
] as const;

export type CampaignState = (typeof campaignStates)[number];

/** How a campaign can end. */
export type CampaignOutcome = Extract<CampaignState, 'succeeded' | 'failed' | 'cancelled'>;

/** One job of a campaign as the API shows it. Times are ISO 8601 in UTC. */
export interface JobView {
  readonly key: string;
  /** Of a task: the key of its array, and its index there. */
  readonly arrayKey?: string;
  readonly arrayTaskId?: number;
  readonly state: JobState;
  /** What the state means here, in plain words: why it waits, how it ended. */
  readonly reason: string;
  /** What to do about it: absent where nothing needs to be done. */
  readonly nextStep?: string;
  /** Of a job that waits in Slurm: for what, for programs. */
  readonly pendingCause?: PendingCause;
  /** A number; of a task, as Slurm writes it, the number of its array, an underscore and its index. */
  readonly slurmJobId?: string;
  /** Slurm's own state and flags, e.g. `RUNNING` or `PENDING`. */
  readonly slurmState?: string;
  readonly exitCode?: number;
  readonly signal?: number;
  readonly submittedAt?: string;
  readonly startedAt?: string;
  readonly endedAt?: string;
  readonly nodes?: string;
  readonly restarts?: number;
  /** Whether everything that the job wrote is in CloudWatch Logs. */
  readonly logsComplete: boolean;
  /** Why something of what the job wrote could not be copied. */
  readonly logsProblem?: string;
}

/** Where the logs of a job are once it was submitted. */
export interface LogLocation {
  readonly logGroupName: string;
  readonly epoch: string;
}

/** A campaign without its jobs: small enough for a workflow memo, readable without a worker. */
export interface CampaignView {
  readonly version: 1;
  readonly virtualLabId: string;
  readonly projectId: string;
  readonly campaignId: string;
  readonly state: CampaignState;
  readonly since: string;
  readonly message: string;
  readonly observedAt: string;
  readonly acceptedAt: string;
  readonly endedAt?: string;
  readonly jobCount: number;
  readonly jobsByState: Partial<Record<JobState, number>>;
  readonly content: CampaignContentReference;
  readonly logs?: LogLocation;
  readonly failure?: Failure;
}
