import { KnownFailure } from '../domain/failures.ts';
import type {
  CallOptions,
  HeadNode,
  JobSelection,
  ObservationRequest,
  SlurmGateway,
  SlurmHealth,
  SlurmSessions,
  SlurmSnapshot,
  Submission,
  SubmissionOptions,
  Submitted,
} from './slurm-gateway.ts';

/** Terminals are looked for beside everything else, and must not hold it up. */
const SESSIONS_SECONDS = 15;

/** Looks after jobs over SSH or slurmrestd, as the head node's record says. */
export class SlurmTransports implements SlurmGateway {
  readonly #ssh: SlurmGateway & SlurmSessions;
  readonly #rest: SlurmGateway;

  constructor({ ssh, rest }: { readonly ssh: SlurmGateway & SlurmSessions; readonly rest: SlurmGateway }) {
    this.#ssh = ssh;
    this.#rest = rest;
  }

  async ping(head: HeadNode, options?: CallOptions): Promise<SlurmHealth> {
    return this.#of(head).ping(head, options);
  }

  async submit(head: HeadNode, submission: Submission, options?: SubmissionOptions): Promise<Submitted[]> {
    return this.#of(head).submit(head, submission, options);
  }

  /** slurmrestd shows no terminals, which keep a cluster that is idle: they are always seen over SSH. */
  async observe(
    head: HeadNode,
    request: ObservationRequest,
    options: CallOptions = {},
  ): Promise<SlurmSnapshot> {
    const gateway = this.#of(head);
    if (gateway === this.#ssh) return gateway.observe(head, request, options);
    const [snapshot, interactiveSessions] = await Promise.all([
      gateway.observe(head, request, options),
      this.#sessions(head, options),
    ]);
    return { ...snapshot, interactiveSessions };
  }

  async cancel(
    head: HeadNode,
    selection: JobSelection,
    options?: CallOptions,
  ): Promise<{ readonly remaining: number }> {
    return this.#of(head).cancel(head, selection, options);
  }

  disconnect(epoch: string): void {
    this.#ssh.disconnect(epoch);
    this.#rest.disconnect(epoch);
  }

  close(): void {
    this.#ssh.close();
    this.#rest.close();
  }

  #of({ access }: HeadNode): SlurmGateway {
    return access.slurmApi?.jobsOver === 'slurmrestd' ? this.#rest : this.#ssh;
  }

  /** Undefined where they cannot be seen, which is no reason to be blind for jobs. */
  async #sessions(head: HeadNode, { signal }: CallOptions): Promise<number | undefined> {
    const timeout = AbortSignal.timeout(SESSIONS_SECONDS * 1000);
    try {
      return await this.#ssh.countSessions(head, {
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
    } catch (error) {
      if (error instanceof KnownFailure || timeout.aborted) return undefined;
      throw error;
    }
  }
}
