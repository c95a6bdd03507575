import type { OpenWriter } from '../../src/domain/open-writers.ts';
import type {
  CallOptions,
  FileContent,
  FilePart,
  HeadNode,
  HeadNodeFiles,
  JobControl,
  JobOutput,
  ObservationRequest,
  SampledFile,
  JobSelection,
  SlurmAccounting,
  SlurmControl,
  SlurmGateway,
  SlurmHealth,
  SlurmSessions,
  SlurmSnapshot,
  SlurmUsage,
  Submission,
  SubmissionOptions,
  Submitted,
  UnpinnedHeadNode,
} from '../../src/clients/slurm-gateway.ts';
import type { DependencyCondition } from '../../src/domain/dependencies.ts';
import { KnownFailure } from '../../src/domain/failures.ts';
import { jobComment, parseJobComment } from '../../src/domain/ids.ts';
import { identitiesOf, taskKey } from '../../src/domain/job-array.ts';
import type { ControlOutcome, JobAction } from '../../src/domain/job-control.ts';
import type { JobSpec } from '../../src/domain/job.ts';
import type { SlurmJobFact } from '../../src/domain/slurm-facts.ts';
import { parseLostJobs } from '../../src/domain/slurm-output.ts';
import type { UsageRecord } from '../../src/domain/usage.ts';

/** A job, or a task of an array: each is kept for itself, as if Slurm had one record for each. */
interface FakeJob {
  readonly spec: JobSpec;
  readonly waitsFor: readonly {
    readonly jobs: readonly FakeJob[];
    readonly condition: DependencyCondition;
  }[];
  fact: SlurmJobFact;
  timeLimitSeconds: number | undefined;
  stdout: string;
}

/** Reasons of a job that only waits for its turn. */
const STARTABLE: ReadonlySet<string> = new Set(['Priority', 'Resources', 'Dependency', 'JobArrayTaskLimit']);

/**
 * Slurm in memory, held to the same contract as the real one. It understands the commands that the contract uses:
 * `true`, `sh -c 'exit N'`, `sh -c 'kill -N $$'`, `echo …`, `sleep …` (until it is cancelled).
 */
