import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  request as httpRequest,
  type Server,
  type ServerResponse,
} from 'node:http';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type HttpAnswer,
  type HttpRequest,
  isRead,
  type Operation,
  operationOf,
  refusalOf,
} from './aws-operations.ts';

/**
 * What can happen to a call. `throttled` and `failed`: AWS refuses it in the words of its service. `cut-before`: the
 * connection breaks, nothing was done. `answer-lost`: it took effect and the connection breaks. `stale`: a read is answered
 * as it would have been some seconds ago, so that what was just made is missing and what was just deleted is there.
 * `slow`: it takes a while.
 */
export const faultKinds = ['throttled', 'failed', 'cut-before', 'answer-lost', 'stale', 'slow'] as const;
export type FaultKind = (typeof faultKinds)[number];

/** Chooses what happens to the n-th call (from 0 on) of an operation. */
export type FaultPlan = (operation: Operation, nth: number) => FaultKind | undefined;

const ENDPOINTS = ['AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_CLOUDFORMATION', 'AWS_ENDPOINT_URL_FSX'] as const;
const SLOW_MILLISECONDS = 300;
/** How far behind a stale answer is at most: AWS promises no time; seconds are usual. */
const STALE_MILLISECONDS = 3000;
/** What is read there is what was written last (S3), or is no state of a thing. */
const CONSISTENT = /^(?:s3|monitoring|logs|sts):|:(?:GetTemplate|GetSecretValue|DescribeStackEvents)$/;

/** Half of all calls fail: throttled, refused, or cut off before or after they took effect. Others are stale or slow. */
export function halfOfAllCalls(seed: number): FaultPlan {
  return chancesOf(seed, {
    throttled: 0.2,
    failed: 0.1,
    'cut-before': 0.1,
    'answer-lost': 0.1,
    stale: 0.1,
    slow: 0.05,
  });
}

/** A plan for the first calls of each operation only: everything meets it, and what polls is not slowed down by it. */
export function ofFirstCalls(calls: number, plan: FaultPlan): FaultPlan {
  return (operation, nth) => (nth < calls ? plan(operation, nth) : undefined);
}

/** Every operation that changes something loses the answers of its first calls, for so long that the SDK gives up. */
export function lostAnswers(calls: number): FaultPlan {
  return (operation, nth) => (!isRead(operation) && nth < calls ? 'answer-lost' : undefined);
}

/** The same seed does the same to the n-th call of an operation, however the calls of all operations are mixed. */
function chancesOf(seed: number, chances: Readonly<Record<FaultKind, number>>): FaultPlan {
  return (operation, nth) => {
    const digest = createHash('sha256').update(`${seed} ${operation} ${nth}`).digest();
    let rest = digest.readUInt32BE() / 2 ** 32;
    return faultKinds.find((kind) => (rest -= chances[kind]) < 0);
  };
}

/** What happened to the calls of one operation. */
export interface OperationLog {
  calls: number;
  readonly faults: Partial<Record<FaultKind, number>>;
}

/** Stands in front of the emulators and lets calls fail, once it is given a plan. */
export class AwsFaults {
  /** What is done to calls; nothing while undefined. */
  plan: FaultPlan | undefined;
  /** The endpoints of the emulators, replaced. */
  readonly env: Readonly<Record<string, string>>;
  readonly log = new Map<Operation, OperationLog>();
  /** Successful answers of operations that create, also those that were lost. */
  readonly created = new Map<Operation, string[]>();
  private readonly servers: readonly Server[];
  /** The latest true answers to reads. */
  private readonly seen = new Map<string, { readonly answer: HttpAnswer; readonly at: number }>();

  private constructor(env: Readonly<Record<string, string | undefined>>) {
    const servers: Server[] = [];
    const replaced: Record<string, string> = {};
    for (const name of ENDPOINTS) {
      const upstream = env[name];
      if (upstream === undefined) continue;
      const server = createServer((incoming, response) => {
        void this.serve(upstream, incoming, response).catch((error: unknown) =>
          response.destroy(error instanceof Error ? error : undefined),
        );
      });
      servers.push(server.listen(0, '127.0.0.1'));
      replaced[name] = '';
    }
    this.servers = servers;
    this.env = replaced;
  }

  /** `env`: names the emulators' endpoints. */
  static async start(env: Readonly<Record<string, string | undefined>>): Promise<AwsFaults> {
    const faults = new AwsFaults(env);
    await Promise.all(faults.servers.map(async (server) => server.listening || once(server, 'listening')));
    const names = Object.keys(faults.env);
    faults.servers.forEach((server, index) => {
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('a proxy does not listen');
      Object.assign(faults.env, { [names[index] ?? '']: `http://127.0.0.1:${address.port}` });
    });
    return faults;
  }

