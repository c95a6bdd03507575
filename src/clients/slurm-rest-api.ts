import { KnownFailure } from '../domain/failures.ts';
import { SlurmOutputError } from '../domain/slurm-output.ts';
import { parseRestErrors } from '../domain/slurm-rest-answers.ts';
import { judgeRestAnswer, judgeSubmission } from '../domain/slurm-rest-errors.ts';
import type { RestProblem, SubmissionVerdict } from '../domain/slurm-rest-errors.ts';
import { isOldGeneration, negotiateRestVersion } from '../domain/slurm-rest-versions.ts';
import type { SlurmRestVersion } from '../domain/slurm-rest-versions.ts';
import { PinnedHttps } from './pinned-https.ts';
import type { HttpAnswer, HttpCall, PinnedEndpoint } from './pinned-https.ts';
import type { CallOptions } from './slurm-gateway.ts';

export interface SlurmRestApiOptions {
  readonly endpoint: PinnedEndpoint;
  /** Whom the tokens are for. */
  readonly user: string;
  readonly token: () => Promise<string>;
  /** Called when Slurm refuses the token, so that the next call has another one. */
  readonly forgetToken: () => void;
}

/** slurmrestd itself gives up on a controller that is down after 9 s (seen). */
const TIMEOUT_SECONDS = 45;
/** Where slurmrestd describes itself, the newest place first (22.05 has the second only). */
const DESCRIPTIONS = ['/openapi/v3', '/openapi'] as const;
/** What is earlier, Slurm takes for a mistake (`parse_time` in parse_time.c). */
const EARLIEST_SECONDS = 1_000_000;
/** "Invalid job id" and "already completing or completed" (slurm_errno.h): what is to be cancelled has ended. */
const HAS_ENDED: ReadonlySet<number> = new Set([2017, 2021]);

/** One slurmrestd: its version, its headers, and what its answers really mean. Bodies are parsed by the caller. */
export class SlurmRestApi {
  readonly #options: SlurmRestApiOptions;
  readonly #https: PinnedHttps;
  #version: Promise<SlurmRestVersion> | undefined;

  constructor(options: SlurmRestApiOptions) {
    this.#options = options;
    this.#https = new PinnedHttps(options.endpoint);
  }

  /** The version of the API, asked once. */
  async version({ signal }: CallOptions): Promise<SlurmRestVersion> {
    signal?.throwIfAborted();
    this.#version ??= this.#negotiate();
    this.#version.catch(() => (this.#version = undefined));
    return this.#version;
  }

  async get(part: 'slurm' | 'slurmdb', path: string, options: CallOptions): Promise<unknown> {
    const version = await this.version(options);
    const place = `/${part}/${version}/${path}`;
    return this.#whole(place, await this.#call('GET', place, options));
  }

  /**
   * Jobs of all users that were submitted since then (seconds since 1970), as accounting has them. By the time of
   * submission, because a period of usage leaves out jobs that were cancelled before they could run.
   */
  async accountingJobs(sinceSeconds: number, options: CallOptions): Promise<unknown> {
    const since = `uts${Math.max(EARLIEST_SECONDS, sinceSeconds)}`;
    const query = isOldGeneration(await this.version(options))
      ? `submit_time=${since}`
      : `start_time=${since}&usage_time_as_submit_time=true&skip_steps=true`;
    return this.get('slurmdb', `jobs?${query}`, options);
  }

  async submitJob(
    job: unknown,
    options: CallOptions,
  ): Promise<SubmissionVerdict | { readonly status: 'accepted'; readonly body: unknown }> {
    const version = await this.version(options);
    const path = `/slurm/${version}/job/submit`;
    const answer = await this.#call('POST', path, options, JSON.stringify(job));
    const body = json(path, answer);
    const verdict = judgeSubmission(answer.status, parseRestErrors(body));
    if (verdict === undefined) return { status: 'accepted', body };
    if ('status' in verdict) return verdict;
    throw await this.#failure(verdict, path);
  }

  /** One that has ended, or that Slurm does not know, is fine. */
  async cancelJob(jobId: string, options: CallOptions): Promise<void> {
    const path = `/slurm/${await this.version(options)}/job/${jobId}`;
    const answer = await this.#call('DELETE', path, options);
    if (parseRestErrors(json(path, answer)).some(({ number }) => HAS_ENDED.has(number))) return;
    await this.#whole(path, answer);
  }

  close(): void {
    this.#https.close();
  }

  async #negotiate(): Promise<SlurmRestVersion> {
    for (const path of DESCRIPTIONS) {
      const answer = await this.#call('GET', path, {});
      if (answer.status === 404) continue;
      const version = negotiateRestVersion(await this.#whole(path, answer));
      if (version !== undefined) return version;
    }
    throw new KnownFailure('SlurmUnavailable', 'slurmrestd speaks no version of its API that we speak');
  }

  async #call(
    method: HttpCall['method'],
    path: string,
    { signal }: CallOptions,
    body?: string,
  ): Promise<HttpAnswer> {
    const headers = {
      accept: 'application/json',
      'x-slurm-user-name': this.#options.user,
      'x-slurm-user-token': await this.#options.token(),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    };
    return this.#https.call({
      method,
      path,
      headers,
      timeoutSeconds: TIMEOUT_SECONDS,
      ...(body !== undefined && { body }),
      ...(signal && { signal }),
    });
  }

  /** The body of an answer that is one: any error that it names makes it none, whatever its status says. */
  async #whole(path: string, answer: HttpAnswer): Promise<unknown> {
    const body = json(path, answer);
    const problem = judgeRestAnswer(answer.status, parseRestErrors(body));
    if (problem !== undefined) throw await this.#failure(problem, path);
    return body;
  }

  async #failure({ type, message }: RestProblem, path: string): Promise<KnownFailure> {
    const isRefused =
      type === 'SlurmTokenRefused' || (type === 'Unclear' && (await this.#isRefusedByAccounting()));
    if (isRefused) this.#options.forgetToken();
    const what = `slurmrestd, ${path.split('?')[0]}: ${message}`;
    return new KnownFailure(isRefused ? 'SlurmTokenRefused' : 'SlurmUnavailable', what);
  }

  /** slurmdbd checks tokens by itself, and says so in 22.05 too, where slurmctld does not. */
  async #isRefusedByAccounting(): Promise<boolean> {
    const path = `/slurmdb/${await this.version({})}/clusters`;
    const answer = await this.#call('GET', path, {});
    return judgeRestAnswer(answer.status, parseRestErrors(json(path, answer)))?.type === 'SlurmTokenRefused';
  }
}

/** slurmrestd answers some requests that it refuses in a few words instead of JSON. */
function json(path: string, { status, body }: HttpAnswer): unknown {
  try {
    return JSON.parse(body);
  } catch {
    if (status >= 200 && status < 300) {
      const text = JSON.stringify(body.slice(0, 200));
      throw new KnownFailure('SlurmUnavailable', `slurmrestd, ${path.split('?')[0]}: not JSON: ${text}`);
    }
    return { errors: [{ description: body.slice(0, 200) }] };
  }
}

/** @throws KnownFailure SlurmUnavailable for an answer that has not the agreed form */
export function understood<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof SlurmOutputError)) throw error;
    throw new KnownFailure(
      'SlurmUnavailable',
      `An answer of slurmrestd cannot be understood: ${error.message}`,
    );
  }
}
