import type { ClusterAccess } from '../domain/cluster-view.ts';
import type { Dependency } from '../domain/dependencies.ts';
import type { ControlOutcome, JobAction } from '../domain/job-control.ts';
import type { JobSpec } from '../domain/job.ts';
import type { JobFileName } from '../domain/sbatch.ts';
import type { NodeCounts } from '../domain/node-groups.ts';
import type { OpenWriter } from '../domain/open-writers.ts';
import type { SlurmJobFact } from '../domain/slurm-facts.ts';
import type { PartitionFact } from '../domain/slurm-output.ts';
import type { UsageRecord } from '../domain/usage.ts';

/** The head node of one deployment, as the job user reaches it. */
export interface HeadNode {
  readonly epoch: string;
  readonly access: ClusterAccess;
}

/** A head node before its host key is known. */
export interface UnpinnedHeadNode {
  readonly epoch: string;
  readonly access: Omit<ClusterAccess, 'hostKey'>;
}

export interface CallOptions {
  /** Ends the call, and on the head node what it started; the call then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface SubmissionOptions extends CallOptions {
  /**
   * Nobody has tried to submit these keys before, here or elsewhere. Then a gateway may go by what it learnt of Slurm a
   * moment ago, for a submission of the same process.
   */
  readonly isFirstAttempt?: boolean;
}

export interface SlurmHealth {
  readonly partitions: readonly PartitionFact[];
  /**
   * Whether accounting keeps comments (`AccountingStoreFlags=job_comment`): without them an ended job cannot be told
   * from one that was never submitted. Undefined where the gateway cannot see it.
   */
  readonly storesComments: boolean | undefined;
}

/** A job or array that is to exist, and what Slurm itself is to wait for before it starts it. */
export interface JobToSubmit {
  readonly spec: JobSpec;
  /** Jobs of the same campaign that Slurm still has, or that come earlier in the submission. Not `spec.dependsOn`. */
  readonly dependencies?: readonly SubmittedDependency[];
}

/** A job that Slurm knows by this key, an array, or one task of an array. */
export interface SubmittedDependency extends Dependency {
  readonly arrayTaskId?: number;
}

/** Jobs of one campaign that are to exist after the call. */
export interface Submission {
  readonly campaignId: string;
  readonly jobs: readonly JobToSubmit[];
  /** Queue of jobs that name none. */
  readonly defaultQueue: string;
}

export type Submitted =
  | { readonly jobKey: string; readonly status: 'submitted' | 'adopted'; readonly jobId: string }
  /** Slurm refused the job; the message is Slurm's own. */
  | { readonly jobKey: string; readonly status: 'rejected'; readonly message: string }
  /** Slurm does not know a job that this one depends on: too long ended, or lost. No job was made. */
  | { readonly jobKey: string; readonly status: 'deferred'; readonly message: string };

export interface ObservationRequest {
  /** Since 1970: accounting is asked from then on; not at all if none is given. */
  readonly sinceSeconds?: number;
  /**
   * Over SSH, sacct runs once at most: jobs that accounting shows only by their ids come with the next observation, which
   * then has only these of accounting. `more` says that there are some.
   */
  readonly oneSacct?: boolean;
}

export interface SlurmSnapshot {
  /**
   * All jobs of all users that the job user may see: the queue's, and accounting's where asked for. With these also
   * jobs of the epoch that Slurm accepted and then lost (`source: 'ledger'`).
   */
  readonly facts: readonly SlurmJobFact[];
  /** Nodes that EC2 bills. Undefined where the gateway cannot see them. */
  readonly nodesUp?: NodeCounts;
  /**
   * SSH connections with a terminal or a program that is not ours, and sessions of the SSM agent, on the head node.
   * Undefined where the gateway cannot see them: then nobody may take the head node for idle.
   */
  readonly interactiveSessions: number | undefined;
  /** Whether another observation at once has what this one left out. */
  readonly more?: boolean;
}

/** Which of our jobs: all of the epoch, all of a campaign, or those of a campaign that are named. */
export interface JobSelection {
  readonly campaignId?: string;
  /** Only with a campaign. A task has the key of its array, an underscore and its index. */
  readonly jobKeys?: readonly string[];
}

/** An action at jobs of one campaign. */
export interface JobControl {
  readonly campaignId: string;
  readonly action: JobAction;
  readonly jobs: readonly {
    readonly jobKey: string;
    /** How often Slurm had requeued it when the action was asked for: repeating a requeue does not requeue again. */
    readonly restarts: number;
  }[];
}

/** A part of a file that a job wrote. */
export interface FilePart {
  readonly campaignId: string;
  readonly jobKey: string;
  readonly file: JobFileName;
  readonly offset: number;
  /** At most so many bytes. */
  readonly lengthBytes: number;
}

export type FileContent =
  | { readonly status: 'ok'; readonly sizeBytes: number; readonly data: Buffer }
  /** `absent`: there is no such file yet. `refused`: a link, or not a file, stands in its place. */
  | { readonly status: 'absent' | 'refused' };

/** What a job that has started has written so far; undefined: there is no such file yet, or it is none. */
export interface JobOutput {
  readonly campaignId: string;
  readonly jobKey: string;
  readonly stdoutBytes?: number;
  readonly stderrBytes?: number;
}

