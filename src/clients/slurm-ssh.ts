import { KnownFailure } from '../domain/failures.ts';
import { epochStartSeconds } from '../domain/ids.ts';
import type { ControlOutcome } from '../domain/job-control.ts';
import type { OpenWriter } from '../domain/open-writers.ts';
import { decodeFileSample, encodeFileSample } from './file-sample-protocol.ts';
import { decodeOutputs, encodeForgetting, encodeListing } from './job-outputs-protocol.ts';
import { decodeOpenWriters, encodeOpenWriters } from './open-writers-protocol.ts';
import { answerOf, remoteCommand } from './remote-programs.ts';
import type { RemoteProgram } from './remote-programs.ts';
import type {
  CallOptions,
  FileContent,
  FilePart,
  FileSampleRequest,
  HeadNode,
  HeadNodeFiles,
  JobControl,
  JobOutput,
  JobSelection,
  JobToSubmit,
  ObservationRequest,
  SampledFile,
  SlurmAccounting,
  SlurmControl,
  SlurmGateway,
  SlurmHealth,
  SlurmSessions,
  SlurmSnapshot,
  SlurmUsage,
  Submission,
  Submitted,
  UnpinnedHeadNode,
} from './slurm-gateway.ts';
import {
  decodeCancellation,
  decodeCertificate,
  decodeControl,
  decodeFileParts,
  decodeObservation,
  decodePing,
  decodeReplacement,
  decodeSessions,
  decodeSubmission,
  encodeCancellation,
  encodeControl,
  encodeFileParts,
  encodeSubmission,
} from './slurm-protocol.ts';
import { decodeUsage, encodeUsageRequest } from './usage-protocol.ts';
import type { SshConnection } from './ssh-connection.ts';
import { SshPool } from './ssh-pool.ts';

export interface SlurmSshOptions {
  /** The job user's private key in OpenSSH form, e.g. from Secrets Manager. */
  readonly loadPrivateKey: (secretArn: string) => Promise<string>;
  readonly connectSeconds?: number;
  readonly keepAliveSeconds?: number;
  readonly idleSeconds?: number;
}

/**
 * Seconds that a call may take. Slurm's own clients give up on a controller that is down after 9 s (seen), and a
 * submission may wait 60 s for the lock before it begins.
 */
const timeoutSeconds: Readonly<Record<RemoteProgram, number>> = {
  submit: 300,
  observe: 50,
  sessions: 20,
  ping: 45,
  cancel: 120,
  control: 60,
  'read-files': 300,
  outputs: 60,
  usage: 120,
  home: 20,
  // Two daemons restart one after the other, and the program waits up to 30 s for each.
  'replace-jwks': 90,
  'slurm-api-certificate': 20,
  // A walk through all files.
  'sample-files': 600,
  'open-writers': 50,
};
const MAX_BATCH_JOBS = 250;
const MAX_BATCH_CHARACTERS = 8 * 1024 * 1024;
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
/** Clocks of the worker and of the head node may differ by this much. */
const CLOCK_TOLERANCE_SECONDS = 3600;

/** Slurm through the command-line programs of the head node, and its jobs' files, over SSH. */
export class SlurmSsh implements SlurmGateway, SlurmSessions, SlurmControl, SlurmAccounting, HeadNodeFiles {
  readonly #pool: SshPool;
  readonly #homes = new WeakMap<SshConnection, Promise<string>>();

  constructor({
    connectSeconds = 20,
    keepAliveSeconds = 10,
    idleSeconds = 600,
    loadPrivateKey,
  }: SlurmSshOptions) {
    this.#pool = new SshPool({ connectSeconds, keepAliveSeconds, idleSeconds, loadPrivateKey });
  }

  async readHostKey({ epoch, access }: UnpinnedHeadNode, { signal }: CallOptions = {}): Promise<string> {
    const { address, port, user, privateKeySecretArn } = access;
    const endpoint = { epoch, address, port, user, privateKeySecretArn };
    return this.#pool.use(endpoint, async ({ hostKey }) => Promise.resolve(hostKey), signal);
  }

