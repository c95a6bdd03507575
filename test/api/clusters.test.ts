import { describe, expect, it } from 'vitest';
import { clusterSpecInputSchema, resolveClusterSpec } from '../../src/domain/cluster-spec-input.ts';
import { clusterStates } from '../../src/domain/cluster-view.ts';
import { failures, KnownFailure } from '../../src/domain/failures.ts';
import { clusterWorkflowId } from '../../src/domain/ids.ts';
import { clusterUrl, clusterView, NOW, other, tenant } from './fakes.ts';
import { harness, expectProblem } from './support.ts';

const body = { tier: 'debug', idleTimeoutSeconds: 600 } as const;

describe('PUT cluster', () => {
  it('answers 202 with the view and where to find it', async () => {
    const api = harness();
    const response = await api.request('PUT', clusterUrl(), { body });

    expect(response.statusCode).toBe(202);
    expect(response.headers.location).toBe(clusterUrl());
    expect(response.json()).toEqual({
      ...clusterView(),
      spec: resolveClusterSpec(clusterSpecInputSchema.parse(body)),
      estimate: {
        region: 'us-east-1',
        pricesAsOf: '2026-07-20',
        idleUsdPerHour: 0.182,
        fullUsdPerHour: 0.265,
        storageUsdPerMonth: 0,
      },
    });
  });

  it('answers a dry run with what stands against the cluster and what it would be, and makes none', async () => {
    const api = harness();
    const check = {
      name: 'names',
      outcome: 'failed',
      cause: 'stack x',
      nextStep: 'Look at it',
    } as const;
    api.clusters.preflightReport = { checks: [check] };
    const response = await api.request('PUT', `${clusterUrl()}?dryRun=true`, { body });
    const spec = resolveClusterSpec(clusterSpecInputSchema.parse(body));

    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({ outcome: 'failed', preflight: { checks: [check] }, spec });
    expect(api.clusters.judged).toEqual([spec]);
    expect(api.clusters.views.size).toBe(0);
    expectProblem(await api.request('PUT', `${clusterUrl()}?dryRun=maybe`, { body }), 400, 'InvalidRequest');
  });

  it.each([
    ['slurmApi.trust', { ...body, slurmApi: { trust: 'everybody' } }],
    ['slurmApi.jobsOver', { ...body, slurmApi: { jobsOver: 'pigeon' } }],
    ['slurmApi.token', { ...body, slurmApi: { token: 'x' } }],
    ['slurmApi.trust', { ...body, slurmApi: { trust: 'epoch-key-and-keycloak' } }],
  ])('refuses %s of %j, where nobody has said where Keycloak’s keys are', async (path, sent) => {
    const api = harness();
    const problem = expectProblem(
      await api.request('PUT', clusterUrl(), { body: sent }),
      400,
      'InvalidRequest',
    );
    expect(problem.errors).toEqual([{ in: 'body', path, reason: expect.any(String) }]);
    expect(api.clusters.views.size).toBe(0);
  });

  it('takes a cluster that trusts Keycloak where it is known whose keys these are', async () => {
    const api = harness();
    api.installation.hasKeycloak = true;
    const slurmApi = { trust: 'epoch-key-and-keycloak' };
    const response = await api.request('PUT', clusterUrl(), { body: { ...body, slurmApi } });
    expect(response.statusCode).toBe(202);
    expect(response.json()).toMatchObject({ spec: { slurmApi: { ...slurmApi, jobsOver: 'ssh' } } });
  });

  it('answers 200 when the same cluster exists', async () => {
    const api = harness();
    await api.request('PUT', clusterUrl(), { body });
    const response = await api.request('PUT', clusterUrl(), { body });

    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({ state: 'provisioning' });
  });

  it('names every difference when another one exists', async () => {
    const api = harness();
    await api.request('PUT', clusterUrl(), { body });
    const response = await api.request('PUT', clusterUrl(), { body: { ...body, idleTimeoutSeconds: 900 } });

    expect(expectProblem(response, 409, 'ClusterSpecConflict')).toMatchObject({
      detail: 'Other queues.',
      nextStep: failures.ClusterSpecConflict.nextStep,
      differences: [{ path: 'idleTimeoutSeconds', existing: 600, requested: 900 }],
    });
  });

  it('gives each project its own cluster', async () => {
    const api = harness();
    await api.request('PUT', clusterUrl(), { body });
    const response = await api.request('PUT', clusterUrl(other), { body: { tier: 'prod-batch' } });

    expect(response.statusCode).toBe(202);
    expect(api.clusters.views.size).toBe(2);
  });

  it('answers 503 with Retry-After when no worker accepts it', async () => {
    const api = harness();
    api.outage.worker = new KnownFailure('WorkerUnavailable', 'No worker answered in time.');
    const response = await api.request('PUT', clusterUrl(), { body });

    expectProblem(response, 503, 'WorkerUnavailable');
    expect(Number(response.headers['retry-after'])).toBeGreaterThan(0);
  });

  it('takes explicit queues and names what is wrong in them', async () => {
    const api = harness();
    const queue = { name: 'cpu', computeResources: [{ name: 'c', instanceType: 'c7a.xlarge', maxCount: 2 }] };
    const accepted = await api.request('PUT', clusterUrl(), { body: { queues: [queue] } });
    const refused = await api.request('PUT', clusterUrl(), {
      body: {
        queues: [{ ...queue, computeResources: [{ name: 'c', instanceType: 'big', maxCount: 0 }] }, queue],
      },
    });

    expect(accepted.statusCode).toBe(202);
    expect(expectProblem(refused, 400, 'InvalidRequest').errors).toEqual([
      {
        in: 'body',
        path: 'queues.0.computeResources.0.instanceType',
        reason: 'must be an EC2 instance type such as c7a.48xlarge',
      },
      { in: 'body', path: 'queues.0.computeResources.0.maxCount', reason: expect.stringContaining('>=1') },
      { in: 'body', path: 'queues.1.name', reason: '`cpu` is used twice' },
    ]);
  });

  it('takes scripts from the bucket of the operators, and from no other', async () => {
    const api = harness();
    const own = { nodes: 'all-nodes', script: 's3://operators-scripts/a.sh' };
    const foreign = { ...own, script: 's3://operators-scripts.example/a.sh' };
    const accepted = await api.request('PUT', clusterUrl(), { body: { ...body, customActions: [own] } });
    const refused = await api.request('PUT', clusterUrl(other), {
      body: { ...body, customActions: [own, foreign] },
    });

    expect(accepted.json()).toMatchObject({ spec: { customActions: [own] } });
    expect(expectProblem(refused, 400, 'InvalidRequest').errors).toEqual([
      { in: 'body', path: 'customActions.1.script', reason: 'must lie in the bucket operators-scripts' },
    ]);
  });

  it('mounts existing file systems that the installation allows, and no others', async () => {
    const api = harness();
    const mount = { id: 'fs-0aaaaaaaaaaaaaaaa', mountDirectory: '/shared' };
    const foreign = { id: 'fsvol-0cccccccccccccccc', mountDirectory: '/opt/models' };
    const put = async (fileSystems: object[]) =>
      api.request('PUT', clusterUrl(), { body: { ...body, fileSystems } });
    const without = await put([mount]);
    api.installation.attachableFileSystems = { [mount.id]: 'Efs' };
    const refused = await put([mount, foreign]);
    const accepted = await put([mount]);

    expect(expectProblem(without, 400, 'InvalidRequest').errors).toMatchObject([
      { path: 'fileSystems.0.id', reason: expect.stringContaining('no ATTACHABLE_FILE_SYSTEMS') },
    ]);
    expect(expectProblem(refused, 400, 'InvalidRequest').errors).toMatchObject([
      { path: 'fileSystems.1.id', reason: expect.stringContaining('none of the file systems') },
    ]);
    expect(accepted.json()).toMatchObject({ spec: { fileSystems: [mount] } });
  });

  it('mounts buckets only where the installation has some', async () => {
    const api = harness();
    const refused = await api.request('PUT', clusterUrl(), { body: { ...body, s3Mounts: true } });
    api.installation.hasBuckets = true;
    const accepted = await api.request('PUT', clusterUrl(), { body: { ...body, s3Mounts: true } });

    expect(expectProblem(refused, 400, 'InvalidRequest').errors).toEqual([
      {
        in: 'body',
        path: 's3Mounts',
        reason: 'this installation has no SCRATCH_BUCKET: leave `s3Mounts` out',
      },
    ]);
    expect(accepted.json()).toMatchObject({ spec: { s3Mounts: true } });
  });

  it('refuses a head node that is too small for the nodes that needs are planned on', async () => {
    const needs = { tasks: 1000, memoryMebibytesPerTask: 4000, expectedSecondsPerJob: 3600, budgetUsd: 1000 };
    const response = await harness().request('PUT', clusterUrl(), {
      body: { needs, headNode: { instanceType: 't3.nano' } },
    });

    expect(expectProblem(response, 400, 'InvalidRequest').errors).toEqual([
      {
        in: 'body',
        path: 'headNode.instanceType',
        reason: expect.stringContaining('has 0.5 GiB of memory'),
      },
    ]);
  });
});

