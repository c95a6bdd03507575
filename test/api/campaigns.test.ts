import { afterEach, describe, expect, it, vi } from 'vitest';
import { campaignIdFor } from '../../src/api/campaign-id.ts';
import { campaignWorkflowId, clusterWorkflowId } from '../../src/domain/ids.ts';
import { KnownFailure } from '../../src/domain/failures.ts';
import { clusterUrl, clusterView, jobView, tenant } from './fakes.ts';
import { type Harness, harness, expectProblem } from './support.ts';

const KEY = 'campaign-2026-01-15';
const id = campaignIdFor(tenant, KEY);
const url = `${clusterUrl()}/campaigns`;
const jobs = [
  { key: 'sim-1', command: ['/bin/true'] },
  { key: 'sim-2', script: '#!/bin/sh\nexit 0\n', queue: 'debug', environment: { PASSWORD: 'hunter2' } },
];

function submit(api: Harness, body: unknown = { jobs }, key: string = KEY) {
  return api.request('POST', url, { body, headers: { 'idempotency-key': key } });
}

function withCluster(): Harness {
  const api = harness();
  api.clusters.views.set(clusterWorkflowId(tenant), clusterView());
  return api;
}

describe('POST campaigns', () => {
  it('tells the cluster what its jobs ask of the queues, which may never allow it', async () => {
    const api = harness();
    api.clusters.views.set(clusterWorkflowId(tenant), clusterView());
    const job = { command: ['/bin/true'], timeLimitSeconds: 60 };
    const body = {
      jobs: [
        { ...job, key: 'a' },
        { ...job, key: 'b', queue: 'big', nodes: 3, tasks: 3 },
      ],
    };
    await api.request('POST', `${clusterUrl()}/campaigns`, { body, headers: { 'idempotency-key': 'k' } });
    expect(api.clusters.submitted[0]?.demands).toEqual([
      { index: 0, jobKey: 'a', field: 'timeLimitSeconds', value: 60 },
      { index: 1, jobKey: 'b', queue: 'big', field: 'nodes', value: 3 },
      { index: 1, jobKey: 'b', queue: 'big', field: 'timeLimitSeconds', value: 60 },
    ]);
  });

  it('answers 202 with a receipt, where to follow it, and what the cluster does', async () => {
    const api = withCluster();
    const response = await submit(api);

    expect(response.statusCode).toBe(202);
    expect(response.headers.location).toBe(`${url}/${id}`);
    expect(response.headers['idempotent-replayed']).toBeUndefined();
    expect(response.json()).toEqual({
      ...tenant,
      campaignId: id,
      jobCount: 2,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      cluster: { state: 'provisioning', since: expect.any(String), message: 'Creating the stack.' },
    });
  });

  it('stores the content first and gives the workflow only its reference', async () => {
    const api = withCluster();
    await submit(api);
    const [request] = api.clusters.submitted;

    expect(request).toMatchObject({ campaignId: id, jobCount: 2, queues: ['debug'] });
    expect(JSON.stringify(request)).not.toContain('hunter2');
    expect(api.store.contents.get(request?.content.key ?? '')).toContain('hunter2');
  });

  it('makes a cluster when it is told which', async () => {
    const api = harness();
    const response = await submit(api, { jobs, cluster: { tier: 'debug' } });

    expect(response.statusCode).toBe(202);
    expect(api.clusters.submitted[0]?.spec).toMatchObject({ tier: 'debug', queues: [{ name: 'debug' }] });
  });

  it('refuses a cluster that trusts Keycloak where nobody has said where its keys are, and stores nothing', async () => {
    const api = harness();
    const cluster = { tier: 'debug', slurmApi: { trust: 'epoch-key-and-keycloak' } };
    const problem = expectProblem(await submit(api, { jobs, cluster }), 400, 'InvalidRequest');

    expect(problem.errors).toEqual([
      { in: 'body', path: 'cluster.slurmApi.trust', reason: expect.stringContaining('KEYCLOAK_JWKS_URL') },
    ]);
    expect(api.store.contents.size).toBe(0);
    const knowing = harness();
    knowing.installation.hasKeycloak = true;
    expect((await submit(knowing, { jobs, cluster })).statusCode).toBe(202);
  });

  it('answers 422 without a cluster, and 202 when the same key brings one', async () => {
    const api = harness();
    expectProblem(await submit(api), 422, 'NoCluster');
    const response = await submit(api, { jobs, cluster: { tier: 'debug' } });

    expect(response.statusCode).toBe(202);
  });

  it('answers a repetition with the same receipt, submitting nothing and needing no worker', async () => {
    const api = withCluster();
    const first = await submit(api);
    api.outage.worker = new KnownFailure('WorkerUnavailable', 'away');
    const second = await submit(api);

    expect(second.statusCode).toBe(202);
    expect(second.json()).toEqual(first.json());
    expect(second.headers.location).toBe(first.headers.location);
    expect(second.headers['idempotent-replayed']).toBe('true');
    expect(api.clusters.submitted).toHaveLength(1);
  });

  it('takes defaults written out and left out for the same campaign', async () => {
    const api = withCluster();
    await submit(api, { jobs: [{ key: 'a', command: ['/bin/true'] }] });
    const again = { key: 'a', nodes: 1, tasks: 1, environment: {}, command: ['/bin/true'] };
    const response = await submit(api, { jobs: [again] });

    expect(response.headers['idempotent-replayed']).toBe('true');
  });

  it('answers 422 when the key stands for other jobs', async () => {
    const api = withCluster();
    await submit(api);
    const response = await submit(api, { jobs: [jobs[0]] });

    expect(expectProblem(response, 422, 'CampaignConflict')).toMatchObject({ campaignId: id });
    expect(api.clusters.submitted).toHaveLength(1);
  });

  it('remembers the key beyond Temporal’s retention', async () => {
    const api = withCluster();
    await submit(api);
    api.campaigns.forget(tenant, id);
    api.store.manifests.set(campaignWorkflowId(tenant, id), {
      version: 1,
      campaignId: id,
      jobs: [jobView({ key: 'sim-1' }), jobView({ key: 'sim-2' })],
    });

    expect((await submit(api)).headers['idempotent-replayed']).toBe('true');
    expectProblem(await submit(api, { jobs: [jobs[0]] }), 422, 'CampaignConflict');
    expect(api.clusters.submitted).toHaveLength(1);
  });

  it('takes ten thousand jobs, and tells them from ten thousand others', async () => {
    const api = withCluster();
    const many = (last: string) => ({
      jobs: Array.from({ length: 10_000 }, (_, index) => ({
        key: `sim-${index}`,
        script: `#!/bin/bash\n# ${'x'.repeat(250)}\nsrun neuron ${index}\n`,
        environment: { CURRENT_NA: index === 9_999 ? last : String(index / 1000) },
        ...(index > 0 && { dependsOn: [`sim-${index - 1}`] }),
      })),
    });
    const first = await submit(api, many('1'));
    const again = await submit(api, many('1'));
    const other = await submit(api, many('2'));

    expect([first.statusCode, first.json().jobCount]).toEqual([202, 10_000]);
    expect([again.statusCode, again.json()]).toEqual([202, first.json()]);
    expectProblem(other, 422, 'CampaignConflict');
    expect(api.clusters.submitted).toMatchObject([{ jobCount: 10_000 }]);
    expectProblem(
      await submit(api, { jobs: [...many('1').jobs, ...jobs] }, 'one-more'),
      400,
      'InvalidRequest',
    );
  });

  describe('whose jobs have deadlines', () => {
    afterEach(() => vi.useRealTimers());
    const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();
    const withDeadline = (deadline: string) => ({
      jobs: [
        { key: 'free', command: ['true'] },
        { key: 'a', command: ['true'], timeLimitSeconds: 600, deadline },
      ],
    });

    it.each([
      [-1, 'must be a moment in the future'],
      [590, 'is sooner than the job’s timeLimitSeconds of 600 allow'],
    ])('is refused where one cannot be met (in %i s), naming the job', async (seconds, reason) => {
      const api = withCluster();
      const { errors } = expectProblem(
        await submit(api, withDeadline(inSeconds(seconds))),
        400,
        'InvalidRequest',
      );
      expect(errors).toEqual([{ in: 'body', path: 'jobs.1.deadline', reason }]);
      expect(api.clusters.submitted).toEqual([]);
    });

    it('is accepted where they can be met, and known again when they have passed', async () => {
      vi.useFakeTimers({ toFake: ['Date'] });
      const api = withCluster();
      const campaign = withDeadline(inSeconds(610));
      const first = await submit(api, campaign);
      vi.setSystemTime(Date.now() + 3_600_000);
      const again = await submit(api, campaign);
      expect([first.statusCode, again.statusCode]).toEqual([202, 202]);
      expect(again.json()).toEqual(first.json());
    });
  });

  it.each([
    [undefined, 'is required'],
    ['', 'must be 1 to 255'],
    ['two words', 'must be 1 to 255'],
    ['k'.repeat(256), 'must be 1 to 255'],
    ['schlüssel', 'must be 1 to 255'],
  ])('refuses the Idempotency-Key %j, naming it', async (key, reason) => {
    const api = withCluster();
    const response = await api.request('POST', url, {
      body: { jobs },
      ...(key !== undefined && { headers: { 'idempotency-key': key } }),
    });

    expect(expectProblem(response, 400, 'InvalidRequest').errors).toEqual([
      { in: 'header', path: 'Idempotency-Key', reason: expect.stringContaining(reason) },
    ]);
  });

  it.each(['QueueNotInCluster', 'ClusterSpecConflict', 'ClusterDeleting', 'CampaignConflict'] as const)(
    'passes on that the cluster says %s',
    async (type) => {
      const api = withCluster();
      api.outage.worker = new KnownFailure(type, 'In its own words.', { nextStep: 'Do this.' });
      const status = {
        QueueNotInCluster: 422,
        ClusterSpecConflict: 409,
        ClusterDeleting: 409,
        CampaignConflict: 422,
      };

      expect(expectProblem(await submit(api), status[type], type)).toMatchObject({
        detail: 'In its own words.',
        nextStep: 'Do this.',
      });
    },
  );

  it('answers 503 when no worker accepts it, and accepts it the next time', async () => {
    const api = withCluster();
    api.outage.worker = new KnownFailure('WorkerUnavailable', 'away');
    const refused = await submit(api);
    api.outage.worker = undefined;

    expectProblem(refused, 503, 'WorkerUnavailable');
    expect(refused.headers['retry-after']).toBeDefined();
    expect((await submit(api)).statusCode).toBe(202);
  });

  it('answers 503 when the control bucket cannot be reached, saying nothing of the inside', async () => {
    const api = withCluster();
    api.store.failure = Object.assign(new Error('connect ECONNREFUSED 10.1.2.3:443'), {
      code: 'ECONNREFUSED',
    });
    const response = await submit(api);

    expect(expectProblem(response, 503, 'AwsUnavailable').detail).toBe(
      'The control bucket could not be reached.',
    );
    expect(response.body).not.toContain('10.1.2.3');
  });
});