  async ping(head: HeadNode, options?: CallOptions): Promise<SlurmHealth> {
    const answer = await this.#call(head, 'ping', '', options);
    return decodePing(answer.toString('utf8'));
  }

  async submit(head: HeadNode, submission: Submission, options?: CallOptions): Promise<Submitted[]> {
    const submitted: Submitted[] = [];
    for (const jobs of batchesOf(submission.jobs)) {
      submitted.push(...(await this.#submitBatch(head, { ...submission, jobs }, options)));
    }
    return submitted;
  }

  async observe(
    head: HeadNode,
    { sinceSeconds, oneSacct = false }: ObservationRequest,
    options?: CallOptions,
  ): Promise<SlurmSnapshot> {
    const since = sinceSeconds === undefined ? '-' : Math.floor(sinceSeconds);
    const request = `${head.epoch} ${since} ${oneSacct ? 'one' : 'all'}\n`;
    const answer = await this.#call(head, 'observe', request, options);
    return decodeObservation(answer.toString('utf8'), sinceSeconds !== undefined);
  }

  async countSessions(head: HeadNode, options?: CallOptions): Promise<number | undefined> {
    const answer = await this.#call(head, 'sessions', '', options);
    return decodeSessions(answer.toString('utf8'));
  }

  async cancel(
    head: HeadNode,
    selection: JobSelection,
    options?: CallOptions,
  ): Promise<{ readonly remaining: number }> {
    if (selection.jobKeys?.length === 0) return { remaining: 0 };
    const request = encodeCancellation(head.epoch, selection);
    const answer = await this.#call(head, 'cancel', request, options);
    return decodeCancellation(answer.toString('utf8'));
  }

  async control(head: HeadNode, control: JobControl, options?: CallOptions): Promise<ControlOutcome[]> {
    const answer = await this.#call(head, 'control', encodeControl(head.epoch, control), options);
    return decodeControl(answer.toString('utf8'), control);
  }

  async replaceJwks(head: HeadNode, jwks: string, options?: CallOptions): Promise<void> {
    const answer = await this.#call(head, 'replace-jwks', `${jwks.trim()}\n`, options);
    decodeReplacement(answer.toString('utf8'));
  }

  async readSlurmApiCertificate(head: HeadNode, options?: CallOptions): Promise<string> {
    const answer = await this.#call(head, 'slurm-api-certificate', '', options);
    return decodeCertificate(answer.toString('utf8'));
  }

  async sampleFiles(
    head: HeadNode,
    request: FileSampleRequest,
    options?: CallOptions,
  ): Promise<SampledFile[]> {
    return decodeFileSample(await this.#call(head, 'sample-files', encodeFileSample(request), options));
  }

  async listWriters(head: HeadNode, folder: string, options?: CallOptions): Promise<OpenWriter[]> {
    return decodeOpenWriters(await this.#call(head, 'open-writers', encodeOpenWriters(folder), options));
  }

  async readFiles(head: HeadNode, parts: readonly FilePart[], options?: CallOptions): Promise<FileContent[]> {
    const contents: FileContent[] = [];
    while (contents.length < parts.length) {
      const rest = parts.slice(contents.length);
      const answer = await this.#call(head, 'read-files', encodeFileParts(head.epoch, rest), options);
      contents.push(...decodeFileParts(answer, rest.length));
    }
    return contents;
  }

  async listOutputs(head: HeadNode, options?: CallOptions): Promise<JobOutput[]> {
    return decodeOutputs(await this.#call(head, 'outputs', encodeListing(head.epoch), options));
  }

  async forgetOutputs(
    head: HeadNode,
    jobs: readonly Pick<JobOutput, 'campaignId' | 'jobKey'>[],
    options?: CallOptions,
  ): Promise<void> {
    decodeOutputs(await this.#call(head, 'outputs', encodeForgetting(head.epoch, jobs), options));
  }

  async readUsage(
    head: HeadNode,
    { sinceSeconds }: { readonly sinceSeconds?: number },
    options?: CallOptions,
  ): Promise<SlurmUsage> {
    const request = encodeUsageRequest(head.epoch, sinceSeconds);
    const answer = await this.#call(head, 'usage', request, options);
    return decodeUsage(head.epoch, answer.toString('utf8'));
  }

  disconnect(epoch: string): void {
    this.#pool.disconnect(epoch);
  }

  close(): void {
    this.#pool.close();
  }

  async #submitBatch(
    head: HeadNode,
    submission: Submission,
    options: CallOptions | undefined,
  ): Promise<Submitted[]> {
    const answer = await this.#use(head, options, async (connection) => {
      const home = await this.#homeOf(connection);
      const sinceSeconds = Math.max(0, epochStartSeconds(head.epoch) - CLOCK_TOLERANCE_SECONDS);
      const request = encodeSubmission({ epoch: head.epoch, home, sinceSeconds }, submission);
      return run(connection, 'submit', request, options);
    });
    return decodeSubmission(answer.toString('utf8'), submission.jobs);
  }

  async #call(
    head: HeadNode,
    program: RemoteProgram,
    request: string | Buffer,
    options: CallOptions | undefined,
  ): Promise<Buffer> {
    return this.#use(head, options, async (connection) =>
      run(connection, program, Buffer.from(request), options),
    );
  }

  async #use<T>(
    { epoch, access }: HeadNode,
    options: CallOptions | undefined,
    task: (connection: SshConnection) => Promise<T>,
  ): Promise<T> {
    const { address, port, user, hostKey, privateKeySecretArn } = access;
    return this.#pool.use(
      { epoch, address, port, user, hostKey, privateKeySecretArn },
      task,
      options?.signal,
    );
  }

  /** Asked once for each connection, without the signal of one caller: others wait for it too. */
  async #homeOf(connection: SshConnection): Promise<string> {
    const known = this.#homes.get(connection);
    if (known !== undefined) return known;
    const asked = run(connection, 'home', Buffer.alloc(0), {}).then((answer) =>
      answer.toString('utf8').trimEnd(),
    );
    this.#homes.set(connection, asked);
    asked.catch(() => this.#homes.delete(connection));
    return asked;
  }
}

