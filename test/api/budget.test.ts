import { describe, expect, it } from 'vitest';
import { clusterWorkflowId } from '../../src/domain/ids.ts';
import { clusterUrl, clusterView, tenant } from './fakes.ts';
import { expectProblem, harness } from './support.ts';

const url = clusterUrl().replace(/cluster$/, 'budget');
const budget = { limitUsd: 100, hardLimitUsd: 150, by: 'Ada', reason: 'grant 7' };

describe('a budget', () => {
  it('is set without a cluster, shown, and taken back', async () => {
    const api = harness();
    expectProblem(await api.request('GET', url), 404, 'NotFound');
    const set = await api.request('PUT', url, { body: budget });
    expect([set.statusCode, set.json()]).toMatchObject([200, { ...budget, spentUsd: 0, level: 'ok' }]);
    expect(api.clusters.messages).toEqual([budget]);
    expect((await api.request('GET', url)).json()).toMatchObject(budget);
    expect((await api.request('DELETE', url)).statusCode).toBe(200);
    expectProblem(await api.request('GET', url), 404, 'NotFound');
  });

  it('of a month that is over counts nothing that was spent in it', async () => {
    const api = harness();
    const spent = { ...budget, setAt: '2020-01-01T00:00:00.000Z', month: '2020-01' };
    const view = clusterView({ budget: { ...spent, spentUsd: 200, share: 2, level: 'hard-limit' } });
    api.clusters.views.set(clusterWorkflowId(tenant), view);
    const shown = (await api.request('GET', url)).json();
    expect(shown).toMatchObject({ limitUsd: 100, spentUsd: 0, share: 0, level: 'ok' });
  });

  it.each([
    [{ ...budget, hardLimitUsd: 99 }, 'hardLimitUsd'],
    [{ ...budget, limitUsd: 0 }, 'limitUsd'],
    [{ ...budget, reason: ' ' }, 'reason'],
    [{ limitUsd: 1, reason: 'r' }, 'by'],
    [{ ...budget, currency: 'EUR' }, 'currency'],
  ])('%j is refused with the path of the field', async (body, path) => {
    const problem = expectProblem(await harness().request('PUT', url, { body }), 400, 'InvalidRequest');
    expect(problem.errors).toEqual([{ in: 'body', path, reason: expect.any(String) as unknown }]);
  });
});