/** Of which folders (absolute paths) files are wanted, and how many at most. */
export interface FileSampleRequest {
  readonly folders: readonly string[];
  readonly most: number;
}

export interface SampledFile {
  /** Absolute. */
  readonly path: string;
  readonly sizeBytes: number;
}

/** What accounting says of the allocations of an epoch. */
export interface SlurmUsage {
  /** When it was asked, by the clock of the head node, in seconds since 1970. */
  readonly asOfSeconds: number;
  /** slurmctld held nothing back from accounting: what had ended then, has ended in the records. */
  readonly isWhole: boolean;
  readonly records: readonly UsageRecord[];
  /** Processors of one node of each group, as Slurm counts them, of the nodes that it shows. */
  readonly nodeCpus: NodeCounts;
}

/**
 * What Slurm on a head node is asked, in the verbs that we need; over SSH or over slurmrestd. Every call may be
 * repeated.
 *
 * Failures: HeadNodeUnreachable, HostKeyMismatch; SlurmUnavailable where Slurm does not answer, or only in part.
 */
export interface SlurmGateway {
  /** Fails unless the controller answers. */
  ping(head: HeadNode, options?: CallOptions): Promise<SlurmHealth>;
  /**
   * After it each key has exactly one Slurm job (submitted now, or adopted), or none because it was rejected or
   * deferred: answers are in the order of the jobs. Concurrent calls for one epoch wait for each other.
   */
  submit(head: HeadNode, submission: Submission, options?: SubmissionOptions): Promise<Submitted[]>;
  /** Looks at the queue, and at accounting if asked for. All of it or a failure. */
  observe(head: HeadNode, request: ObservationRequest, options?: CallOptions): Promise<SlurmSnapshot>;
  /** Cancels our jobs and says how many of them are still in the queue: repeat until none is. */
  cancel(
    head: HeadNode,
    selection: JobSelection,
    options?: CallOptions,
  ): Promise<{ readonly remaining: number }>;
  /** Forgets connections, keys and tokens of a deployment. */
  disconnect(epoch: string): void;
  /** Ends all connections. */
  close(): void;
}

/** Who else is at work on the head node; over SSH only. Failures as those of {@link SlurmGateway}. */
export interface SlurmSessions {
  /** As in {@link SlurmSnapshot}, without a question to Slurm. */
  countSessions(head: HeadNode, options?: CallOptions): Promise<number | undefined>;
}

/**
 * What Slurm lets only its operators do, whom slurmrestd has none of: over SSH as the head node's administrator.
 * Failures as those of {@link SlurmGateway}.
 */
export interface SlurmControl {
  /** Does something to live jobs, one by one; answers are in the order of the jobs. */
  control(head: HeadNode, control: JobControl, options?: CallOptions): Promise<ControlOutcome[]>;
  /**
   * Replaces the keys whose tokens Slurm accepts and restarts its controller and accounting; jobs run on. Only as the
   * administrator. To rotate a key: both in the set, then sign with the new one, then the new one alone.
   */
  replaceJwks(head: HeadNode, jwks: string, options?: CallOptions): Promise<void>;
}

/** Reports from accounting; over SSH only. Failures as those of {@link SlurmGateway}. */
export interface SlurmAccounting {
  /**
   * Allocations of the epoch, of every user: those that have ended since then (seconds since 1970) or have not ended,
   * all of them if no moment is given.
   */
  readUsage(
    head: HeadNode,
    request: { readonly sinceSeconds?: number },
    options?: CallOptions,
  ): Promise<SlurmUsage>;
}

/**
 * What can only be had on the head node itself, and so over SSH only: its host key, the certificate of its REST API, and
 * the files of jobs, which slurmrestd does not serve. Every call may be repeated. Failures: HeadNodeUnreachable, HostKeyMismatch.
 */
export interface HeadNodeFiles {
  /** Connects and returns the host key that the head node shows, trusting it: call once, then pin the key. */
  readHostKey(head: UnpinnedHeadNode, options?: CallOptions): Promise<string>;
  /** The fingerprint by which callers know Slurm's REST API, as in `SlurmApiAccess`. SlurmUnavailable if there is none. */
  readSlurmApiCertificate(head: HeadNode, options?: CallOptions): Promise<string>;
  /** Reads parts of files that jobs wrote, many through one channel, in the order of the request. Follows no link. */
  readFiles(head: HeadNode, parts: readonly FilePart[], options?: CallOptions): Promise<FileContent[]>;
  /** What our jobs have written, of those that have started and were not yet forgotten by {@link forgetOutputs}. */
  listOutputs(head: HeadNode, options?: CallOptions): Promise<JobOutput[]>;
  /** Some of the files below folders, chosen by chance. HeadNodeUnreachable when a folder cannot be read. */
  sampleFiles(head: HeadNode, request: FileSampleRequest, options?: CallOptions): Promise<SampledFile[]>;
  /** What may still write below a folder: jobs with nodes, and files open for writing on the head node. SlurmUnavailable. */
  listWriters(head: HeadNode, folder: string, options?: CallOptions): Promise<OpenWriter[]>;
  /** Leaves jobs out of {@link listOutputs}; their files stay. Unknown ones are fine. */
  forgetOutputs(
    head: HeadNode,
    jobs: readonly Pick<JobOutput, 'campaignId' | 'jobKey'>[],
    options?: CallOptions,
  ): Promise<void>;
}