/** Batches that the remote program can hold in memory, and that end well within its time. */
function batchesOf(jobs: readonly JobToSubmit[]): JobToSubmit[][] {
  const batches: JobToSubmit[][] = [];
  let characters = Infinity;
  for (const job of jobs) {
    const { script, command, environment } = job.spec;
    const size = (script?.length ?? 0) + JSON.stringify([command, environment, job.dependencies]).length;
    if (characters + size > MAX_BATCH_CHARACTERS || (batches.at(-1)?.length ?? 0) >= MAX_BATCH_JOBS) {
      batches.push([]);
      characters = 0;
    }
    batches.at(-1)?.push(job);
    characters += size;
  }
  return batches;
}

async function run(
  connection: SshConnection,
  program: RemoteProgram,
  stdin: Buffer,
  options: CallOptions = {},
): Promise<Buffer> {
  const result = await connection.run(remoteCommand(program), {
    stdin,
    purpose: `The remote program ${program}`,
    timeoutSeconds: timeoutSeconds[program],
    maxOutputBytes: MAX_OUTPUT_BYTES,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  const answer = answerOf(result.stdout);
  if (answer === undefined || result.exitCode !== 0) {
    throw new KnownFailure(
      'SlurmUnavailable',
      `The remote program ${program} ended with exit code ${result.exitCode ?? 'none'}: ${result.stderr.trim() || 'no message'}`,
    );
  }
  return answer;
}
