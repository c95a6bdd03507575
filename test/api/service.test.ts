import { Validator } from '@seriousme/openapi-schema-validator';
import type { OpenAPIV3_1 } from 'openapi-types';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import {
  campaignExample,
  campaignViewExample,
  clusterSpecExample,
  clusterViewExample,
  jobListingExample,
  problemExample,
  receiptExample,
  campaignUsageExample,
  usageReportExample,
} from '../../src/api/examples.ts';
import { jobListingPageSchema } from '../../src/api/job-listing-schemas.ts';
import { problemSchema, problemTypes } from '../../src/api/problem.ts';
import { campaignUsageSchema, usageReportSchema } from '../../src/api/usage-schemas.ts';
import { campaignPageSchema, campaignReceiptSchema, clusterViewSchema } from '../../src/api/view-schemas.ts';
import { clusterSpecInputSchema } from '../../src/domain/cluster-spec-input.ts';
import { failures, isFailureType } from '../../src/domain/failures.ts';
import { campaignSpecSchema } from '../../src/domain/job.ts';
import { harness, expectProblem } from './support.ts';

describe('health', () => {
  it('is 200 while the process lives, whatever else is missing', async () => {
    const api = harness();
    api.missing = { type: 'TemporalUnavailable', detail: 'Temporal does not answer.' };

    expect((await api.request('GET', '/healthz')).json()).toEqual({ status: 'ok' });
  });

  it('is ready when nothing is missing', async () => {
    const api = harness();
    expect((await api.request('GET', '/readyz')).json()).toEqual({ status: 'ready' });
  });

  it.each([
    ['TemporalUnavailable', 'Temporal does not answer.'],
    ['WorkerUnavailable', 'No worker polls the task queue `q`.'],
  ] as const)('is 503 when there is %s, saying what is missing', async (type, detail) => {
    const api = harness();
    api.missing = { type, detail };
    const response = await api.request('GET', '/readyz');

    expect(expectProblem(response, 503, type).detail).toBe(detail);
    expect(response.headers['retry-after']).toBeDefined();
  });
});

describe('the types of problems', () => {
  it('can be read where problems say', async () => {
    const api = harness();
    const response = await api.request('GET', '/problems/NoCluster');

    expect(response.json()).toEqual({
      type: 'NoCluster',
      title: failures.NoCluster.title,
      status: 422,
      nextStep: failures.NoCluster.nextStep,
    });
    expectProblem(await api.request('GET', '/problems/toString'), 404, 'NotFound');
  });

  it('each have a status, a title and a next step', () => {
    for (const [type, { httpStatus, title, nextStep }] of Object.entries(problemTypes)) {
      expect([type, httpStatus >= 400 && httpStatus < 600, title !== '', nextStep !== '']).toEqual([
        type,
        true,
        true,
        true,
      ]);
    }
  });
});

async function openApi(): Promise<OpenAPIV3_1.Document> {
  const api = harness();
  return (await api.request('GET', '/openapi.json')).json<OpenAPIV3_1.Document>();
}

const JOB_ACTIONS =
  '/v1/virtual-labs/{virtualLabId}/projects/{projectId}/cluster/campaigns/{campaignId}/jobs/{jobKey}/actions';

const described = z.object({ description: z.string().optional() });
const describedObject = described.extend({ properties: z.record(z.string(), described) });
const actionBody = z.object({
  content: z.object({
    'application/json': z.object({ schema: z.object({ oneOf: z.array(describedObject) }) }),
  }),
});

function operationsOf(document: OpenAPIV3_1.Document): [string, OpenAPIV3_1.OperationObject][] {
  return Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    (['get', 'put', 'post', 'delete', 'patch', 'options'] as const).flatMap(
      (method): [string, OpenAPIV3_1.OperationObject][] => {
        const operation = item?.[method];
        return operation ? [[`${method} ${path}`, operation]] : [];
      },
    ),
  );
}