describe('GET cluster', () => {
  it.each(clusterStates)('shows a cluster that is %s', async (state) => {
    const api = harness();
    api.clusters.views.set(clusterWorkflowId(tenant), clusterView({ state }));
    const response = await api.request('GET', clusterUrl());

    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual(clusterView({ state }));
  });

  it('shows how to reach a ready cluster, and why a failed one failed', async () => {
    const view = clusterView({
      state: 'failed',
      access: {
        address: '10.0.0.5',
        port: 22,
        user: 'sim',
        hostKey: 'ssh-ed25519 AAAA',
        privateKeySecretArn: 'arn:x',
      },
      activity: { running: 1, pending: 2, stuck: 0, interactiveSessions: 0, at: NOW },
      holds: [{ name: 'h', reason: 'r', until: NOW }],
      failure: { type: 'StackCreateFailed', message: 'No capacity.', nextStep: 'Try again.' },
      choices: ['retry'],
    });
    const api = harness();
    api.clusters.views.set(clusterWorkflowId(tenant), view);

    expect((await api.request('GET', clusterUrl())).json()).toEqual(view);
  });

  it('answers 404 when nobody ever asked for it', async () => {
    const api = harness();
    expectProblem(await api.request('GET', clusterUrl()), 404, 'NotFound');
  });

  it('needs no worker', async () => {
    const api = harness();
    api.clusters.views.set(clusterWorkflowId(tenant), clusterView());
    api.outage.worker = new KnownFailure('WorkerUnavailable', 'away');

    expect((await api.request('GET', clusterUrl())).statusCode).toBe(200);
  });

  it('answers 503 when Temporal is away', async () => {
    const api = harness();
    api.outage.temporal = new KnownFailure('TemporalUnavailable', 'Temporal cannot be reached.');
    const response = await api.request('GET', clusterUrl());

    expectProblem(response, 503, 'TemporalUnavailable');
    expect(response.headers['retry-after']).toBeDefined();
  });
});

