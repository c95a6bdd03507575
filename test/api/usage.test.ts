import { beforeEach, describe, expect, it } from 'vitest';
import { usageReportSchema, type UsageReportView } from '../../src/api/usage-schemas.ts';
import { newEpochId, type Tenant } from '../../src/domain/ids.ts';
import type { UsageFile } from '../../src/domain/usage-file.ts';
import { other, tenant } from './fakes.ts';
import { expectProblem, harness, type Harness } from './support.ts';

const url = usageUrl(tenant);
const january = '?from=2026-01-01&to=2026-02-01';
const campaignId = 'mfrggzdfmztwq2lknnwg23tpou';

function usageUrl({ virtualLabId, projectId }: Tenant): string {
  return `/v1/virtual-labs/${virtualLabId}/projects/${projectId}/usage`;
}

const seconds = (time: string): number => Date.parse(time) / 1000;
const epochAt = (time: string): string => newEpochId(Date.parse(time), '0a1b2');

const first = epochAt('2026-01-10T00:00:00Z');
const second = epochAt('2026-01-20T00:00:00Z');

const hourOf = (
  jobId: string,
  cpus: number,
  start: string,
): UsageFile['groups'][number]['allocations'][number] => [
  jobId,
  cpus,
  1,
  seconds(start),
  seconds(start) + 3600,
  0,
];

let api: Harness;

async function store(owner: Tenant, epoch: string, groups: UsageFile['groups'], asOf: string, final = true) {
  api.usage.now = () => new Date(asOf);
  await api.usage.put(owner, { version: 1, epoch, asOfSeconds: seconds(asOf), final, groups });
}

async function report(query: string): Promise<UsageReportView> {
  const response = await api.request('GET', url + query);
  expect({ status: response.statusCode, body: response.body }).toMatchObject({ status: 200 });
  return usageReportSchema.parse(response.json());
}

beforeEach(async () => {
  api = harness();
  await store(
    tenant,
    first,
    [
      { queue: 'mpi', campaignId, allocations: [hourOf('1', 8, '2026-01-10T01:00:00Z')] },
      { queue: 'debug', allocations: [hourOf('2', 1, '2026-01-10T02:00:00Z')] },
    ],
    '2026-01-10T06:00:00Z',
  );
  await store(
    tenant,
    second,
    [{ queue: 'mpi', campaignId, allocations: [hourOf('1', 8, '2026-01-20T01:00:00Z')] }],
    '2026-01-20T01:30:00Z',
    false,
  );
});

