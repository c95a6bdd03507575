import { describe, expect, it } from 'vitest';
import { campaignIdFor } from '../../src/api/campaign-id.ts';
import { campaignWorkflowId, clusterWorkflowId } from '../../src/domain/ids.ts';
import { KnownFailure } from '../../src/domain/failures.ts';
import { clusterUrl, clusterView, jobView, other, tenant } from './fakes.ts';
import { type Harness, harness, expectProblem } from './support.ts';

const KEY = 'campaign';
const id = campaignIdFor(tenant, KEY);
const url = `${clusterUrl()}/campaigns/${id}`;

async function withCampaign(): Promise<Harness> {
  const api = harness();
  api.clusters.views.set(clusterWorkflowId(tenant), clusterView());
  const jobs = ['a', 'b'].map((key) => ({ key, command: ['/bin/true'] }));
  await api.request('POST', `${clusterUrl()}/campaigns`, {
    body: { jobs },
    headers: { 'idempotency-key': KEY },
  });
  return api;
}

/** The campaign has ended; its workflow is still known. */
function end(api: Harness): void {
  const campaign = api.campaigns.at(tenant, id);
  const jobs = campaign.jobs.map(({ key }) =>
    jobView({ key, state: 'succeeded', exitCode: 0, logsComplete: true }),
  );
  Object.assign(campaign, { open: false, jobs, view: { ...campaign.view, state: 'succeeded' } });
  api.store.manifests.set(campaignWorkflowId(tenant, id), { version: 1, campaignId: id, jobs });
}

describe('DELETE campaign', () => {
  it('answers 202 with what is left and where to follow it', async () => {
    const api = await withCampaign();
    const response = await api.request('DELETE', url);

    expect(response.statusCode).toBe(202);
    expect(response.headers.location).toBe(url);
    expect(response.json()).toMatchObject({ ...tenant, campaignId: id, jobsByState: { cancelled: 2 } });
    expect(response.body).not.toContain('control');
    expect(api.campaigns.cancellations).toEqual([{ reason: 'Asked for through the API.' }]);
  });

  it('passes on the reason', async () => {
    const api = await withCampaign();
    await api.request('DELETE', url, { body: { reason: 'Wrong morphology.' } });

    expect(api.campaigns.cancellations).toEqual([{ reason: 'Wrong morphology.' }]);
  });

  it('can be repeated', async () => {
    const api = await withCampaign();
    const first = await api.request('DELETE', url);
    const second = await api.request('DELETE', url);

    expect([second.statusCode, second.json()]).toEqual([202, first.json()]);
  });

  it.each(['remembered', 'forgotten'])('answers 200 with how it ended when it has (%s)', async (how) => {
    const api = await withCampaign();
    end(api);
    api.outage.worker = new KnownFailure('WorkerUnavailable', 'away');
    if (how === 'forgotten') api.campaigns.forget(tenant, id);
    const response = await api.request('DELETE', url);

    expect([response.statusCode, response.json()]).toMatchObject([
      200,
      { campaignId: id, state: 'succeeded' },
    ]);
    expect(api.campaigns.cancellations).toEqual([]);
  });

  it('is 200 for one that ends in the same moment', async () => {
    const api = await withCampaign();
    api.campaigns.cancel = async () => {
      end(api);
      return undefined;
    };
    const response = await api.request('DELETE', url);

    expect([response.statusCode, response.json().state]).toEqual([200, 'succeeded']);
  });

  it('is 404 for a campaign that nobody sent, and for another tenant’s', async () => {
    const api = await withCampaign();

    expectProblem(await api.request('DELETE', url.replace(id, campaignIdFor(tenant, 'x'))), 404, 'NotFound');
    expectProblem(await api.request('DELETE', url.replace(clusterUrl(), clusterUrl(other))), 404, 'NotFound');
    expect(api.campaigns.cancellations).toEqual([]);
  });

  it.each([
    [{ reason: '' }, 'reason'],
    [{ reason: 'two\nlines' }, 'reason'],
    [{ reason: 7 }, 'reason'],
    [{ why: 'x' }, 'why'],
    [[], ''],
    ['"now"', ''],
    ['null', ''],
  ])('refuses the body %j, naming the field', async (body, path) => {
    const api = await withCampaign();
    const { errors } = expectProblem(await api.request('DELETE', url, { body }), 400, 'InvalidRequest');

    expect(errors).toMatchObject([{ in: 'body', path }]);
    expect(api.campaigns.cancellations).toEqual([]);
  });

  it('answers 503 when no worker takes it', async () => {
    const api = await withCampaign();
    api.outage.worker = new KnownFailure('WorkerUnavailable', 'away');

    expectProblem(await api.request('DELETE', url), 503, 'WorkerUnavailable');
  });
});

describe('DELETE job', () => {
  it('cancels that job and answers what it is then', async () => {
    const api = await withCampaign();
    const response = await api.request('DELETE', `${url}/jobs/b`, { body: { reason: 'Too slow.' } });

    expect(response.statusCode).toBe(202);
    expect(response.headers.location).toBe(`${url}/jobs/b`);
    expect(response.json()).toMatchObject({ key: 'b', state: 'cancelled', reason: 'Too slow.' });
    expect(api.campaigns.cancellations).toEqual([{ jobKeys: ['b'], reason: 'Too slow.' }]);
    expect((await api.request('GET', `${url}/jobs/a`)).json()).toMatchObject({ state: 'waiting' });
  });

  it('answers 200 with what it is when it has ended', async () => {
    const api = await withCampaign();
    const first = await api.request('DELETE', `${url}/jobs/b`);
    const second = await api.request('DELETE', `${url}/jobs/b`);
    end(api);
    const ended = await api.request('DELETE', `${url}/jobs/a`);

    expect([first.statusCode, second.statusCode, second.json()]).toEqual([202, 200, first.json()]);
    expect([ended.statusCode, ended.json()]).toMatchObject([200, { key: 'a', state: 'succeeded' }]);
    expect(api.campaigns.cancellations).toHaveLength(1);
  });

  it('is 404 for a job that the campaign does not have', async () => {
    const api = await withCampaign();

    expectProblem(await api.request('DELETE', `${url}/jobs/c`), 404, 'NotFound');
  });
});
