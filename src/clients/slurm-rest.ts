import { setTimeout as sleep } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { KnownFailure } from '../domain/failures.ts';
import { taskKey } from '../domain/job-array.ts';
import { epochStartSeconds, jobComment, parseJobComment } from '../domain/ids.ts';
import { arrayPaths, jobPaths, renderSelfContainedBatch } from '../domain/sbatch.ts';
import type { SlurmJobFact } from '../domain/slurm-facts.ts';
import {
  parseAccountingJobs,
  parseHeldBack,
  parseQueueJobs,
  parseRestNodes,
  parseRestPartitions,
  parseRestPing,
  parseSubmittedJobId,
} from '../domain/slurm-rest-answers.ts';
import { nodesUpOf } from '../domain/slurm-nodes.ts';
import { hasEnded } from '../domain/slurm-output.ts';
import { renderRestJob } from '../domain/slurm-rest-job.ts';
import { KeyedMutex } from './keyed-mutex.ts';
import type {
  CallOptions,
  HeadNode,
  JobSelection,
  JobToSubmit,
  ObservationRequest,
  SlurmGateway,
  SlurmHealth,
  SlurmSnapshot,
  Submission,
  SubmissionOptions,
  Submitted,
} from './slurm-gateway.ts';
import { SlurmRestApi, understood } from './slurm-rest-api.ts';
import { SlurmTokens } from './slurm-tokens.ts';
import type { SlurmTokensOptions } from './slurm-tokens.ts';

/** Clocks of the worker and of the head node may differ by this much. */
const CLOCK_TOLERANCE_SECONDS = 3600;
/** How often slurmctld is asked, twice a second, whether it holds accounting records back: it sends them in batches. */
const ACCOUNTING_LOOKS = 10;
/**
 * How long what Slurm knows of our keys serves further first attempts. Far shorter than slurmctld remembers jobs that
 * have ended (MinJobAge, 300 s), which others may depend on. To read it takes seconds (of 10,000 jobs 15 s).
 */
const KNOWN_SECONDS = 60;
/** Each of up to some MB. */
const MAX_KNOWN_EPOCHS = 20;

export interface SlurmRestOptions extends SlurmTokensOptions {
  /**
   * For what slurmrestd cannot do: a task of an array that is cancelled while it waits leaves no trace unless it is held
   * before (see remote/cancel.sh), and slurmrestd changes whole arrays only (seen with 24.11: "Submit job update against
   * Array Job's JobID instead of array task id").
   */
  readonly overSsh: Pick<SlurmGateway, 'cancel'>;
}

/**
 * Slurm through slurmrestd, with tokens that Slurm checks by the JWKS of its head node.
 *
 * It keeps no ledger on the head node, so what it promises about a key rests on a look into the queue and accounting
 * before every submission, on one submission at a time in this process, and on the claim in the job's wrapper
 * (job-claim.ts). It cannot tell that Slurm lost a job, and sees no sessions.
 */
