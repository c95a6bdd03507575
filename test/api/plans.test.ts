import { describe, expect, it } from 'vitest';
import { planExample, planRequestExample } from '../../src/api/examples.ts';
import { planAnswerSchema, planRequestSchema } from '../../src/api/plan-schemas.ts';
import { clusterUrl, tenant } from './fakes.ts';
import { expectProblem, harness } from './support.ts';

const needs = {
  tasks: 1000,
  memoryMebibytesPerTask: 4000,
  expectedSecondsPerJob: 3600,
  deadlineSeconds: 7200,
};

describe('POST plans', () => {
  it('plans a cluster, says why, and makes none', async () => {
    const api = harness();
    const response = await api.request('POST', '/v1/plans', { body: { needs } });
    expect(response.statusCode).toBe(200);
    const { explanation, alternatives, assumptions, ...plan } = response.json<typeof planExample>();
    const { outcome, spec, shape, estimate } = planExample;
    expect(plan).toEqual({ outcome, spec, shape, estimate });
    expect(explanation.join(' ')).toContain('93 jobs at a time; memory is what limits');
    expect(alternatives.map(({ kind }) => kind)).toEqual(['cheaper', 'spot', 'tier']);
    expect(assumptions.join(' ')).toContain('Amdahl');
    expect(api.clusters.views.size).toBe(0);
  });

  it('answers a specification that can be sent as it is', async () => {
    const api = harness();
    const { spec } = (
      await api.request('POST', '/v1/plans', { body: { needs, idleTimeoutSeconds: 600 } })
    ).json<{
      spec: Record<string, unknown>;
    }>();
    const response = await api.request('PUT', clusterUrl(), { body: spec });
    expect(response.statusCode).toBe(202);
    expect(response.json()).toMatchObject({
      spec: { tier: 'custom', idleTimeoutSeconds: 600, queues: spec['queues'] },
    });
  });

  it('says what stands in the way of needs that nothing satisfies, and what comes nearest', async () => {
    const api = harness();
    const response = await api.request('POST', '/v1/plans', { body: { needs: { ...needs, budgetUsd: 10 } } });
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({
      outcome: 'infeasible',
      limit: 'budget',
      nearest: [{ kind: 'cheaper' }],
    });
    const huge = await api.request('POST', '/v1/plans', { body: { needs: { ...needs, cpusPerTask: 500 } } });
    expect(huge.json()).toMatchObject({ limit: 'no-type', nearest: [] });
  });

  it.each([
    ['needs', {}],
    ['needs.tasks', { needs: { ...needs, tasks: 0.5 } }],
    ['needs.expectedSecondsPerJob', { needs: { ...needs, expectedNodeHours: 2 } }],
    ['needs.gpus', { needs: { ...needs, gpus: 1 } }],
    ['tier', { needs, tier: 'debug' }],
    ['maxLifetimeSeconds', { needs, maxLifetimeSeconds: 1 }],
  ])('names %s of a wrong request', async (path, body) => {
    const api = harness();
    const problem = expectProblem(await api.request('POST', '/v1/plans', { body }), 400, 'InvalidRequest');
    expect(problem.errors).toEqual([{ in: 'body', path, reason: expect.any(String) }]);
  });

  it('is documented by examples that are valid', () => {
    expect(planRequestSchema.safeParse(planRequestExample).error).toBeUndefined();
    expect(planAnswerSchema.safeParse(planExample).error).toBeUndefined();
    expect(planRequestExample.needs).toEqual(needs);
  });
});

describe('a cluster that is asked for by needs', () => {
  it('is planned; its view keeps needs, reasons and estimate', async () => {
    const api = harness();
    const response = await api.request('PUT', clusterUrl(), { body: { needs, slurmApi: {} } });
    expect(response.statusCode).toBe(202);
    expect(response.json()).toMatchObject({
      spec: {
        tier: 'custom',
        slurmApi: { trust: 'epoch-key' },
        queues: [{ name: 'plan', computeResources: [{ instanceType: 'm7a.24xlarge', maxCount: 11 }] }],
      },
      plan: {
        needs,
        seconds: 5100,
        usd: 76.9,
        explanation: expect.arrayContaining([expect.stringContaining('11 nodes')]),
      },
      estimate: { region: 'us-east-1', idleUsdPerHour: 0.182, fullUsdPerHour: 61.387, storageUsdPerMonth: 0 },
    });
    expect((await api.request('GET', clusterUrl())).json()).toMatchObject({ plan: { needs } });
  });

  it('can come with a campaign', async () => {
    const api = harness();
    const body = { jobs: [{ key: 'a', command: ['true'] }], cluster: { needs } };
    const headers = { 'idempotency-key': 'k' };
    const response = await api.request('POST', `${clusterUrl()}/campaigns`, { body, headers });
    expect(response.statusCode).toBe(202);
    expect(api.clusters.submitted[0]).toMatchObject({
      spec: { tier: 'custom' },
      notes: { plan: { needs }, estimate: { fullUsdPerHour: 61.387 } },
    });
    const refused = await api.request('POST', `${clusterUrl()}/campaigns`, {
      body: { ...body, cluster: { needs: { ...needs, budgetUsd: 1 } } },
      headers: { 'idempotency-key': 'other' },
    });
    expectProblem(refused, 422, 'NeedsInfeasible');
  });

  it('is refused where nothing satisfies the needs, with what comes nearest', async () => {
    const api = harness();
    const body = { needs: { ...needs, deadlineSeconds: 3000 } };
    const problem = expectProblem(await api.request('PUT', clusterUrl(), { body }), 422, 'NeedsInfeasible');
    expect(problem).toMatchObject({
      detail: expect.stringContaining('Nothing ends within 50 min'),
      limit: 'deadline',
      nearest: [{ kind: 'faster', shape: { instanceType: expect.any(String) } }],
    });
    expect(api.clusters.views.size).toBe(0);
  });

  it('gets Lustre only where there is some', async () => {
    const api = harness();
    const body = { needs: { ...needs, lustre: 'yes' } };
    expect(
      expectProblem(await api.request('PUT', clusterUrl(), { body }), 422, 'NeedsInfeasible'),
    ).toMatchObject({
      limit: 'no-lustre',
      nearest: [],
    });
  });

  it.each([
    ['tier', { needs, tier: 'debug' }],
    ['lustre', { needs, lustre: {} }],
    ['needs.memoryMebibytesPerTask', { needs: { tasks: 1, expectedSecondsPerJob: 1 } }],
  ])('names %s of a wrong one', async (path, body) => {
    const api = harness();
    const problem = expectProblem(
      await api.request('PUT', clusterUrl(tenant), { body }),
      400,
      'InvalidRequest',
    );
    expect(problem.errors).toEqual([{ in: 'body', path, reason: expect.any(String) }]);
  });
});