describe('the usage of a project', () => {
  it('is reported over all epochs, by queue and by campaign, without Temporal and without a worker', async () => {
    api.outage.temporal = new Error('nobody is there');
    const { total, perQueue, perCampaign, epochs, ...rest } = await report(january);
    expect(total).toEqual({
      cpuHours: 17,
      nodeHours: 3,
      cpuSeconds: 61_200,
      nodeSeconds: 10_800,
      allocations: 3,
      unpricedAllocations: 3,
    });
    expect(perQueue).toMatchObject([
      { queue: 'debug', cpuHours: 1, nodeHours: 1, allocations: 1 },
      { queue: 'mpi', cpuHours: 16, nodeHours: 2, allocations: 2 },
    ]);
    expect(perCampaign).toMatchObject([{ campaignId, cpuHours: 16 }, { cpuHours: 1 }]);
    expect(perCampaign[1]).not.toHaveProperty('campaignId');
    expect(epochs).toEqual([
      { epoch: first, startedAt: '2026-01-10T00:00:00.000Z', asOf: '2026-01-10T06:00:00.000Z', final: true },
      {
        epoch: second,
        startedAt: '2026-01-20T00:00:00.000Z',
        asOf: '2026-01-20T01:30:00.000Z',
        final: false,
      },
    ]);
    expect(rest).toEqual({ ...tenant, from: '2026-01-01T00:00:00.000Z', to: '2026-02-01T00:00:00.000Z' });
  });

  it('tells what it cost, and how much of it has no price', async () => {
    const epoch = epochAt('2026-01-15T00:00:00Z');
    const asOf = '2026-01-15T06:00:00Z';
    const allocation = (jobId: string, cpus: number) => hourOf(jobId, cpus, '2026-01-15T01:00:00Z');
    const prices = {
      pricesAsOf: '2026-01-01',
      isUpperBound: true,
      nodeGroups: { 'mpi-dy-c7a': { usdPerHour: 2, cpus: 16 }, 'mpi-dy-hpc7a': { cpus: 16 } },
    } as const;
    await api.usage.put(tenant, {
      version: 1,
      epoch,
      asOfSeconds: seconds(asOf),
      final: true,
      groups: [
        { queue: 'mpi', campaignId, nodeGroup: 'mpi-dy-c7a', allocations: [allocation('1', 8)] },
        { queue: 'mpi', nodeGroup: 'mpi-dy-hpc7a', allocations: [allocation('2', 4)] },
      ],
      prices,
    });
    const { total, perQueue, perCampaign, epochs } = await report('?from=2026-01-15&to=2026-01-16');
    expect(total).toMatchObject({ costUsd: 1, unpricedAllocations: 1 });
    expect(perQueue).toMatchObject([{ queue: 'mpi', costUsd: 1, unpricedAllocations: 1 }]);
    expect(perCampaign[0]).toMatchObject({ campaignId, costUsd: 1 });
    expect(perCampaign[1]).toMatchObject({ unpricedAllocations: 1 });
    expect(perCampaign[1]).not.toHaveProperty('costUsd');
    expect(epochs).toMatchObject([{ epoch, pricesAsOf: '2026-01-01', isUpperBound: true }]);
  });

  it('is that within the range, to the second', async () => {
    const { total, epochs } = await report('?from=2026-01-20T01:15:00Z&to=2026-01-20T03:15:00%2B01:00');
    expect(total.cpuSeconds).toBe(8 * 45 * 60);
    expect(epochs.map(({ epoch }) => epoch)).toEqual([second]);
  });

  it('is read only from epochs that can have some of it', async () => {
    await report('?from=2026-01-12&to=2026-01-19');
    expect(api.usage.reads).toEqual([]);
    await report('?from=2026-01-10&to=2026-01-11');
    expect(api.usage.reads).toEqual([first]);
  });

  it('is that of the last 30 days if no range is given', async () => {
    const { from, to, total } = await report('');
    expect(Math.abs(Date.parse(to) - Date.now())).toBeLessThan(10_000);
    expect(Math.abs(Date.parse(to) - Date.parse(from) - 30 * 86_400_000)).toBeLessThanOrEqual(1000);
    expect(total).toMatchObject({ cpuSeconds: 0, allocations: 0 });
  });

  it('is nothing for a project that has used nothing, and never that of another one', async () => {
    const response = await api.request('GET', usageUrl(other) + january);
    expect(response.json()).toMatchObject({
      total: { cpuHours: 0 },
      perQueue: [],
      perCampaign: [],
      epochs: [],
    });
  });

  it('names at most 1,000 campaigns and adds up the others', async () => {
    const groups = Array.from({ length: 1003 }, (_, index) => ({
      queue: 'mpi',
      campaignId: String(index)
        .replaceAll(/\d/g, (digit) => 'abcdefghij'.charAt(Number(digit)))
        .padEnd(26, 'x'),
      allocations: [hourOf(String(index), 1, '2026-01-25T01:00:00Z')],
    }));
    await store(tenant, epochAt('2026-01-25T00:00:00Z'), groups, '2026-01-25T06:00:00Z');
    const { perCampaign, furtherCampaigns, total } = await report(january);
    expect(perCampaign).toHaveLength(1000);
    expect(furtherCampaigns).toMatchObject({ campaigns: 5, cpuHours: 5 });
    expect(total.cpuHours).toBe(1020);
  });

  it.each([
    ['?from=yesterday', 'from'],
    ['?to=2026-13-01', 'to'],
    ['?from=2026-02-01&to=2026-01-01', 'from'],
    ['?from=2026-01-01&to=2026-01-01', 'from'],
    ['?from=2999-01-01&to=2999-02-01', 'from'],
    ['?from=2020-01-01&to=2026-01-01', 'from'],
    ['?since=2026-01-01', 'since'],
  ])('refuses the range %s, naming %s', async (query, path) => {
    const problem = expectProblem(await api.request('GET', url + query), 400, 'InvalidRequest');
    expect(problem.errors).toMatchObject([{ in: 'query', path }]);
  });

  it('is refused for a range with more than one answer can hold', async () => {
    for (let day = 0; day < 501; day++) {
      const time = new Date(Date.parse('2025-01-01T00:00:00Z') + day * 3_600_000).toISOString();
      await store(tenant, epochAt(time), [], time);
    }
    const response = await api.request('GET', `${url}?from=2025-01-01&to=2025-02-01`);
    expect(expectProblem(response, 400, 'InvalidRequest').errors).toMatchObject([{ path: 'from' }]);
    expect(api.usage.reads).toEqual([]);
  });

  it('is a problem with a time to come back while the control bucket does not answer', async () => {
    api.usage.failure = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    const response = await api.request('GET', url + january);
    expectProblem(response, 503, 'AwsUnavailable');
    expect(response.headers['retry-after']).toBeDefined();
  });

  it('is answered within the time of a request although the bucket says nothing', async () => {
    api.usage.list = async () => new Promise(() => {});
    const begun = performance.now();
    expectProblem(await api.request('GET', url + january), 503, 'AwsUnavailable');
    expect(performance.now() - begun).toBeLessThan(2000);
  });
});

describe('the epochs with usage', () => {
  it('are listed in pages', async () => {
    const page = (await api.request('GET', `${url}/epochs?pageSize=1`)).json();
    expect(page).toMatchObject({
      epochs: [
        { epoch: first, startedAt: '2026-01-10T00:00:00.000Z', recordedAt: '2026-01-10T06:00:00.000Z' },
      ],
    });
    const next = (
      await api.request('GET', `${url}/epochs?pageSize=2&pageToken=${page.nextPageToken}`)
    ).json();
    expect(next.epochs).toMatchObject([{ epoch: second }]);
    expect(next).not.toHaveProperty('nextPageToken');
  });

  it('are not listed from a token that is not ours', async () => {
    expectProblem(await api.request('GET', `${url}/epochs?pageToken=abc`), 400, 'InvalidRequest');
  });
});