describe('DELETE cluster', () => {
  it('answers 202 with the view, however often', async () => {
    const api = harness();
    await api.request('PUT', clusterUrl(), { body });
    const first = await api.request('DELETE', clusterUrl());
    const second = await api.request('DELETE', clusterUrl());

    expect([first.statusCode, second.statusCode]).toEqual([202, 202]);
    expect(second.json()).toMatchObject({ state: 'draining' });
  });

  it('answers 404 when there was never one', async () => {
    const api = harness();
    expectProblem(await api.request('DELETE', clusterUrl()), 404, 'NotFound');
  });

  it('answers 409 when nothing looks after the cluster any more', async () => {
    const api = harness();
    api.outage.worker = new KnownFailure(
      'ClusterUnattended',
      'The workflow ended when the cluster was ready.',
    );
    expectProblem(await api.request('DELETE', clusterUrl()), 409, 'ClusterUnattended');
  });
});

describe('GET clusters', () => {
  it('answers a page and where the next one is', async () => {
    const api = harness();
    api.clusters.page = { items: [clusterView()], nextPageToken: 'abc' };
    const response = await api.request('GET', '/v1/clusters?state=ready&pageSize=7&pageToken=xyz');

    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({ clusters: [clusterView()], nextPageToken: 'abc' });
    expect(api.clusters.listed).toEqual({ state: 'ready', pageSize: 7, pageToken: 'xyz' });
  });

  it('has a page size of its own and no token on the last page', async () => {
    const api = harness();
    const response = await api.request('GET', '/v1/clusters');

    expect(response.json()).toEqual({ clusters: [] });
    expect(api.clusters.listed).toEqual({ pageSize: 50 });
  });

  it.each([
    ['state=gone', 'state'],
    ['pageSize=0', 'pageSize'],
    ['pageSize=101', 'pageSize'],
    ['pageSize=many', 'pageSize'],
    ['pageToken=', 'pageToken'],
    ['sate=ready', 'sate'],
  ])('refuses ?%s', async (query, path) => {
    const api = harness();
    const problem = expectProblem(await api.request('GET', `/v1/clusters?${query}`), 400, 'InvalidRequest');

    expect(problem.errors).toEqual([{ in: 'query', path, reason: expect.any(String) }]);
  });
});