export class SlurmRest implements SlurmGateway {
  readonly #tokens: SlurmTokens;
  readonly #apis = new Map<string, { readonly epoch: string; readonly api: SlurmRestApi }>();
  readonly #turns = new KeyedMutex();
  /** Jobs of whole epochs by comment, of those to which something was submitted a moment ago. */
  readonly #known = new LRUCache<string, Map<string, KnownJob>>({
    max: MAX_KNOWN_EPOCHS,
    ttl: KNOWN_SECONDS * 1000,
    ttlAutopurge: true,
  });
  readonly #cancelTasks: SlurmGateway['cancel'];

  constructor({ overSsh, ...tokens }: SlurmRestOptions) {
    this.#tokens = new SlurmTokens(tokens);
    this.#cancelTasks = async (...call) => overSsh.cancel(...call);
  }

  async ping(head: HeadNode, options: CallOptions = {}): Promise<SlurmHealth> {
    const api = this.#apiOf(head);
    // Asked first: with a token that Slurm refuses, 24.11 says to a ping that the controller is down.
    const partitions = await api.get('slurm', 'partitions', options);
    const ping = await api.get('slurm', 'ping', options);
    if (!understood(() => parseRestPing(ping)))
      throw new KnownFailure('SlurmUnavailable', 'slurmrestd: slurmctld is DOWN');
    return { partitions: understood(() => parseRestPartitions(partitions)), storesComments: undefined };
  }

  async submit(
    head: HeadNode,
    submission: Submission,
    options: SubmissionOptions = {},
  ): Promise<Submitted[]> {
    return this.#turns.run(head.epoch, async () => {
      options.signal?.throwIfAborted();
      const kept = options.isFirstAttempt ? this.#known.get(head.epoch) : undefined;
      try {
        const known = kept ?? (await this.#knownJobs(head, submission, options));
        return await this.#submitJobs(head, submission, known, options);
      } catch (error) {
        // Slurm may have taken a job without an answer.
        this.#known.delete(head.epoch);
        throw error;
      }
    });
  }

  async #submitJobs(
    head: HeadNode,
    submission: Submission,
    known: Map<string, KnownJob>,
    options: CallOptions,
  ): Promise<Submitted[]> {
    const submitted: Submitted[] = [];
    for (const job of submission.jobs) {
      const answer = await this.#submitJob(head, submission, job, known, options);
      if (answer.status === 'submitted')
        known.set(commentOf(head, submission, job.spec.key), { jobId: answer.jobId, isInQueue: true });
      submitted.push(answer);
    }
    return submitted;
  }

  async observe(
    head: HeadNode,
    { sinceSeconds }: ObservationRequest,
    options: CallOptions = {},
  ): Promise<SlurmSnapshot> {
    const queue = await this.#queue(head, options);
    const accounting = sinceSeconds === undefined ? [] : await this.#accounting(head, sinceSeconds, options);
    const nodes = await this.#apiOf(head).get('slurm', 'nodes', options);
    const nodesUp = nodesUpOf(understood(() => parseRestNodes(nodes)));
    return { facts: [...queue, ...accounting], nodesUp, interactiveSessions: undefined };
  }

  async cancel(
    head: HeadNode,
    selection: JobSelection,
    options: CallOptions = {},
  ): Promise<{ readonly remaining: number }> {
    if (selection.jobKeys?.length === 0) return { remaining: 0 };
    const api = this.#apiOf(head);
    const live = async () =>
      (await this.#queue(head, options)).filter((fact) => isMeant(fact, head, selection));
    const meant = await live();
    const isWaitingTask = ({ arrayTaskId, state }: SlurmJobFact) =>
      arrayTaskId !== undefined && state === 'PENDING';
    if (selection.jobKeys && meant.some(isWaitingTask)) return this.#cancelTasks(head, selection, options);
    for (const { jobId } of meant) await api.cancelJob(jobId, options);
    return { remaining: (await live()).length };
  }

  disconnect(epoch: string): void {
    this.#tokens.forget(epoch);
    this.#known.delete(epoch);
    for (const [key, entry] of this.#apis) {
      if (entry.epoch !== epoch) continue;
      entry.api.close();
      this.#apis.delete(key);
    }
  }

  close(): void {
    for (const { api } of this.#apis.values()) api.close();
    this.#known.clear();
    this.#apis.clear();
  }

  #apiOf({ epoch, access }: HeadNode): SlurmRestApi {
    const key = JSON.stringify([epoch, access]);
    const known = this.#apis.get(key);
    if (known !== undefined) return known.api;
    const { address, user, slurmApi } = access;
    if (slurmApi === undefined)
      throw new KnownFailure('SlurmUnavailable', 'The cluster has no Slurm REST API');
    const { port, certificateSha256, signingKeySecretArn } = slurmApi;
    const subject = { epoch, user, signingKeySecretArn };
    const api = new SlurmRestApi({
      endpoint: { address, port, certificateSha256 },
      user,
      token: async () => this.#tokens.tokenFor(subject),
      forgetToken: () => this.#tokens.forget(epoch),
    });
    this.#apis.set(key, { epoch, api });
    return api;
  }

  async #queue(head: HeadNode, options: CallOptions): Promise<SlurmJobFact[]> {
    const jobs = await this.#apiOf(head).get('slurm', 'jobs', options);
    return understood(() => parseQueueJobs(jobs));
  }

  async #accounting(head: HeadNode, sinceSeconds: number, options: CallOptions): Promise<SlurmJobFact[]> {
    const jobs = await this.#apiOf(head).accountingJobs(Math.floor(sinceSeconds), options);
    return understood(() => parseAccountingJobs(jobs));
  }

  /** Jobs of the submission's keys that Slurm has or had, by comment. */
  async #knownJobs(
    head: HeadNode,
    submission: Submission,
    options: CallOptions,
  ): Promise<Map<string, KnownJob>> {
    const known = new Map<string, KnownJob>();
    // Accounting of 22.05 names no user where it knows no association.
    const isOurs = ({ user, source }: SlurmJobFact) =>
      user === head.access.user || (source === 'accounting' && user === '');
    for (const { comment, jobId } of (await this.#queue(head, options)).filter(isOurs))
      known.set(comment, { jobId: withoutTask(jobId), isInQueue: true });
    if (submission.jobs.every(({ spec }) => known.has(commentOf(head, submission, spec.key)))) return known;
    await this.#untilAccountingIsWhole(head, options);
    const sinceSeconds = Math.max(0, epochStartSeconds(head.epoch) - CLOCK_TOLERANCE_SECONDS);
    const accounting = (await this.#accounting(head, sinceSeconds, options)).filter(isOurs);
    for (const { comment, jobId, state } of accounting)
      if (hasEnded(state) && !known.has(comment))
        known.set(comment, { jobId: withoutTask(jobId), isInQueue: false });
    this.#known.set(head.epoch, known);
    return known;
  }

  /** Accounting that is asked after this knows the end of every job that had left the queue before. */
  async #untilAccountingIsWhole(head: HeadNode, options: CallOptions): Promise<void> {
    for (let look = 0; look < ACCOUNTING_LOOKS; look++) {
      options.signal?.throwIfAborted();
      if (look > 0) await sleep(500);
      const statistics = await this.#apiOf(head).get('slurm', 'diag', options);
      if (understood(() => parseHeldBack(statistics)) === 0) return;
    }
    const message = 'slurmctld still holds back from accounting how jobs ended (diag, dbd_agent_queue_size)';
    throw new KnownFailure('SlurmUnavailable', message);
  }

  async #submitJob(
    head: HeadNode,
    submission: Submission,
    { spec, dependencies = [] }: JobToSubmit,
    known: ReadonlyMap<string, KnownJob>,
    options: CallOptions,
  ): Promise<Submitted> {
    const jobKey = spec.key;
    const reference = { epoch: head.epoch, campaignId: submission.campaignId, jobKey };
    const comment = jobComment(reference);
    const adopted = known.get(comment);
    if (adopted !== undefined) return { jobKey, status: 'adopted', jobId: adopted.jobId };
    const waitsFor: string[] = [];
    for (const { key, condition, arrayTaskId } of dependencies) {
      const job = known.get(commentOf(head, submission, key));
      if (job?.isInQueue !== true)
        return {
          jobKey,
          status: 'deferred',
          message: `Slurm does not have the job ${key}, which this one depends on`,
        };
      const jobId = arrayTaskId === undefined ? job.jobId : taskKey(job.jobId, arrayTaskId);
      waitsFor.push(`${condition}:${jobId}`);
    }
    if (spec.singleton) waitsFor.push('singleton');
    const api = this.#apiOf(head);
    const { user } = head.access;
    // As assets/create-job-user.sh makes it.
    const home = `/home/${user}`;
    const { defaultQueue } = submission;
    const paths = spec.array ? arrayPaths(home, reference) : jobPaths(home, reference);
    const script = renderSelfContainedBatch(spec, { ...paths, comment, defaultQueue });
    const context = { script, comment, defaultQueue, dependency: waitsFor.join(','), user, home };
    const version = await api.version(options);
    const answer = await api.submitJob(renderRestJob(spec, { ...context, version }), options);
    if (answer.status !== 'accepted') return { jobKey, status: answer.status, message: answer.message };
    return { jobKey, status: 'submitted', jobId: understood(() => parseSubmittedJobId(answer.body)) };
  }
}

interface KnownJob {
  readonly jobId: string;
  /** Slurm takes it as a dependency. */
  readonly isInQueue: boolean;
}

/** The id of an array, of one of its tasks. */
function withoutTask(jobId: string): string {
  return jobId.replace(/_.*/, '');
}

function commentOf({ epoch }: HeadNode, { campaignId }: Submission, jobKey: string): string {
  return jobComment({ epoch, campaignId, jobKey });
}

function isMeant(
  { comment, state, flags, user, arrayTaskId }: SlurmJobFact,
  { epoch, access }: HeadNode,
  { campaignId, jobKeys }: JobSelection,
): boolean {
  const reference = parseJobComment(comment);
  return (
    reference?.epoch === epoch &&
    user === access.user &&
    (!hasEnded(state) || flags.includes('COMPLETING')) &&
    (campaignId ?? reference.campaignId) === reference.campaignId &&
    (jobKeys?.includes(
      arrayTaskId === undefined ? reference.jobKey : taskKey(reference.jobKey, arrayTaskId),
    ) ??
      true)
  );
}
