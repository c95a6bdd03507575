import { beforeEach, describe, expect, it } from 'vitest';
import { campaignIdFor } from '../../src/api/campaign-id.ts';
import { campaignUsageSchema, type CampaignUsageView } from '../../src/api/usage-schemas.ts';
import { clusterWorkflowId, newEpochId } from '../../src/domain/ids.ts';
import { KnownFailure } from '../../src/domain/failures.ts';
import { clusterUrl, clusterView, other, tenant } from './fakes.ts';
import { expectProblem, harness, type Harness } from './support.ts';

const KEY = 'campaign-2026-01-15';
const campaignId = campaignIdFor(tenant, KEY);
const url = `${clusterUrl()}/campaigns/${campaignId}/usage`;
const epoch = newEpochId(Date.parse('2026-01-10T00:00:00Z'), '0a1b2');
const asOfSeconds = Date.parse('2026-01-10T06:00:00Z') / 1000;
const hour = (jobId: string, cpus: number) =>
  [jobId, cpus, 1, asOfSeconds - 7200, asOfSeconds - 3600, 0] satisfies [
    string,
    ...[number, number, number, number, number],
  ];

let api: Harness;

async function report(query = ''): Promise<CampaignUsageView> {
  const response = await api.request('GET', url + query);
  expect({ status: response.statusCode, body: response.body }).toMatchObject({ status: 200 });
  return campaignUsageSchema.parse(response.json());
}

/** Says where the campaign's jobs are, as its workflow does once they were submitted. */
function submitted(): void {
  const campaign = api.campaigns.at(tenant, campaignId);
  campaign.view = { ...campaign.view, logs: { logGroupName: '/pcp/vlab', epoch } };
}

beforeEach(async () => {
  api = harness();
  api.clusters.views.set(clusterWorkflowId(tenant), clusterView());
  await api.request('POST', `${clusterUrl()}/campaigns`, {
    body: { jobs: [{ key: 'sim', command: ['/bin/true'], array: { indexes: '1-2' } }] },
    headers: { 'idempotency-key': KEY },
  });
  const prices = { pricesAsOf: '2026-01-01', nodeGroups: { 'mpi-dy-c7a': { usdPerHour: 2, cpus: 16 } } };
  const group = { queue: 'mpi', nodeGroup: 'mpi-dy-c7a' };
  await api.usage.put(tenant, {
    version: 1,
    epoch,
    asOfSeconds,
    final: false,
    prices,
    groups: [
      { ...group, campaignId, allocations: [hour('2', 8), hour('1', 16)], jobKeys: ['sim_2', 'sim_1'] },
      { ...group, campaignId: 'b'.repeat(26), allocations: [hour('3', 1)], jobKeys: ['sim_1'] },
    ],
  });
});

describe('the usage of a campaign', () => {
  it('says what each of its jobs cost, and what it is known from', async () => {
    submitted();
    const { total, jobs, epoch: known, ...rest } = await report();
    expect(jobs).toMatchObject([
      { jobKey: 'sim_1', cpuHours: 16, costUsd: 2 },
      { jobKey: 'sim_2', cpuHours: 8, costUsd: 1 },
    ]);
    expect(total).toMatchObject({ cpuHours: 24, nodeHours: 2, allocations: 2, costUsd: 3 });
    expect(known).toMatchObject({ epoch, asOf: '2026-01-10T06:00:00.000Z', pricesAsOf: '2026-01-01' });
    expect(rest).toEqual({ ...tenant, campaignId });
  });

  it('is told page by page, with the sum of all jobs on each', async () => {
    submitted();
    const first = await report('?pageSize=1');
    const second = await report(`?pageSize=1&pageToken=${first.nextPageToken}`);
    expect([first.jobs[0]?.jobKey, second.jobs[0]?.jobKey]).toEqual(['sim_1', 'sim_2']);
    expect([first.total.costUsd, second.total.costUsd]).toEqual([3, 3]);
    expect(second).not.toHaveProperty('nextPageToken');
  });

  it('is nothing before its jobs are in Slurm, and before anything of these is recorded', async () => {
    expect(await report()).toMatchObject({ total: { allocations: 0, costUsd: 0 }, jobs: [] });
    submitted();
    api.usage.objects.clear();
    const nothing = await report();
    expect(nothing).toMatchObject({ total: { allocations: 0 }, jobs: [] });
    expect(nothing).not.toHaveProperty('epoch');
  });

  it('needs no worker', async () => {
    submitted();
    api.outage.worker = new KnownFailure('WorkerUnavailable', 'No worker answered in time.');
    expect((await report()).jobs).toHaveLength(2);
  });

  it('is not told to another project, nor of a campaign that is not there', async () => {
    submitted();
    const foreign = url.replace(clusterUrl(), clusterUrl(other));
    expectProblem(await api.request('GET', foreign), 404, 'NotFound');
  });

  it.each([
    ['?pageSize=0', 'pageSize'],
    ['?pageToken=abc', 'pageToken'],
    ['?from=2026-01-01', 'from'],
  ])('refuses %s, naming %s', async (query, path) => {
    submitted();
    const problem = expectProblem(await api.request('GET', url + query), 400, 'InvalidRequest');
    expect(problem.errors).toMatchObject([{ in: 'query', path }]);
  });

  it('is a problem with a time to come back while the control bucket does not answer', async () => {
    submitted();
    api.usage.failure = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    expectProblem(await api.request('GET', url), 503, 'AwsUnavailable');
  });
});
