import type { SlurmBaseState, SlurmStateFlag } from './slurm-states.ts';

/**
 * The reason of an array's task of which Slurm knows nothing although it knows other tasks of the array: who cancels a
 * waiting task leaves no trace of it, neither in the queue nor in accounting (seen with 22.05 and 24.11).
 */
export const DROPPED_FROM_ARRAY = 'DroppedFromArray';

/** What Slurm says about one job at one moment. Times are seconds since 1970, as Slurm keeps them. */
export interface SlurmJobFact {
  /** Slurm's id of the job; of an array's task the array's, an underscore and its index. Unique only within one epoch. */
  readonly jobId: string;
  /** Only of an array's task. */
  readonly arrayTaskId?: number;
  /** The job's comment; empty in accounting until the job ends (Slurm 24.11). */
  readonly comment: string;
  readonly user: string;
  readonly name: string;
  readonly partition: string;
  /** Undefined when Slurm names a state that this version does not know: never treated as an end. */
  readonly state: SlurmBaseState | undefined;
  /** What in Slurm's record of the job could not be read. Then its state is not known, and no time of it. */
  readonly unreadable?: string;
  readonly flags: readonly SlurmStateFlag[];
  /** Slurm's own word for why the job waits or ended, e.g. `Resources`, `JobHeldUser`. */
  readonly reason: string;
  /** Why EC2 did not start a node of the queue that the job waits for, e.g. `InsufficientInstanceCapacity`. */
  readonly nodeProblem?: string;
  /** Who cancelled it, as a number of the head node's users; only accounting tells. */
  readonly cancelledBy?: number;
  /** Their login, where the head node knows one. */
  readonly cancelledByLogin?: string;
  readonly exitCode?: number;
  readonly signal?: number;
  readonly submitTime?: number;
  readonly startTime?: number;
  readonly endTime?: number;
  readonly nodes: string;
  readonly restarts: number;
  /**
   * `queue`: squeue shows it; `accounting`: only sacct does. `ledger`: neither does, although Slurm once accepted the
   * job: its controller died before it had saved the job, and `jobId` may be another job's by now.
   */
  readonly source: 'queue' | 'accounting' | 'ledger';
}

/** What keeps a cluster busy, counted over every user's jobs, not only over those that came through us. */
export interface ClusterActivity {
  readonly running: number;
  /** Waiting jobs that can still run one day. */
  readonly pending: number;
  /** Waiting jobs that never can: dependency never satisfied, held, impossible request. They do not keep a cluster. */
  readonly stuck: number;
  /** Connections on the head node with a terminal or a program that is not ours, sessions of the SSM agent with them. */
  readonly interactiveSessions: number;
  /** Of those that run: jobs of which Slurm's record could not be read. Absent when there are none. */
  readonly unreadable?: number;
}
