import { describe, expect, it } from 'vitest';
import { campaignIdFor } from '../../src/api/campaign-id.ts';
import { clusterWorkflowId } from '../../src/domain/ids.ts';
import type { JobState } from '../../src/domain/slurm-states.ts';
import { clusterUrl, clusterView, tenant } from './fakes.ts';
import { expectProblem, type Harness, harness } from './support.ts';

const KEY = 'campaign';
const id = campaignIdFor(tenant, KEY);
const campaignsUrl = `${clusterUrl()}/campaigns`;
const url = `${campaignsUrl}/${id}/retries`;
const command = ['/bin/true'];
const headers = { 'idempotency-key': 'again' };

/** A campaign whose jobs stand like this. */
async function withCampaign(states: Readonly<Record<string, JobState>>): Promise<Harness> {
  const api = harness();
  api.clusters.views.set(clusterWorkflowId(tenant), clusterView());
  const jobs = Object.keys(states).map((key) => ({ key, command }));
  const body = { jobs };
  await api.request('POST', campaignsUrl, { body, headers: { 'idempotency-key': KEY } });
  setStates(api, states);
  return api;
}

function setStates(api: Harness, states: Readonly<Record<string, JobState>>): void {
  const campaign = api.campaigns.at(tenant, id);
  campaign.jobs = campaign.jobs.map((job) => ({ ...job, state: states[job.key] ?? job.state }));
}

const keysOf = (api: Harness, key: string) =>
  api.campaigns.at(tenant, campaignIdFor(tenant, key)).jobs.map((job) => job.key);

describe('POST …/campaigns/{campaignId}/retries', () => {
  it('makes a campaign of the jobs that did not succeed', async () => {
    const api = await withCampaign({ a: 'failed', b: 'succeeded', c: 'timed-out' });
    const response = await api.request('POST', url, { headers });
    const campaignId = campaignIdFor(tenant, 'again');
    expect(response.statusCode).toBe(202);
    expect(response.headers.location).toBe(`${campaignsUrl}/${campaignId}`);
    expect(response.json()).toMatchObject({ campaignId, jobCount: 2 });
    expect(keysOf(api, 'again')).toEqual(['a', 'c']);
  });

  it('answers the same campaign again, whatever has failed since', async () => {
    const api = await withCampaign({ a: 'failed', b: 'running' });
    const first = await api.request('POST', url, { headers });
    setStates(api, { b: 'failed' });
    const again = await api.request('POST', url, { headers });
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect(again.json()).toMatchObject({ sha256: first.json<{ sha256: string }>().sha256, jobCount: 1 });
    expect(api.clusters.submitted).toHaveLength(2);
    const other = await api.request('POST', url, { headers, body: { jobKeys: ['b'] } });
    expectProblem(other, 422, 'CampaignConflict');
  });

  it('is not taken for a campaign of the same key, nor that for it', async () => {
    const api = await withCampaign({ a: 'failed' });
    const same = await api.request('POST', url, { headers: { 'idempotency-key': KEY } });
    expectProblem(same, 422, 'CampaignConflict');
    await api.request('POST', url, { headers });
    const body = { jobs: [{ key: 'a', command }] };
    expectProblem(await api.request('POST', campaignsUrl, { body, headers }), 422, 'CampaignConflict');
  });

  it('can be of some jobs, and of a retry', async () => {
    const api = await withCampaign({ a: 'failed', b: 'failed' });
    await api.request('POST', url, { headers, body: { jobKeys: ['b'] } });
    expect(keysOf(api, 'again')).toEqual(['b']);
    const retryId = campaignIdFor(tenant, 'again');
    const retry = api.campaigns.at(tenant, retryId);
    retry.jobs = retry.jobs.map((job) => ({ ...job, state: 'failed' }));
    const second = await api.request('POST', `${campaignsUrl}/${retryId}/retries`, {
      headers: { 'idempotency-key': 'third' },
    });
    expect(second.json()).toMatchObject({ jobCount: 1 });
  });

  it('is refused where nothing has failed, and where the named job has not', async () => {
    const api = await withCampaign({ a: 'succeeded', b: 'running' });
    expectProblem(await api.request('POST', url, { headers }), 409, 'RetryRefused');
    const named = await api.request('POST', url, { headers, body: { jobKeys: ['b'] } });
    expectProblem(named, 409, 'RetryRefused');
    expect(named.json()).toMatchObject({ detail: '`b` is running.' });
    expectProblem(
      await api.request('POST', url, { headers, body: { jobKeys: ['nobody'] } }),
      404,
      'NotFound',
    );
    expect(api.clusters.submitted).toHaveLength(1);
  });
});

describe('a campaign that depends on another', () => {
  const submit = async (api: Harness, campaignId: string) =>
    api.request('POST', campaignsUrl, {
      body: { jobs: [{ key: 'a', command }], dependsOn: [{ campaignId }] },
      headers,
    });

  it('is accepted with what it depends on', async () => {
    const api = await withCampaign({ a: 'running' });
    expect((await submit(api, id)).statusCode).toBe(202);
    const [, request] = api.clusters.submitted;
    expect(JSON.parse(api.store.contents.get(request?.content.key ?? '') ?? '')).toMatchObject({
      dependsOn: [{ campaignId: id, condition: 'afterok' }],
    });
    expect((await submit(api, id)).headers['idempotent-replayed']).toBe('true');
  });

  it('is refused, naming the place, where there is no such one', async () => {
    const api = await withCampaign({ a: 'running' });
    const response = await submit(api, 'z'.repeat(26));
    expectProblem(response, 400, 'InvalidRequest');
    expect(response.json()).toMatchObject({ errors: [{ path: 'dependsOn.0.campaignId' }] });
    expect(api.clusters.submitted).toHaveLength(1);
  });
});