describe('the OpenAPI document', () => {
  it('is valid OpenAPI 3.1', async () => {
    const document = await openApi();
    const validator = new Validator();
    const result = await validator.validate(document);

    expect(result.errors).toBeUndefined();
    expect(result.valid).toBe(true);
    expect(validator.version).toBe('3.1');
  });

  it('describes every route', async () => {
    const project = '/v1/virtual-labs/{virtualLabId}/projects/{projectId}';
    const cluster = `${project}/cluster`;
    const campaign = `${cluster}/campaigns/{campaignId}`;

    expect(
      operationsOf(await openApi())
        .map(([operation]) => operation)
        .toSorted(),
    ).toEqual(
      [
        `put ${cluster}`,
        `patch ${cluster}`,
        `get ${cluster}`,
        `delete ${cluster}`,
        'get /v1/clusters',
        `post ${cluster}/campaigns`,
        `get ${campaign}`,
        `delete ${campaign}`,
        `get ${campaign}/logs`,
        `get ${campaign}/jobs/{jobKey}`,
        `delete ${campaign}/jobs/{jobKey}`,
        `post ${campaign}/jobs/{jobKey}/actions`,
        `post ${campaign}/actions`,
        `post ${campaign}/retries`,
        `get ${campaign}/jobs/{jobKey}/logs/{kind}`,
        `get ${cluster}/jobs`,
        `post ${cluster}/holds`,
        `delete ${cluster}/holds/{name}`,
        `post ${cluster}/extensions`,
        `post ${cluster}/resolution`,
        `post ${cluster}/signing-key/rotation`,
        `put ${project}/budget`,
        `get ${project}/budget`,
        `delete ${project}/budget`,
        'post /v1/plans',
        `get ${campaign}/usage`,
        `get ${project}/usage`,
        `get ${project}/usage/epochs`,
        'get /healthz',
        'get /readyz',
        'get /problems/{type}',
      ].toSorted(),
    );
  });

  it('describes every answer, problems as problem+json with an example', async () => {
    for (const [name, { responses, operationId, summary }] of operationsOf(await openApi())) {
      expect([name, operationId, summary]).not.toContain(undefined);
      for (const [status, response] of Object.entries(responses ?? {})) {
        const where = `${name} ${status}`;
        expect([where, 'description' in response && response.description]).not.toContain('Default Response');
        const content = 'content' in response ? response.content : {};
        const problem = content?.['application/problem+json'];
        expect([where, problem !== undefined]).toEqual([where, Number(status) >= 400]);
        expect([where, Number(status) < 400 || problemSchema.safeParse(problem?.example).success]).toEqual([
          where,
          true,
        ]);
      }
    }
  });

  it('describes every field of a job, and every action at one with its values', async () => {
    const document = await openApi();
    const job = describedObject.parse(document.components?.schemas?.['JobInput']).properties;
    const body = actionBody.parse(document.paths?.[JOB_ACTIONS]?.post?.requestBody);
    const actions = body.content['application/json'].schema.oneOf;

    expect([Object.keys(job).length, actions.length]).toEqual([18, 5]);
    const values = actions.flatMap(({ properties: { kind: _kind, ...rest } }) => Object.entries(rest));
    const all = [...Object.entries(job), ...values, ...Object.entries(actions)];
    expect(all.filter(([, { description = '' }]) => !description.endsWith('.'))).toEqual([]);
  });

  it('asks for a token everywhere but where none is needed', async () => {
    const document = await openApi();
    const open = operationsOf(document).filter(([, { security }]) => security?.length === 0);

    expect(document.security).toEqual([{ bearer: [] }]);
    expect(open.map(([name]) => name)).toEqual(['get /healthz', 'get /readyz', 'get /problems/{type}']);
  });

  it('describes headers that callers must know', async () => {
    const text = JSON.stringify(await openApi());
    for (const header of [
      'Location',
      'Retry-After',
      'WWW-Authenticate',
      'Content-Range',
      'idempotency-key',
      'last-event-id',
      'range',
    ]) {
      expect(text).toContain(`"${header}"`);
    }
  });

  it('has examples that its own schemas accept', () => {
    expect(clusterSpecInputSchema.safeParse(clusterSpecExample).error).toBeUndefined();
    expect(campaignSpecSchema.safeParse(campaignExample).error).toBeUndefined();
    expect(clusterViewSchema.safeParse(clusterViewExample).error).toBeUndefined();
    expect(campaignPageSchema.safeParse(campaignViewExample).error).toBeUndefined();
    expect(jobListingPageSchema.safeParse(jobListingExample).error).toBeUndefined();
    expect(campaignUsageSchema.safeParse(campaignUsageExample).error).toBeUndefined();
    expect(usageReportSchema.safeParse(usageReportExample).error).toBeUndefined();
    expect(campaignReceiptSchema.safeParse(receiptExample).error).toBeUndefined();
    const types = Object.keys(failures).filter(isFailureType);
    expectTypeOf(types).items.toEqualTypeOf<keyof typeof failures>();
    expect(types.filter((type) => !problemSchema.safeParse(problemExample(type)).success)).toEqual([]);
  });
});

describe('the documentation page', () => {
  it('is found without a slash as well', async () => {
    const api = harness();
    const response = await api.request('GET', '/docs');

    expect(response.statusCode).toBe(301);
    expect(response.headers.location).toBe('/docs/');
  });

  it('loads nothing from elsewhere, and is not allowed to', async () => {
    const api = harness();
    const response = await api.request('GET', '/docs/');

    expect(response.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(response.body).not.toMatch(/(?:https?:)?\/\/[a-z]/i);
    expect(response.body).toContain('src="js/scalar.js"');
    const policy = String(response.headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("connect-src 'self'");
    expect(policy).not.toMatch(/https?:|\*/);
  });

  it('brings its own script', async () => {
    const api = harness();
    const response = await api.request('GET', '/docs/js/scalar.js');

    expect(response.headers['content-type']).toContain('javascript');
    expect(response.body.length).toBeGreaterThan(100_000);
  });
});
