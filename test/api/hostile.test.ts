import { ServiceError } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import { KnownFailure } from '../../src/domain/failures.ts';
import { clusterWorkflowId } from '../../src/domain/ids.ts';
import { clusterUrl, clusterView, tenant } from './fakes.ts';
import { harness, expectProblem, TOKEN } from './support.ts';

const campaigns = `${clusterUrl()}/campaigns`;
const job = { key: 'a', command: ['/bin/true'] };
const keyed = { 'idempotency-key': 'k' };

describe('a hostile body', () => {
  it.each<[string, unknown, string, RegExp]>([
    ['a field that does not exist', { jobs: [job], priority: 1 }, 'priority', /not a field/],
    ['a mistyped field of a job', { jobs: [{ ...job, timeLimit: 60 }] }, 'jobs.0.timeLimit', /not a field/],
    ['no jobs', { jobs: [] }, 'jobs', /small/],
    ['jobs missing', {}, 'jobs', /required/],
    ['neither script nor command', { jobs: [{ key: 'a' }] }, 'jobs.0.script', /either/],
    ['both script and command', { jobs: [{ ...job, script: '#!/bin/sh' }] }, 'jobs.0.script', /either/],
    ['a key used twice', { jobs: [job, job] }, 'jobs.1.key', /twice/],
    ['a key that is a path', { jobs: [{ ...job, key: '../../etc/passwd' }] }, 'jobs.0.key', /letters/],
    ['a key with a line break', { jobs: [{ ...job, key: 'a\n' }] }, 'jobs.0.key', /letters/],
    [
      'a name with a line break',
      { jobs: [{ ...job, name: 'a\n#SBATCH --uid=0' }] },
      'jobs.0.name',
      /printable/,
    ],
    [
      'an environment of Slurm',
      { jobs: [{ ...job, environment: { SLURM_CONF: '/tmp' } }] },
      'jobs.0.environment',
      /Slurm/,
    ],
    [
      'a variable that is shell',
      { jobs: [{ ...job, environment: { 'A=$(id)': '1' } }] },
      'jobs.0.environment.A=$(id)',
      /shell/,
    ],
    ['a NUL in a value', { jobs: [{ ...job, environment: { A: '\0' } }] }, 'jobs.0.environment.A', /NUL/],
    ['a NUL in an argument', { jobs: [{ key: 'a', command: ['x', '\0'] }] }, 'jobs.0.command.1', /NUL/],
    [
      '#SBATCH lines',
      { jobs: [{ key: 'a', script: '#!/bin/sh\n#SBATCH --uid=0' }] },
      'jobs.0.script',
      /SBATCH/,
    ],
    ['a number as text', { jobs: [{ ...job, nodes: '1' }] }, 'jobs.0.nodes', /expected number/],
    ['a number beyond all numbers', { jobs: [{ ...job, nodes: 1e300 }] }, 'jobs.0.nodes', /./],
    [
      'a relative working directory',
      { jobs: [{ ...job, workingDirectory: '../..' }] },
      'jobs.0.workingDirectory',
      /absolute/,
    ],
    ['a list in place of a campaign', [job], '', /expected object/],
    ['null', null, '', /expected object/],
    ['a constructor', { jobs: [job], constructor: 1 }, 'constructor', /not a field/],
    [
      'a cluster of both kinds',
      { jobs: [job], cluster: { tier: 'debug', queues: [] } },
      'cluster.queues',
      /small/,
    ],
  ])('with %s is refused, naming the field and the reason', async (_what, body, path, reason) => {
    const api = harness();
    const response = await api.request('POST', campaigns, { body, headers: keyed });
    const { errors } = expectProblem(response, 400, 'InvalidRequest');

    expect(errors?.[0]).toEqual({ in: 'body', path, reason: expect.stringMatching(reason) });
    expect(api.clusters.submitted).toEqual([]);
  });

  it.each([
    ['not JSON', '{"jobs":['],
    ['empty', ''],
    ['a prototype', '{"__proto__":{"admin":true},"jobs":[]}'],
    ['a constructor’s prototype', '{"constructor":{"prototype":{"admin":true}},"jobs":[]}'],
  ])('that is %s is refused', async (_what, text) => {
    const api = harness();
    const response = await api.request('POST', campaigns, { body: text, headers: keyed });

    expect(expectProblem(response, 400, 'InvalidRequest').errors).toHaveLength(1);
  });

  it.each([
    ['__proto__', '{"__proto__":{"a":1},"tier":"debug"}'],
    ['constructor.prototype', '{"constructor":{"prototype":{"a":1}},"tier":"debug"}'],
    ['queues.1.__proto__', '{"queues":[{},{"__proto__":null}]}'],
  ])('with the name %s is told that it is JSON with a forbidden name', async (path, text) => {
    const api = harness();
    const response = await api.request('PUT', clusterUrl(), { body: text });

    const problem = expectProblem(response, 400, 'InvalidRequest');
    expect(problem.detail).toBe(`body ${path}: is a name that no request may have`);
    expect(problem.errors).toEqual([{ in: 'body', path, reason: 'is a name that no request may have' }]);
  });

  it.each([
    ['PUT', clusterUrl()],
    ['POST', campaigns],
    ['POST', `${clusterUrl()}/holds`],
    ['POST', `${clusterUrl()}/extensions`],
    ['POST', `${clusterUrl()}/resolution`],
    ['POST', `${clusterUrl()}/signing-key/rotation`],
  ] as const)('that is missing from %s %s is named, with and without a type', async (method, url) => {
    const api = harness();
    for (const headers of [keyed, { ...keyed, 'content-type': 'application/json' }]) {
      const response = await api.request(method, url, { headers });

      expect(expectProblem(response, 400, 'InvalidRequest').errors).toEqual([
        { in: 'body', path: '', reason: 'is required' },
      ]);
    }
  });

  it.each([
    ['DELETE', clusterUrl(), 202],
    ['DELETE', `${clusterUrl()}/holds/h`, 200],
    ['GET', clusterUrl(), 200],
  ] as const)(
    'that %s %s does not need may be empty, whatever its type says',
    async (method, url, status) => {
      const api = harness();
      api.clusters.views.set(clusterWorkflowId(tenant), clusterView());
      const response = await api.request(method, url, { headers: { 'content-type': 'application/json' } });

      expect(response.statusCode).toBe(status);
    },
  );

  it('that is nested without end is refused quickly', async () => {
    const api = harness();
    const text = `{"jobs":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    const started = performance.now();

    expectProblem(
      await api.request('POST', campaigns, { body: text, headers: keyed }),
      400,
      'InvalidRequest',
    );
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  it('with a thousand faults is answered with a page of them', async () => {
    const api = harness();
    const jobs = Array.from({ length: 1000 }, () => ({ key: '!' }));
    const response = await api.request('POST', campaigns, { body: { jobs }, headers: keyed });

    expect(expectProblem(response, 400, 'InvalidRequest').errors).toHaveLength(50);
    expect(response.body.length).toBeLessThan(20_000);
  });

  it('with an endless name is not sent back whole', async () => {
    const api = harness();
    const response = await api.request('POST', campaigns, {
      body: { jobs: [job], ['x'.repeat(1_000_000)]: 1 },
      headers: keyed,
    });

    expectProblem(response, 400, 'InvalidRequest');
    expect(response.body.length).toBeLessThan(2_000);
  });

  it('never has its values sent back or logged', async () => {
    const api = harness();
    const environment = { SECRET: { nested: 'hunter2' } };
    const response = await api.request('POST', campaigns, {
      body: { jobs: [{ ...job, environment }] },
      headers: keyed,
    });

    expectProblem(response, 400, 'InvalidRequest');
    expect(`${response.body}${api.logged.join('')}`).not.toContain('hunter2');
  });

  it('that is too large is refused, a large campaign is not', { timeout: 30_000 }, async () => {
    const api = harness();
    api.clusters.views.set(clusterWorkflowId(tenant), clusterView());
    const script = `#!/bin/sh\n#${'x'.repeat(1_000_000)}`;
    const campaign = (jobs: number) => ({
      jobs: Array.from({ length: jobs }, (_, index) => ({ key: `j${index}`, script })),
    });

    expectProblem(
      await api.request('PUT', clusterUrl(), { body: { tier: 'x'.repeat(300_000) } }),
      413,
      'PayloadTooLarge',
    );
    expectProblem(
      await api.request('POST', campaigns, { body: campaign(68), headers: keyed }),
      413,
      'PayloadTooLarge',
    );
    expect((await api.request('POST', campaigns, { body: campaign(66), headers: keyed })).statusCode).toBe(
      202,
    );
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/xml', 'nonsense'])(
    'of type %s is refused',
    async (type) => {
      const api = harness();
      const response = await api.request('POST', campaigns, {
        body: { jobs: [job] },
        headers: { ...keyed, 'content-type': type },
      });

      expectProblem(response, 415, 'UnsupportedMediaType');
    },
  );
});

describe('a hostile path', () => {
  it.each([
    ['upper case', '/v1/virtual-labs/Lab/projects/p/cluster', 'virtualLabId'],
    ['a slash in disguise', '/v1/virtual-labs/a%2Fb/projects/p/cluster', 'virtualLabId'],
    ['a quote', "/v1/virtual-labs/a'%20OR%20'1'='1/projects/p/cluster", 'virtualLabId'],
    ['dots', '/v1/virtual-labs/a/projects/%2e%2e%2e/cluster', 'projectId'],
    ['a NUL', '/v1/virtual-labs/a/projects/p%00/cluster', 'projectId'],
    ['64 characters', `/v1/virtual-labs/a/projects/${'p'.repeat(64)}/cluster`, 'projectId'],
    ['another campaign id', `${clusterUrl()}/campaigns/123`, 'campaignId'],
    ['another job key', `${clusterUrl()}/campaigns/${'a'.repeat(26)}/jobs/-`, 'jobKey'],
  ])('with %s is refused, naming the id', async (_what, path, id) => {
    const api = harness();
    const { errors } = expectProblem(await api.request('GET', path), 400, 'InvalidRequest');

    expect(errors).toEqual([{ in: 'path', path: id, reason: expect.any(String) }]);
  });

  it('that is not a path is refused', async () => {
    const api = harness();
    expectProblem(await api.request('GET', '/v1/%zz'), 400, 'InvalidRequest');
  });

  it('with an endless part is refused', async () => {
    const api = harness();
    const response = await api.request('GET', `/v1/virtual-labs/${'a'.repeat(5000)}/projects/p/cluster`);

    expectProblem(response, 414, 'UriTooLong');
    expect(response.body.length).toBeLessThan(1_000);
  });

  it('that does not exist is 404', async () => {
    const api = harness();
    expectProblem(await api.request('GET', '/v2/clusters'), 404, 'NotFound');
  });

  it.each([
    ['POST', clusterUrl(), 'DELETE, GET, HEAD, PATCH, PUT'],
    ['DELETE', '/v1/clusters', 'GET, HEAD'],
    ['GET', `${clusterUrl()}/campaigns`, 'POST'],
    ['OPTIONS', '/healthz', 'GET, HEAD'],
  ] as const)('%s %s is 405 and names what is allowed', async (method, path, allow) => {
    const api = harness();
    const response = await api.request(method, path);

    expectProblem(response, 405, 'MethodNotAllowed');
    expect(String(response.headers.allow).split(', ').toSorted().join(', ')).toBe(allow);
  });

  it.each([
    ['that is not UTF-8', '/v1/virtual-labs/%ff/projects/p/cluster'],
    ['with half an escape', '/a%/b'],
  ])('%s is named as what is wrong', async (_what, url) => {
    const { errors } = expectProblem(await harness().request('GET', url), 400, 'InvalidRequest');

    expect(errors).toEqual([
      { in: 'path', path: '', reason: expect.stringContaining('is not a valid url component') },
    ]);
  });
});

describe('a failure inside', () => {
  it('is answered with a correlation id and nothing else, and logged under it', async () => {
    const api = harness();
    api.outage.temporal = Object.assign(new Error('password=hunter2 at 10.0.0.1'), { details: 'hunter2' });
    const response = await api.request('GET', clusterUrl());
    const problem = expectProblem(response, 500, 'InternalError');

    expect(response.body).not.toMatch(/hunter2|10\.0\.0\.1|at .*\.ts/);
    expect(api.logged.filter((line) => line.includes(problem.correlationId)).join('')).toContain('10.0.0.1');
  });

  it('is logged with what caused it and the status of gRPC', async () => {
    const api = harness();
    const grpcError = Object.assign(new Error('13 INTERNAL: broken'), { code: 13, details: 'broken' });
    api.outage.temporal = new ServiceError('Failed to query Workflow', { cause: grpcError });
    const { correlationId } = expectProblem(await api.request('GET', clusterUrl()), 500, 'InternalError');
    const lines = api.logged
      .map((line): unknown => JSON.parse(line))
      .filter((line) => JSON.stringify(line).includes('causes'));

    expect(lines).toEqual([
      expect.objectContaining({
        level: 50,
        correlationId,
        causes: [{ name: 'Error', message: '13 INTERNAL: broken', code: 13 }],
      }),
    ]);
  });

  it('of a known kind keeps its details to itself when the fault is ours', async () => {
    const api = harness();
    api.outage.worker = new KnownFailure('AwsAccessDenied', 'AWS denied s3:PutObject.', {
      role: 'arn:aws:iam::1:role/x',
    });
    const response = await api.request('PUT', clusterUrl(), { body: { tier: 'debug' } });

    expect(expectProblem(response, 502, 'AwsAccessDenied').detail).toBe('AWS denied s3:PutObject.');
    expect(response.body).not.toContain('arn:aws:iam');
  });

  it('that breaks the form of an answer is a 500, not a broken answer', async () => {
    const api = harness();
    const broken = Object.assign(clusterView(), { activeJobs: 'many' });
    api.clusters.views.set(clusterWorkflowId(tenant), broken);

    expectProblem(await api.request('GET', clusterUrl()), 500, 'InternalError');
  });

  it('never shows the token in the log', async () => {
    const api = harness();
    await api.request('GET', clusterUrl());
    await api.request('GET', clusterUrl(), { headers: { authorization: `Bearer ${TOKEN}x` } });

    expect(api.logged.join('')).not.toContain(TOKEN);
  });
});
