import { describe, expect, it } from 'vitest';
import { priceTable } from '../../src/domain/prices.ts';
import { clusterUrl } from './fakes.ts';
import { type Harness, harness } from './support.ts';

const prices = priceTable.regions['us-east-1'] ?? expect.unreachable();
const body = { tier: 'debug' };
const needs = { tasks: 10, memoryMebibytesPerTask: 1000, expectedSecondsPerJob: 60 };

function inIreland(): Harness {
  const api = harness();
  api.region = 'eu-west-1';
  return api;
}

async function putPrices(api: Harness): Promise<void> {
  const ec2OnDemandLinux = { ...prices.ec2OnDemandLinux, asOf: '2026-11-20', source: 'AWS' };
  const readAt = '2026-11-26T03:00:00.000Z';
  await api.prices.put({
    version: 1,
    region: 'eu-west-1',
    currency: 'USD',
    readAt,
    prices: { ...prices, ec2OnDemandLinux },
  });
}

describe('the prices of the control bucket', () => {
  it('are those of estimates, plans and meters in a Region of which the release has none', async () => {
    const api = inIreland();
    await putPrices(api);
    const dryRun = await api.request('PUT', `${clusterUrl()}?dryRun=true`, { body });
    expect(dryRun.json()).toMatchObject({
      estimate: { region: 'eu-west-1', pricesAsOf: '2026-11-20', fullUsdPerHour: expect.any(Number) },
    });
    const plan = await api.request('POST', '/v1/plans', { body: { needs } });
    expect(plan.json()).toMatchObject({ outcome: 'planned', estimate: { pricesAsOf: '2026-11-20' } });
  });

  it('are missed by nobody where they cannot be read: what has no price is named', async () => {
    const api = inIreland();
    api.prices.objects.set('eu-west-1', '{}');
    const dryRun = await api.request('PUT', `${clusterUrl()}?dryRun=true`, { body });
    expect(dryRun.statusCode).toBe(200);
    expect(dryRun.json<{ estimate: unknown }>().estimate).toEqual({
      region: 'eu-west-1',
      unpriced: ['everything in eu-west-1'],
    });
    expect(api.logged.join('')).toContain('what was in force stays so');
  });
});
