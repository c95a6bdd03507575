import { setTimeout as sleep } from 'node:timers/promises';
import type { z } from 'zod';
import { clusterPath } from '../api/server.ts';
import { problemSchema, problemTypePath } from '../api/problem.ts';
import {
  type CampaignPage,
  campaignPageSchema,
  type CampaignReceipt,
  campaignReceiptSchema,
  clusterViewSchema,
} from '../api/view-schemas.ts';
import type { ClusterSpecInput } from '../domain/cluster-spec-input.ts';
import type { ClusterView } from '../domain/cluster-view.ts';
import type { Tenant } from '../domain/ids.ts';
import type { CampaignSpecInput } from '../domain/job.ts';
import type { LogKind } from '../domain/log-events.ts';
import { DevStackError, messageOf } from './errors.ts';

/** How long a caller repeats what the API answers with 503. */
const PATIENCE_SECONDS = 30;

export interface ApiClientOptions {
  readonly apiUrl: string;
  readonly token: string;
  /** Gives every request up. */
  readonly signal: AbortSignal;
}

/** An answer with its whole body. */
interface Answer {
  readonly ok: boolean;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/**
 * A caller of the HTTP API for one tenant, as the Workflow Service is one: repeats what is answered with 503, and
 * rejects with a DevStackError in the words of the problem otherwise.
 */
export class ApiClient {
  readonly #options: ApiClientOptions;
  /** Path of the tenant's cluster. */
  readonly path: string;

  constructor(options: ApiClientOptions, tenant: Tenant) {
    this.#options = options;
    this.path = clusterPath(tenant);
  }

  /** Makes the cluster exist; the status tells whether it was there. */
  async putCluster(spec: ClusterSpecInput): Promise<{ status: number; view: ClusterView }> {
    const answer = await this.#request('PUT', this.path, { body: spec });
    return { status: answer.status, view: parse(answer, clusterViewSchema) };
  }

  async cluster(): Promise<ClusterView> {
    return parse(await this.#request('GET', this.path), clusterViewSchema);
  }

  async submit(
    idempotencyKey: string,
    campaign: CampaignSpecInput,
  ): Promise<{ isRepetition: boolean; receipt: CampaignReceipt }> {
    const headers = { 'idempotency-key': idempotencyKey };
    const answer = await this.#request('POST', `${this.path}/campaigns`, { body: campaign, headers });
    const isRepetition = answer.headers.get('idempotent-replayed') === 'true';
    return { isRepetition, receipt: parse(answer, campaignReceiptSchema) };
  }

  async campaign(campaignId: string): Promise<CampaignPage> {
    return parse(await this.#request('GET', `${this.path}/campaigns/${campaignId}`), campaignPageSchema);
  }

  /** All that a job wrote so far; empty when it wrote nothing. */
  async log(campaignId: string, jobKey: string, kind: LogKind): Promise<string> {
    let next: string | undefined = `${this.path}/campaigns/${campaignId}/jobs/${jobKey}/logs/${kind}`;
    let text = '';
    while (next !== undefined) {
      const answer: Answer = await this.#request('GET', next, { accept: isNotWritten });
      if (!answer.ok) return text;
      text += answer.text;
      const [, link] = /^<([^>]+)>; rel="next"$/.exec(answer.headers.get('link') ?? '') ?? [];
      next = answer.headers.get('log-end') === 'true' ? undefined : link;
    }
    return text;
  }

  async #request(
    method: string,
    path: string,
    options: {
      body?: unknown;
      headers?: Record<string, string>;
      /** Which problems are no problem. */
      accept?: (answer: Answer) => boolean;
    } = {},
  ): Promise<Answer> {
    const deadline = Date.now() + PATIENCE_SECONDS * 1000;
    for (;;) {
      const answer = await this.#send(method, path, options);
      if (answer.ok || options.accept?.(answer)) return answer;
      if (answer.status !== 503 || Date.now() > deadline) throw problemOf(method, path, answer);
      const waitSeconds = Number(answer.headers.get('retry-after') ?? 1);
      await sleep(waitSeconds * 1000, undefined, { signal: this.#options.signal });
    }
  }

  async #send(
    method: string,
    path: string,
    { body, headers }: { body?: unknown; headers?: Record<string, string> },
  ): Promise<Answer> {
    const { apiUrl, token, signal } = this.#options;
    const content = body === undefined ? {} : { 'content-type': 'application/json' };
    try {
      const answer = await fetch(apiUrl + path, {
        method,
        signal,
        headers: { authorization: `Bearer ${token}`, ...content, ...headers },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const { ok, status } = answer;
      return { ok, status, headers: answer.headers, text: await answer.text() };
    } catch (error) {
      signal.throwIfAborted();
      const cause = error instanceof Error && error.cause ? messageOf(error.cause) : messageOf(error);
      throw new DevStackError('API', `${method} ${path} got no answer (${cause})`, {
        nextStep: 'Read api.log',
        cause: error,
      });
    }
  }
}

function parse<T>({ text }: Answer, schema: z.ZodType<T>): T {
  return schema.parse(jsonOf(text));
}

/** A job that wrote nothing, or not yet, has no such log. */
function isNotWritten({ status, text }: Answer): boolean {
  if (status !== 404) return false;
  const problem = problemSchema.safeParse(jsonOf(text));
  return problem.success && problem.data.type === problemTypePath('LogNotWritten');
}

function problemOf(method: string, path: string, { status, text }: Answer): DevStackError {
  const problem = problemSchema.safeParse(jsonOf(text));
  const words = problem.success ? `${problem.data.title}: ${problem.data.detail}` : text;
  return new DevStackError('API', `${method} ${path} answered ${status}: ${words}`, {
    nextStep: problem.success ? problem.data.nextStep : 'Read api.log',
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
