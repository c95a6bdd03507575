import { describe, expect, it } from 'vitest';
import { campaignIdFor } from '../../src/api/campaign-id.ts';
import { campaignWorkflowId, clusterWorkflowId } from '../../src/domain/ids.ts';
import { failureOf, KnownFailure } from '../../src/domain/failures.ts';
import { clusterUrl, clusterView, jobView, NOW, other, tenant } from './fakes.ts';
import { type Harness, harness, expectProblem } from './support.ts';

const KEY = 'campaign-2026-01-15';
const id = campaignIdFor(tenant, KEY);
const url = `${clusterUrl()}/campaigns`;
const jobs = [
  { key: 'sim-1', command: ['/bin/true'] },
  { key: 'sim-2', command: ['/bin/false'] },
];

function submit(api: Harness, body: unknown = { jobs }, key: string = KEY) {
  return api.request('POST', url, { body, headers: { 'idempotency-key': key } });
}

function withCluster(): Harness {
  const api = harness();
  api.clusters.views.set(clusterWorkflowId(tenant), clusterView());
  return api;
}

describe('GET campaign', () => {
  it('shows the campaign and its jobs, page by page', async () => {
    const api = withCluster();
    await submit(api);
    const first = await api.request('GET', `${url}/${id}?pageSize=1`);
    const next = String(first.json().nextPageToken);
    const second = await api.request('GET', `${url}/${id}?pageSize=1&pageToken=${next}`);

    expect(first.statusCode).toBe(200);
    expect(first.json()).toMatchObject({
      ...tenant,
      campaignId: id,
      state: 'waiting-for-cluster',
      jobCount: 2,
      jobsByState: { waiting: 2 },
      jobs: [{ key: 'sim-1', state: 'waiting' }],
    });
    expect(second.json()).toMatchObject({ jobs: [{ key: 'sim-2' }] });
    expect(second.json()).not.toHaveProperty('nextPageToken');
    expect(first.body).not.toContain('control');
  });

  it('shows everything but the jobs when no worker answers, and says so', async () => {
    const api = withCluster();
    await submit(api);
    api.outage.worker = new KnownFailure('WorkerUnavailable', 'No worker answered in time.');
    const response = await api.request('GET', `${url}/${id}`);

    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({
      state: 'waiting-for-cluster',
      jobs: [],
      jobsUnavailable: { type: 'WorkerUnavailable', message: 'No worker answered in time.' },
    });
  });

  it('reads an ended campaign from its manifest, with and without Temporal', async () => {
    const api = withCluster();
    await submit(api);
    const campaign = api.campaigns.at(tenant, id);
    Object.assign(campaign, {
      open: false,
      view: { ...campaign.view, state: 'failed', endedAt: campaign.view.since },
    });
    api.store.manifests.set(campaignWorkflowId(tenant, id), {
      version: 1,
      campaignId: id,
      jobs: [
        jobView({ key: 'sim-1', state: 'succeeded', exitCode: 0, logsComplete: true }),
        jobView({ key: 'sim-2', state: 'failed', exitCode: 3, logsComplete: true }),
      ],
    });
    api.outage.worker = new KnownFailure('WorkerUnavailable', 'away');
    const remembered = await api.request('GET', `${url}/${id}`);
    api.campaigns.forget(tenant, id);
    const forgotten = await api.request('GET', `${url}/${id}?pageSize=1`);

    expect(remembered.json()).toMatchObject({
      state: 'failed',
      endedAt: expect.any(String),
      jobs: [{}, { exitCode: 3 }],
    });
    expect(forgotten.json()).toMatchObject({
      ...tenant,
      campaignId: id,
      state: 'failed',
      jobCount: 2,
      jobsByState: { succeeded: 1, failed: 1 },
      jobs: [{ key: 'sim-1', exitCode: 0 }],
      nextPageToken: expect.any(String),
    });
  });

  it('reads only those parts of a large manifest that hold the page', async () => {
    const api = withCluster();
    const parts = ['p0', 'p1', 'p2'].map((key) => ({
      key,
      sha256: 'x',
      jobCount: 2,
      jobsByState: { succeeded: 2 },
    }));
    for (const { key } of parts) {
      api.store.parts.set(
        key,
        ['a', 'b'].map((name) => jobView({ key: `${key}-${name}`, state: 'succeeded' })),
      );
    }
    api.store.manifests.set(campaignWorkflowId(tenant, id), {
      version: 2,
      campaignId: id,
      state: 'succeeded',
      contentSha256: 'another',
      parts,
    });
    const first = await api.request('GET', `${url}/${id}?pageSize=3`);
    const second = await api.request(
      'GET',
      `${url}/${id}?pageSize=3&pageToken=${String(first.json().nextPageToken)}`,
    );

    expect(first.json()).toMatchObject({
      state: 'succeeded',
      jobCount: 6,
      jobsByState: { succeeded: 6 },
      jobs: [{ key: 'p0-a' }, { key: 'p0-b' }, { key: 'p1-a' }],
    });
    expect(second.json()).toMatchObject({ jobs: [{ key: 'p1-b' }, { key: 'p2-a' }, { key: 'p2-b' }] });
    expect(second.json()).not.toHaveProperty('nextPageToken');
    expect(api.store.partsRead).toEqual(['p0', 'p1', 'p1', 'p2']);
    expect((await api.request('GET', `${url}/${id}/jobs/p2-b`)).json()).toMatchObject({ key: 'p2-b' });
    expectProblem(await submit(api), 422, 'CampaignConflict');
  });

  it('says since when and why the cluster cannot look into Slurm, while the campaign runs', async () => {
    const blindBecause = failureOf('HostKeyMismatch', 'shows another key');
    const api = withCluster();
    await submit(api);
    const seeing = await api.request('GET', `${url}/${id}`);
    api.clusters.views.set(
      clusterWorkflowId(tenant),
      clusterView({ state: 'ready', blindSince: NOW, blindBecause }),
    );
    const blind = await api.request('GET', `${url}/${id}`);
    api.campaigns.at(tenant, id).open = false;
    const ended = await api.request('GET', `${url}/${id}`);

    expect(seeing.json()).not.toHaveProperty('blindSince');
    expect(blind.json()).toMatchObject({ blindSince: NOW, blindBecause });
    expect(ended.json()).not.toHaveProperty('blindSince');
  });

  it('is 404 for a campaign that nobody sent, and for another tenant’s', async () => {
    const api = withCluster();
    await submit(api);

    expectProblem(await api.request('GET', `${url}/${campaignIdFor(tenant, 'other')}`), 404, 'NotFound');
    expectProblem(await api.request('GET', `${clusterUrl(other)}/campaigns/${id}`), 404, 'NotFound');
  });

  it.each(['bm9wZQ', 'b2Zmc2V0Oi0x', '%00'])('refuses the page token %s', async (token) => {
    const api = withCluster();
    await submit(api);
    const response = await api.request('GET', `${url}/${id}?pageToken=${token}`);

    expect(expectProblem(response, 400, 'InvalidRequest').errors).toMatchObject([
      { in: 'query', path: 'pageToken' },
    ]);
  });
});

describe('GET job', () => {
  it('shows one job', async () => {
    const api = withCluster();
    await submit(api);
    const response = await api.request('GET', `${url}/${id}/jobs/sim-2`);

    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual(jobView({ key: 'sim-2' }));
  });

  it('is 404 for a job that the campaign does not have, and for another tenant’s', async () => {
    const api = withCluster();
    await submit(api);

    expect(
      expectProblem(await api.request('GET', `${url}/${id}/jobs/sim-9`), 404, 'NotFound').detail,
    ).toContain('sim-9');
    expectProblem(
      await api.request('GET', `${clusterUrl(other)}/campaigns/${id}/jobs/sim-1`),
      404,
      'NotFound',
    );
  });

  it('answers 503 when no worker answers', async () => {
    const api = withCluster();
    await submit(api);
    api.outage.worker = new KnownFailure('WorkerUnavailable', 'away');

    expectProblem(await api.request('GET', `${url}/${id}/jobs/sim-1`), 503, 'WorkerUnavailable');
  });
});
