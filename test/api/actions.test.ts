import { describe, expect, it } from 'vitest';
import { campaignIdFor } from '../../src/api/campaign-id.ts';
import { clusterWorkflowId } from '../../src/domain/ids.ts';
import { clusterUrl, clusterView, jobView, tenant } from './fakes.ts';
import { expectProblem, type Harness, harness } from './support.ts';

const KEY = 'campaign';
const id = campaignIdFor(tenant, KEY);
const url = `${clusterUrl()}/campaigns/${id}/jobs/a/actions`;

async function withCampaign(): Promise<Harness> {
  const api = harness();
  api.clusters.views.set(clusterWorkflowId(tenant), clusterView());
  await api.request('POST', `${clusterUrl()}/campaigns`, {
    body: { jobs: [{ key: 'a', command: ['/bin/true'] }] },
    headers: { 'idempotency-key': KEY },
  });
  return api;
}

describe('POST …/jobs/{jobKey}/actions', () => {
  it.each([
    { kind: 'hold' },
    { kind: 'release' },
    { kind: 'requeue' },
    { kind: 'time-limit', timeLimitSeconds: 7200 },
    { kind: 'nice', nice: 100 },
    { kind: 'nice', nice: -100 },
  ])('hands %j to the campaign and answers the job', async (action) => {
    const api = await withCampaign();
    const response = await api.request('POST', url, { body: action });
    expect([response.statusCode, response.json()]).toEqual([200, expect.objectContaining({ key: 'a' })]);
    expect(api.campaigns.controls).toEqual([{ jobKeys: ['a'], action }]);
  });

  it('answers 409 with Slurm’s own words when Slurm refuses', async () => {
    const api = await withCampaign();
    Object.assign(api.campaigns, { controlOutcome: { status: 'refused', message: 'Job is in the way' } });
    const response = await api.request('POST', url, { body: { kind: 'hold' } });
    expectProblem(response, 409, 'JobActionRefused');
    expect(response.json()).toMatchObject({
      detail: 'Job is in the way',
      nextStep: expect.stringMatching(/\.$/),
    });
  });

  it.each(['absent', 'ended'])('answers 409 when Slurm does not have the job (%s)', async (how) => {
    const api = await withCampaign();
    Object.assign(api.campaigns, { controlOutcome: { status: 'absent' } });
    Object.assign(api.campaigns.at(tenant, id), { open: how === 'absent' });
    const response = await api.request('POST', url, { body: { kind: 'hold' } });
    expectProblem(response, 409, 'JobActionRefused');
  });

  it.each([
    {},
    { kind: 'explode' },
    { kind: 'hold', nice: 1 },
    { kind: 'time-limit' },
    { kind: 'time-limit', timeLimitSeconds: 0 },
    { kind: 'nice', nice: 0.5 },
    { kind: 'nice', nice: -3_000_000_000 },
    { kind: 'nice', nice: '1; rm -rf /' },
  ])('refuses the body %j, and does nothing', async (body) => {
    const api = await withCampaign();
    expectProblem(await api.request('POST', url, { body }), 400, 'InvalidRequest');
    expect(api.campaigns.controls).toEqual([]);
  });

  it('says of an array which paths its tasks have, and which one takes its key', async () => {
    const api = harness();
    api.clusters.views.set(clusterWorkflowId(tenant), clusterView());
    const body = { jobs: [{ key: 'a', command: ['/bin/true'], array: { indexes: '3-5' } }] };
    const headers = { 'idempotency-key': KEY };
    await api.request('POST', `${clusterUrl()}/campaigns`, { body, headers });
    const tasks = [3, 4, 5].map((index) => jobView({ key: `a_${index}`, arrayKey: 'a', arrayTaskId: index }));
    Object.assign(api.campaigns.at(tenant, id), { jobs: tasks });
    const response = await api.request('POST', url, { body: { kind: 'hold' } });
    expectProblem(response, 404, 'NotFound');
    expect(response.json()).toMatchObject({
      detail: expect.stringMatching(
        /^`a` is an array of 3 tasks: name one, e\.g\. `a_3`\..*\/actions/,
      ) as unknown,
    });
  });

  it('does not know a job or a campaign that is not there', async () => {
    const api = await withCampaign();
    const elsewhere = [url.replace('/jobs/a/', '/jobs/b/'), url.replace(id, 'z'.repeat(26))];
    for (const unknown of elsewhere)
      expectProblem(await api.request('POST', unknown, { body: { kind: 'hold' } }), 404, 'NotFound');
  });
});

describe('POST …/campaigns/{campaignId}/actions', () => {
  const manyUrl = `${clusterUrl()}/campaigns/${id}/actions`;
  const request = { jobKeys: ['a'], action: { kind: 'hold' } };

  it('answers what became of it at each job', async () => {
    const api = await withCampaign();
    const refused = { status: 'refused', message: 'Job is in the way' };
    Object.assign(api.campaigns, { controlOutcome: refused });
    const response = await api.request('POST', manyUrl, { body: request });
    expect([response.statusCode, response.json()]).toEqual([
      200,
      { outcomes: [{ jobKey: 'a', ...refused }] },
    ]);
    expect(api.campaigns.controls).toEqual([request]);
  });

  it('answers 409 when the campaign has ended', async () => {
    const api = await withCampaign();
    Object.assign(api.campaigns.at(tenant, id), { open: false });
    expectProblem(await api.request('POST', manyUrl, { body: request }), 409, 'JobActionRefused');
  });

  it.each([{ jobKeys: [] }, { jobKeys: ['a'] }, { ...request, requestedBy: 'me' }])(
    'answers 400 to %j and does nothing',
    async (body) => {
      const api = await withCampaign();
      expectProblem(await api.request('POST', manyUrl, { body }), 400, 'InvalidRequest');
      expect(api.campaigns.controls).toEqual([]);
    },
  );
});
