import type { LightMyRequestResponse } from 'fastify';
import { pino } from 'pino';
import { afterEach, expect } from 'vitest';
import { buildApp } from '../../src/api/app.ts';
import type { ReadinessProbe } from '../../src/api/ports.ts';
import { type Problem, problemSchema, type ProblemType } from '../../src/api/problem.ts';
import type { Installation } from '../../src/api/request-validation.ts';
import type { Server } from '../../src/api/server.ts';
import { createCurrentPrices } from '../../src/clients/current-prices.ts';
import { planningGround } from '../../src/domain/planning-ground.ts';
import { MemoryJobListingStore } from '../fakes/memory-job-listing-store.ts';
import { MemoryPriceStore } from '../fakes/memory-price-store.ts';
import { MemoryUsageStore } from '../fakes/memory-usage-store.ts';
import { FakeLogs } from './fake-logs.ts';
import { FakeCampaigns, FakeClusters, FakeStore, Outage } from './fakes.ts';

export const TOKEN = 'test-token-of-more-than-32-characters';

/** An API whose every dependency is in this process. */
export class Harness {
  readonly outage = new Outage();
  readonly store = new FakeStore();
  readonly campaigns = new FakeCampaigns(this.outage, this.store);
  readonly clusters = new FakeClusters(this.outage, this.campaigns);
  readonly logs = new FakeLogs();
  readonly usage = new MemoryUsageStore();
  readonly jobListings = new MemoryJobListingStore();
  readonly prices = new MemoryPriceStore();
  region = 'us-east-1';
  /** What the readiness probe says is missing. */
  missing: Awaited<ReturnType<ReadinessProbe['check']>>;
  readonly installation: { -readonly [Field in keyof Installation]: Installation[Field] } = {
    hasKeycloak: false,
    hasBuckets: false,
    customActionsBucket: 'operators-scripts',
  };
  /** Everything that was logged. */
  readonly logged: string[] = [];
  private server: Server | undefined;

  async app(): Promise<Server> {
    this.server ??= await this.build();
    return this.server;
  }

  private async build(): Promise<Server> {
    const { region } = this;
    const logger = pino({ level: 'debug' }, { write: (line) => this.logged.push(line) });
    const currentPrices = createCurrentPrices({ store: this.prices, region, log: logger });
    return buildApp({
      clusters: this.clusters,
      campaigns: this.campaigns,
      store: this.store,
      logs: this.logs,
      usage: this.usage,
      installation: this.installation,
      planning: async () =>
        planningGround({ region, hasLustre: this.installation.hasBuckets }, await currentPrices()),
      jobListings: this.jobListings,
      tailPace: { pollMs: 10, maxPollMs: 20, pingMs: 50 },
      readiness: { check: async () => this.missing },
      token: TOKEN,
      logger,
      version: '0.0.0',
    });
  }

  async request(
    method: 'GET' | 'PUT' | 'POST' | 'DELETE' | 'PATCH' | 'OPTIONS',
    url: string,
    { body, headers = {} }: { readonly body?: unknown; readonly headers?: Record<string, string> } = {},
  ): Promise<LightMyRequestResponse> {
    const app = await this.app();
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return app.inject({
      method,
      url,
      headers: {
        authorization: `Bearer ${TOKEN}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { payload: text }),
    });
  }

  async close(): Promise<void> {
    await this.server?.close();
  }
}

const open: Harness[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map(async (harness) => harness.close()));
});

/** A harness that is closed after the test. */
export function harness(): Harness {
  const made = new Harness();
  open.push(made);
  return made;
}

/** The problem in a response, after checking that it is one: RFC 9457, with words that help. */
export function expectProblem(response: LightMyRequestResponse, status: number, type: ProblemType): Problem {
  expect({ status: response.statusCode, body: response.body }).toMatchObject({ status });
  expect(response.headers['content-type']).toBe('application/problem+json; charset=utf-8');
  const problem = problemSchema.parse(response.json());
  expect(problem).toMatchObject({
    type: `/problems/${type}`,
    status,
    correlationId: response.headers['x-request-id'],
  });
  expect([problem.title, problem.detail, problem.nextStep]).not.toContain('');
  expectErrorsWhereNamed(problem);
  return problem;
}

/** A next step that points to `errors` needs some. */
export function expectErrorsWhereNamed({ nextStep, errors = [] }: Problem): void {
  expect({ nextStep, errors }).not.toEqual({ nextStep: expect.stringContaining('`errors`'), errors: [] });
}
