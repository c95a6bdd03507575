import { describe, expect, it } from 'vitest';
import {
  type ClusterSpecInput,
  clusterSpecInputSchema,
  resolveClusterSpec,
} from '../../src/domain/cluster-spec-input.ts';
import { failureOf } from '../../src/domain/failures.ts';
import { clusterWorkflowId } from '../../src/domain/ids.ts';
import { clusterUrl, clusterView, tenant } from './fakes.ts';
import { expectProblem, harness } from './support.ts';

const spec = (input: ClusterSpecInput) => resolveClusterSpec(clusterSpecInputSchema.parse(input));

/** An API whose tenant has a cluster that is ready. */
function withCluster(input: ClusterSpecInput) {
  const api = harness();
  api.installation.hasBuckets = true;
  api.clusters.views.set(clusterWorkflowId(tenant), clusterView({ state: 'ready', spec: spec(input) }));
  return api;
}

describe('PATCH cluster', () => {
  it('answers 200 for what is done at once, with the specification and the estimate', async () => {
    const api = withCluster({ tier: 'debug' });
    const response = await api.request('PATCH', clusterUrl(), { body: { idleTimeoutSeconds: 60 } });
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({
      outcome: 'done',
      plan: { mode: 'at-once', changes: [{ path: 'idleTimeoutSeconds', existing: 1800, requested: 60 }] },
      spec: { tier: 'debug', idleTimeoutSeconds: 60 },
      estimate: { region: 'us-east-1' },
      cluster: { spec: { idleTimeoutSeconds: 60 } },
    });
  });

  it('answers 202 for what takes time', async () => {
    const api = withCluster({ tier: 'debug' });
    const response = await api.request('PATCH', clusterUrl(), { body: { tier: 'prod-batch' } });
    expect(response.statusCode).toBe(202);
    expect(response.headers.location).toBe(clusterUrl());
    expect(response.json()).toMatchObject({ outcome: 'accepted', plan: { mode: 'after-drain' } });
    expect(api.clusters.messages).toEqual([
      expect.objectContaining({ spec: spec({ tier: 'prod-batch' }), from: spec({ tier: 'debug' }) }),
    ]);
  });

  it('changes nothing with dryRun, and says what it would take, also what is refused', async () => {
    const api = withCluster({ tier: 'debug' });
    const answers = await Promise.all(
      [{ lustre: {} }, { scaledownIdleTimeSeconds: 60 }].map(async (body) =>
        api.request('PATCH', `${clusterUrl()}?dryRun=true`, { body }),
      ),
    );
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200]);
    expect(answers.map((answer) => answer.json())).toMatchObject([
      { outcome: 'planned', plan: { mode: 'refused', changes: [{ path: 'lustre' }] } },
      { outcome: 'planned', plan: { mode: 'after-drain' }, spec: { scaledownIdleTimeSeconds: 60 } },
    ]);
    expect(api.clusters.messages).toEqual([]);
  });

  it('says with dryRun what it would be refused with at this moment', async () => {
    const api = withCluster({ tier: 'debug' });
    api.clusters.refusal = failureOf('ClusterUpdating', 'The cluster is being updated.');
    const body = { scaledownIdleTimeSeconds: 60 };
    const response = await api.request('PATCH', `${clusterUrl()}?dryRun=true`, { body });
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({
      plan: { mode: 'after-drain' },
      refusal: { type: 'ClusterUpdating', nextStep: expect.any(String) },
    });
  });

  it('is refused where storage would be replaced, with what each change takes', async () => {
    const api = withCluster({ tier: 'debug' });
    const response = await api.request('PATCH', clusterUrl(), { body: { lustre: {} } });
    const problem = expectProblem(response, 409, 'ChangeRefused');
    expect(problem).toMatchObject({ changes: [{ path: 'lustre', mode: 'refused' }] });
  });

  it.each([
    [{ idleTimeoutSeconds: 1 }, 'idleTimeoutSeconds'],
    [{ tier: 'debug', queues: [] }, 'queues'],
    [{ tiers: 'debug' }, 'tiers'],
    [{ tier: 'debug', needs: { tasks: 1 } }, 'needs.memoryMebibytesPerTask'],
    [{}, ''],
  ])('names the wrong field of %j', async (body, path) => {
    const api = withCluster({ tier: 'debug' });
    const problem = expectProblem(await api.request('PATCH', clusterUrl(), { body }), 400, 'InvalidRequest');
    expect(problem.errors?.map((error) => error.path)).toContain(path);
    expect(api.clusters.messages).toEqual([]);
  });

  it('that somebody else came before is made of what that one has left', async () => {
    const api = withCluster({ tier: 'debug' });
    api.clusters.racingSpec = spec({ tier: 'debug', maxLifetimeSeconds: 3600 });
    const response = await api.request('PATCH', clusterUrl(), { body: { idleTimeoutSeconds: 60 } });
    expect(response.json()).toMatchObject({
      outcome: 'done',
      spec: { maxLifetimeSeconds: 3600, idleTimeoutSeconds: 60 },
    });
  });

  it('is 404 for a cluster that nobody asked for', async () => {
    const response = await harness().request('PATCH', clusterUrl(), { body: { idleTimeoutSeconds: 60 } });
    expectProblem(response, 404, 'NotFound');
  });
});