describe('what keeps a cluster', () => {
  const hold = { name: 'registration', reason: 'Results are being registered.', durationSeconds: 3600 };
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString();

  it.each([
    ['POST', 'holds', hold, hold],
    ['DELETE', 'holds/registration', undefined, 'registration'],
    ['POST', 'extensions', { until: tomorrow }, tomorrow],
    [
      'POST',
      'resolution',
      { choice: 'retry', by: 'Ada', reason: 'Fixed.' },
      { choice: 'retry', by: 'Ada', reason: 'Fixed.' },
    ],
  ] as const)('%s %s passes it on and answers the view', async (method, path, sent, received) => {
    const api = harness();
    api.clusters.views.set(clusterWorkflowId(tenant), clusterView({ state: 'ready' }));
    const response = await api.request(method, `${clusterUrl()}/${path}`, { body: sent });

    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({ state: 'ready' });
    expect(api.clusters.messages).toEqual([received]);
  });

  it('POST signing-key/rotation passes it on, with its default, and answers 202', async () => {
    const api = harness();
    api.clusters.views.set(clusterWorkflowId(tenant), clusterView({ state: 'ready' }));
    const url = `${clusterUrl()}/signing-key/rotation`;
    const response = await api.request('POST', url, { body: { by: 'Ada', reason: 'yearly' } });

    expect(response.statusCode).toBe(202);
    expect(response.headers.location).toBe(clusterUrl());
    expect(api.clusters.messages).toEqual([{ by: 'Ada', reason: 'yearly', overlapSeconds: 900 }]);
  });

  it.each([
    ['POST', 'holds', hold],
    ['POST', 'signing-key/rotation', { by: 'Ada', reason: 'yearly' }],
    ['DELETE', 'holds/registration', undefined],
    ['POST', 'extensions', { until: tomorrow }],
    ['POST', 'resolution', { choice: 'abandon', by: 'Ada', reason: 'Gone.' }],
  ] as const)('%s %s answers 404 without a cluster', async (method, path, sent) => {
    const api = harness();
    expectProblem(await api.request(method, `${clusterUrl()}/${path}`, { body: sent }), 404, 'NotFound');
  });

  it.each([
    ['holds', { ...hold, name: '../x' }, 'name'],
    ['holds', { ...hold, reason: '   ' }, 'reason'],
    ['holds', { ...hold, durationSeconds: 1e9 }, 'durationSeconds'],
    ['holds', { ...hold, forever: true }, 'forever'],
    ['extensions', { until: 'tomorrow' }, 'until'],
    ['extensions', { until: '2999-01-01T00:00:00Z' }, 'until'],
    ['resolution', { choice: 'delete', by: 'Ada', reason: 'r' }, 'choice'],
    ['resolution', { choice: 'retry', reason: 'r' }, 'by'],
    ['signing-key/rotation', { reason: 'r' }, 'by'],
    ['signing-key/rotation', { by: 'Ada', reason: 'r', overlapSeconds: -1 }, 'overlapSeconds'],
  ])('POST %s refuses %j', async (path, sent, field) => {
    const api = harness();
    const problem = expectProblem(
      await api.request('POST', `${clusterUrl()}/${path}`, { body: sent }),
      400,
      'InvalidRequest',
    );
    expect(problem.errors).toEqual([{ in: 'body', path: field, reason: expect.any(String) }]);
  });
});