  async close(): Promise<void> {
    for (const server of this.servers) {
      server.closeAllConnections();
      server.close();
    }
    await Promise.all(this.servers.map(async (server) => server.listening && once(server, 'close')));
  }

  /** How often each kind of fault was injected, and into how many calls. */
  totals(): Readonly<Record<FaultKind | 'calls', number>> {
    const totals = {
      calls: 0,
      throttled: 0,
      failed: 0,
      'cut-before': 0,
      'answer-lost': 0,
      stale: 0,
      slow: 0,
    };
    for (const { calls, faults } of this.log.values()) {
      totals.calls += calls;
      for (const kind of faultKinds) totals[kind] += faults[kind] ?? 0;
    }
    return totals;
  }

  /** One line for each operation. */
  summary(): string {
    const lines = [...this.log]
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([operation, { calls, faults }]) => {
        const injected = faultKinds.flatMap((kind) => (faults[kind] ? [`${faults[kind]} ${kind}`] : []));
        return `${operation}: ${calls} calls${injected.length > 0 ? `, ${injected.join(', ')}` : ''}`;
      });
    return [...lines, JSON.stringify(this.totals())].join('\n');
  }

  private async serve(
    upstream: string,
    incoming: AsyncIterable<Buffer> & {
      method?: string | undefined;
      url?: string | undefined;
      headers: HttpRequest['headers'];
    },
    response: ServerResponse,
  ): Promise<void> {
    const { method = 'GET', url = '/', headers } = incoming;
    const request = { method, path: url, headers, body: await buffer(incoming) };
    const operation = operationOf(request);
    if (operation === null || this.plan === undefined) {
      answer(response, await forward(upstream, request));
      return;
    }
    const fault = this.note(operation);
    if (fault === 'throttled' || fault === 'failed') answer(response, refusalOf(operation, fault));
    else if (fault === 'cut-before') response.destroy();
    else {
      if (fault === 'slow') await sleep(SLOW_MILLISECONDS);
      const stale = fault === 'stale' ? this.staleAnswer(operation, request) : undefined;
      const answered = stale ?? (await this.ask(upstream, operation, request));
      if (fault === 'answer-lost') response.destroy();
      else answer(response, answered);
    }
  }

  private note(operation: Operation): FaultKind | undefined {
    const log = this.log.get(operation) ?? { calls: 0, faults: {} };
    this.log.set(operation, log);
    const fault = this.plan?.(operation, log.calls++);
    if (fault === undefined || (fault === 'stale' && !canBeStale(operation))) return undefined;
    log.faults[fault] = (log.faults[fault] ?? 0) + 1;
    return fault;
  }

  private async ask(upstream: string, operation: Operation, request: HttpRequest): Promise<HttpAnswer> {
    const answered = await forward(upstream, request);
    if (canBeStale(operation)) this.seen.set(keyOf(operation, request), { answer: answered, at: Date.now() });
    if (/:Create/.test(operation) && answered.status < 300)
      this.created.set(operation, [...(this.created.get(operation) ?? []), answered.body.toString()]);
    return answered;
  }

  private staleAnswer(operation: Operation, request: HttpRequest): HttpAnswer | undefined {
    const before = this.seen.get(keyOf(operation, request));
    return before && Date.now() - before.at <= STALE_MILLISECONDS ? before.answer : undefined;
  }
}

function canBeStale(operation: Operation): boolean {
  return isRead(operation) && !CONSISTENT.test(operation);
}

function keyOf(operation: Operation, { path, body }: HttpRequest): string {
  return `${operation} ${path} ${body.toString()}`;
}

/** Unknown lengths and `Expect` are between two neighbours on the wire; the body is here already. */
const HOP_BY_HOP = new Set(['connection', 'expect', 'keep-alive', 'transfer-encoding', 'content-length']);

function endToEnd(headers: HttpRequest['headers']): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined || HOP_BY_HOP.has(name) ? [] : [[name, value]],
    ),
  );
}

async function forward(upstream: string, { method, path, headers, body }: HttpRequest): Promise<HttpAnswer> {
  const sent = httpRequest(new URL(path, upstream), {
    method,
    headers: { ...endToEnd(headers), 'content-length': body.length },
  });
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    sent.on('response', resolve).on('error', reject).end(body);
  });
  return { status: response.statusCode ?? 500, headers: response.headers, body: await buffer(response) };
}

function answer(response: ServerResponse, { status, headers, body }: HttpAnswer): void {
  // The answer to HEAD has the length of what GET would bring.
  const length = Number(headers['content-length'] ?? 0);
  response.writeHead(status, {
    ...endToEnd(headers),
    'content-length': body.length > 0 ? body.length : length,
  });
  response.end(body);
}