export class FakeSlurmGateway
  implements SlurmGateway, SlurmSessions, SlurmControl, SlurmAccounting, HeadNodeFiles
{
  hostKey = 'ssh-ed25519 AAAAfake';
  /** The last that was pushed. */
  jwks = '';
  /** Of Slurm's REST API; undefined while there is none. */
  certificateSha256: string | undefined = 'ab'.repeat(32);
  storesComments = true;
  /** What EC2 says to whoever wants a node; nothing starts meanwhile. */
  nodeProblem: string | undefined;
  partitions = [{ name: 'debug', availability: 'up', nodes: 2 }];
  /** Of every queue. */
  maxTimeSeconds: number | undefined;
  interactiveSessions: number | undefined = 0;
  /** Whether observations say that they left something out. */
  more = false;
  /** What observations asked for, the first one first. */
  readonly observed: ObservationRequest[] = [];
  /** Of each submission, whether its caller said that it is the first attempt. */
  readonly firstAttempts: boolean[] = [];
  /** Whether the controller has told accounting everything. */
  accountingIsWhole = true;
  /** Undefined while Slurm answers. */
  outage: KnownFailure | undefined;
  readonly disconnected: string[] = [];
  readonly #jobs = new Map<string, FakeJob>();
  readonly #lost: SlurmJobFact[] = [];
  #lastId = 0;
  #now = 1_000_000;

  async readHostKey(_head: UnpinnedHeadNode, options?: CallOptions): Promise<string> {
    options?.signal?.throwIfAborted();
    return this.hostKey;
  }

  async ping(head: HeadNode, options?: CallOptions): Promise<SlurmHealth> {
    this.#reach(head, options);
    return { partitions: this.partitions, storesComments: this.storesComments };
  }

  async submit(
    head: HeadNode,
    { campaignId, jobs, defaultQueue }: Submission,
    options?: SubmissionOptions,
  ): Promise<Submitted[]> {
    this.#reach(head, options);
    this.firstAttempts.push(options?.isFirstAttempt ?? false);
    return jobs.map(({ spec, dependencies = [] }) => {
      const reference = { epoch: head.epoch, campaignId, jobKey: spec.key };
      const comment = jobComment(reference);
      const [known] = this.#jobsOf(comment);
      if (known !== undefined)
        return { jobKey: spec.key, status: 'adopted', jobId: known.fact.jobId.replace(/_.*/, '') };
      const partition = spec.queue ?? defaultQueue;
      if (!this.partitions.some(({ name }) => name === partition)) {
        const message = 'Batch job submission failed: Invalid partition name specified';
        return { jobKey: spec.key, status: 'rejected', message };
      }
      if (isTooLate(spec)) {
        const message = 'Batch job submission failed: Requested time limit is invalid';
        return { jobKey: spec.key, status: 'rejected', message };
      }
      const waitsFor = dependencies.map(({ key, condition, arrayTaskId }) => ({
        condition,
        jobs: this.#jobsOf(jobComment({ ...reference, jobKey: key })).filter(
          ({ fact }) =>
            fact.source === 'queue' && (arrayTaskId === undefined || fact.arrayTaskId === arrayTaskId),
        ),
      }));
      if (waitsFor.some((each) => each.jobs.length === 0))
        return { jobKey: spec.key, status: 'deferred', message: 'Slurm does not have what it depends on' };
      if (spec.singleton)
        waitsFor.push({ condition: 'afterany', jobs: this.#livingOf(spec.name ?? spec.key) });
      const id = String(++this.#lastId);
      for (const { key, arrayTaskId } of identitiesOf(spec)) {
        const task = arrayTaskId === undefined ? {} : { arrayTaskId };
        const jobId = arrayTaskId === undefined ? id : taskKey(id, arrayTaskId);
        const fact = { ...this.#newFact(jobId, comment, partition, spec), ...task };
        const { timeLimitSeconds } = spec;
        this.#jobs.set(jobComment({ ...reference, jobKey: key }), {
          spec,
          waitsFor,
          fact,
          timeLimitSeconds,
          stdout: '',
        });
      }
      return { jobKey: spec.key, status: 'submitted', jobId: id };
    });
  }

  async observe(head: HeadNode, request: ObservationRequest, options?: CallOptions): Promise<SlurmSnapshot> {
    this.#reach(head, options);
    this.observed.push(request);
    for (const job of this.#jobs.values()) this.#advance(job);
    return {
      facts: [...[...this.#jobs.values()].map(({ fact }) => fact), ...this.#lost],
      interactiveSessions: this.interactiveSessions,
      more: this.more,
    };
  }

  async countSessions(head: HeadNode, options?: CallOptions): Promise<number | undefined> {
    this.#reach(head, options);
    return this.interactiveSessions;
  }

  async cancel(
    head: HeadNode,
    { campaignId, jobKeys }: JobSelection,
    options?: CallOptions,
  ): Promise<{ readonly remaining: number }> {
    this.#reach(head, options);
    for (const [comment, job] of this.#jobs) {
      const isLive = job.fact.state === 'PENDING' || job.fact.state === 'RUNNING';
      const reference = parseJobComment(comment);
      const isMeant =
        reference?.epoch === head.epoch &&
        (campaignId ?? reference.campaignId) === reference.campaignId &&
        (jobKeys?.includes(reference.jobKey) ?? true);
      if (isLive && isMeant) this.#end(job, { state: 'CANCELLED' });
    }
    return { remaining: 0 };
  }

  /** What Slurm lets the job's own user do; `ec2-user` is its administrator. */
  async control(
    head: HeadNode,
    { campaignId, action, jobs }: JobControl,
    options?: CallOptions,
  ): Promise<ControlOutcome[]> {
    this.#reach(head, options);
    return jobs.map(({ jobKey, restarts }) => {
      const job = this.#jobs.get(jobComment({ epoch: head.epoch, campaignId, jobKey }));
      if (!job || job.fact.endTime !== undefined) return { jobKey, status: 'absent' };
      const message =
        impossible(job, action, this.maxTimeSeconds) ?? refusalOf(job, action, head.access.user);
      if (message !== undefined) return { jobKey, status: 'refused', message };
      if (action.kind === 'time-limit') job.timeLimitSeconds = action.timeLimitSeconds;
      job.fact = { ...job.fact, ...changesBy(action, job.fact, restarts) };
      return { jobKey, status: 'done' };
    });
  }

  async replaceJwks(head: HeadNode, jwks: string, options?: CallOptions): Promise<void> {
    this.#reach(head, options);
    this.jwks = jwks;
  }

  async readSlurmApiCertificate(head: HeadNode, options?: CallOptions): Promise<string> {
    this.#reach(head, options);
    if (this.certificateSha256 === undefined) throw new KnownFailure('SlurmUnavailable', 'no certificate');
    return this.certificateSha256;
  }

  async readFiles(head: HeadNode, parts: readonly FilePart[], options?: CallOptions): Promise<FileContent[]> {
    this.#reach(head, options);
    return parts.map(({ campaignId, jobKey, file, offset, lengthBytes }) => {
      const job = this.#jobs.get(jobComment({ epoch: head.epoch, campaignId, jobKey }));
      if (job?.fact.endTime === undefined || file !== 'stdout') return { status: 'absent' };
      const whole = Buffer.from(job.stdout);
      return { status: 'ok', sizeBytes: whole.length, data: whole.subarray(offset, offset + lengthBytes) };
    });
  }

  async listOutputs(head: HeadNode, options?: CallOptions): Promise<JobOutput[]> {
    this.#reach(head, options);
    return [];
  }

  async sampleFiles(head: HeadNode, _request: unknown, options?: CallOptions): Promise<SampledFile[]> {
    this.#reach(head, options);
    return [];
  }

  async listWriters(head: HeadNode, _folder: string, options?: CallOptions): Promise<OpenWriter[]> {
    this.#reach(head, options);
    return [];
  }

  async forgetOutputs(head: HeadNode, _jobs: unknown, options?: CallOptions): Promise<void> {
    this.#reach(head, options);
  }

  async readUsage(
    head: HeadNode,
    { sinceSeconds = 0 }: { readonly sinceSeconds?: number },
    options?: CallOptions,
  ): Promise<SlurmUsage> {
    this.#reach(head, options);
    const records = [...this.#jobs.values()]
      .flatMap(({ fact }) => usageOf(head, fact))
      .filter(({ endSeconds = Infinity }) => endSeconds >= sinceSeconds);
    return {
      asOfSeconds: this.#now,
      isWhole: this.accountingIsWhole,
      records,
      nodeCpus: { 'debug-dy-t3': 2 },
    };
  }

  disconnect(epoch: string): void {
    this.disconnected.push(epoch);
  }

  close(): void {
    this.disconnected.push('all');
  }

  /** As an operator would: `scontrol hold`, or a time limit that has passed. */
  change(jobId: string, changes: Partial<SlurmJobFact>): void {
    const job = [...this.#jobs.values()].find(({ fact }) => fact.jobId === jobId);
    if (job !== undefined) job.fact = { ...job.fact, ...changes };
  }

  /** As Slurm does some minutes after the end (MinJobAge): only accounting knows the job from then on. */
  purge(jobId: string): void {
    this.change(jobId, { source: 'accounting' });
  }

  /** As a controller that was killed before it had saved the job; the next job gets its id. */
  lose(jobId: string): void {
    for (const [comment, { fact }] of this.#jobs) {
      if (fact.jobId !== jobId) continue;
      this.#jobs.delete(comment);
      this.#lost.push(...parseLostJobs(`${comment} ${jobId}`));
      this.#lastId = Number(jobId) - 1;
    }
  }

  #livingOf(name: string): FakeJob[] {
    return [...this.#jobs.values()].filter(({ fact }) => fact.name === name && fact.endTime === undefined);
  }

  /** The job of a comment, or all tasks of its array. */
  #jobsOf(comment: string): FakeJob[] {
    return [...this.#jobs.values()].filter(({ fact }) => fact.comment === comment);
  }

  #reach({ access }: HeadNode, options: CallOptions | undefined): void {
    options?.signal?.throwIfAborted();
    if (access.hostKey !== this.hostKey) throw new KnownFailure('HostKeyMismatch', `shows ${this.hostKey}`);
    if (this.outage !== undefined) throw this.outage;
  }

  #newFact(jobId: string, comment: string, partition: string, spec: JobSpec): SlurmJobFact {
    return {
      jobId,
      comment,
      user: 'sim',
      name: spec.name ?? spec.key,
      partition,
      state: 'PENDING',
      flags: [],
      reason: 'Priority',
      submitTime: this.#now++,
      nodes: '',
      restarts: 0,
      source: 'queue',
    };
  }

  /** One step for each look: pending, running, ended. */
  #advance(job: FakeJob): void {
    const { fact, spec } = job;
    const index = String(fact.arrayTaskId ?? '');
    const [program, ...args] = (spec.command ?? []).map((text) =>
      text.replace('$SLURM_ARRAY_TASK_ID', index),
    );
    if (fact.state === 'PENDING' && isMet(job) === false) {
      this.#end(job, { state: 'CANCELLED' }, 'DependencyNeverSatisfied');
    } else if (fact.state === 'PENDING' && isMet(job) === undefined) {
      job.fact = { ...fact, reason: 'Dependency' };
    } else if (fact.state === 'PENDING' && this.#isArrayFull(job)) {
      job.fact = { ...fact, reason: 'JobArrayTaskLimit' };
    } else if (fact.state === 'PENDING' && this.nodeProblem !== undefined) {
      job.fact = { ...fact, reason: 'Resources', nodeProblem: this.nodeProblem };
    } else if (fact.state === 'PENDING' && STARTABLE.has(fact.reason)) {
      job.fact = { ...fact, state: 'RUNNING', reason: '', startTime: this.#now++, nodes: 'n1' };
    } else if (fact.state === 'RUNNING' && program !== 'sleep') {
      const exitCode = Number(/exit (\d+)/.exec(args[1] ?? '')?.[1] ?? 0);
      const signal = Number(/kill -(\d+)/.exec(args[1] ?? '')?.[1] ?? 0);
      if (program === 'echo') job.stdout = `${args.join(' ')}\n`;
      const failed = exitCode !== 0 || signal !== 0;
      this.#end(job, {
        state: failed ? 'FAILED' : 'COMPLETED',
        exitCode,
        ...(signal === 0 ? {} : { signal }),
      });
    }
  }

  /** Whether as many tasks run as may at a time. */
  #isArrayFull({ spec, fact }: FakeJob): boolean {
    const running = this.#jobsOf(fact.comment).filter((other) => other.fact.state === 'RUNNING');
    return running.length >= (spec.array?.maxRunningTasks ?? Number.POSITIVE_INFINITY);
  }

  #end(job: FakeJob, how: Partial<SlurmJobFact>, reason = ''): void {
    job.fact = { ...job.fact, ...how, reason, endTime: this.#now++ };
  }
}

/** What remote/control.sh does not ask Slurm for. */
function impossible({ fact }: FakeJob, action: JobAction, maxTimeSeconds = Infinity): string | undefined {
  if (action.kind === 'hold' && fact.state === 'RUNNING') return 'It has its nodes already';
  const isTooLong = action.kind === 'time-limit' && action.timeLimitSeconds > maxTimeSeconds;
  return isTooLong ? `The queue ${fact.partition} allows ${maxTimeSeconds / 60} minutes` : undefined;
}

function refusalOf({ fact, timeLimitSeconds }: FakeJob, action: JobAction, user: string): string | undefined {
  const isRaise =
    action.kind === 'time-limit' && action.timeLimitSeconds > (timeLimitSeconds ?? Number.POSITIVE_INFINITY);
  const isHeldByOthers = action.kind === 'release' && fact.reason === 'JobHeldAdmin';
  const isPreferred = action.kind === 'nice' && action.nice < 0;
  return (isRaise || isHeldByOthers || isPreferred) && user === 'sim'
    ? `Access/permission denied for job ${fact.jobId}`
    : undefined;
}

function changesBy(
  { kind }: JobAction,
  { state, restarts }: SlurmJobFact,
  asked: number,
): Partial<SlurmJobFact> {
  if (kind === 'hold') return state === 'PENDING' ? { reason: 'JobHeldUser' } : {};
  if (kind === 'release') return state === 'PENDING' ? { reason: 'Priority' } : {};
  if (kind !== 'requeue' || restarts !== asked) return {};
  return { state: 'PENDING', reason: 'BeginTime', restarts: restarts + 1, nodes: '' };
}

/** A job of this fake has one of the two processors of a node, from its start on. */
function usageOf(
  { epoch }: HeadNode,
  { jobId, partition, comment, startTime, endTime }: SlurmJobFact,
): UsageRecord[] {
  if (startTime === undefined) return [];
  const reference = parseJobComment(comment);
  return [
    {
      jobId,
      queue: partition,
      ...(reference?.epoch === epoch && { campaignId: reference.campaignId }),
      cpus: 1,
      nodes: 1,
      nodeGroups: { 'debug-dy-t3': 1 },
      startSeconds: startTime,
      ...(endTime !== undefined && { endSeconds: endTime }),
      suspendedSeconds: 0,
    },
  ];
}

/** Whether a job may start, as far as what it depends on is concerned; undefined: not yet, false: never. */
function isMet({ waitsFor }: FakeJob): boolean | undefined {
  if (waitsFor.some(({ jobs }) => jobs.some(({ fact }) => fact.endTime === undefined))) return undefined;
  return waitsFor.every(({ jobs, condition }) => {
    const isOk = jobs.every(({ fact }) => fact.state === 'COMPLETED');
    return condition === 'afterany' || isOk === (condition === 'afterok');
  });
}

/** As slurmctld refuses it. */
function isTooLate({ deadline, timeLimitSeconds = 0 }: JobSpec): boolean {
  return deadline !== undefined && Date.parse(deadline) < Date.now() + timeLimitSeconds * 1000;
}
