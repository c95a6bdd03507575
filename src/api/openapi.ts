import fastifySwagger, { type SwaggerTransformObject } from '@fastify/swagger';
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod';
import type { OpenAPIV3_1 } from 'openapi-types';
import { z } from 'zod';
import { clusterSpecInputSchema } from '../domain/cluster-spec-input.ts';
import { campaignSpecSchema, jobSpecSchema } from '../domain/job.ts';
import { queueSchema } from '../domain/queue.ts';
import {
  campaignExample,
  campaignViewExample,
  clusterSpecExample,
  clusterViewExample,
  jobListingExample,
  needsExample,
  planExample,
  planRequestExample,
  problemExample,
  receiptExample,
  campaignUsageExample,
  usageReportExample,
} from './examples.ts';
import { campaignNeedsSchema } from '../domain/campaign-needs.ts';
import { jobListingPageSchema } from './job-listing-schemas.ts';
import { planAnswerSchema, planRequestSchema } from './plan-schemas.ts';
import { type ProblemType, problemSchema, problemTypes } from './problem.ts';
import type { Server } from './server.ts';
import { campaignUsageSchema, usageReportSchema } from './usage-schemas.ts';
import { failureSchema } from './failure-schema.ts';
import {
  campaignPageSchema,
  campaignReceiptSchema,
  campaignSummarySchema,
  clusterViewSchema,
  jobViewSchema,
} from './view-schemas.ts';

/** Schemas that the document names, so that generated clients have readable types. */
const components = z.globalRegistry;
components.add(clusterSpecInputSchema, { id: 'ClusterSpec', examples: [clusterSpecExample] });
components.add(campaignNeedsSchema, { id: 'CampaignNeeds', examples: [needsExample] });
components.add(planRequestSchema, { id: 'PlanRequest', examples: [planRequestExample] });
components.add(planAnswerSchema, { id: 'Plan', examples: [planExample] });
components.add(campaignSpecSchema, { id: 'Campaign', examples: [campaignExample] });
components.add(jobSpecSchema, { id: 'Job' });
components.add(queueSchema, { id: 'Queue' });
components.add(clusterViewSchema, { id: 'ClusterView', examples: [clusterViewExample] });
components.add(campaignReceiptSchema, { id: 'CampaignReceipt', examples: [receiptExample] });
components.add(campaignPageSchema, { id: 'CampaignView', examples: [campaignViewExample] });
components.add(campaignSummarySchema, { id: 'CampaignSummary' });
components.add(jobViewSchema, { id: 'JobView' });
components.add(jobListingPageSchema, { id: 'JobListing', examples: [jobListingExample] });
components.add(campaignUsageSchema, { id: 'CampaignUsage', examples: [campaignUsageExample] });
components.add(usageReportSchema, { id: 'UsageReport', examples: [usageReportExample] });
components.add(failureSchema, { id: 'Failure' });
components.add(problemSchema, { id: 'Problem', description: 'RFC 9457 problem details.' });

/** Problems that every route with a token can answer. */
const commonProblems: readonly ProblemType[] = ['InvalidRequest', 'Unauthorized', 'InternalError'];
const bodyProblems: readonly ProblemType[] = ['PayloadTooLarge', 'UnsupportedMediaType'];
const temporalProblems: readonly ProblemType[] = ['WorkerUnavailable', 'TemporalUnavailable'];

type ProblemResponses = Record<
  string,
  { description: string; content: { 'application/problem+json': { schema: typeof problemSchema } } }
>;

/** A response of a route that is not a problem. */
export function answer<Schema extends z.ZodType>(
  description: string,
  schema: Schema,
): { description: string; content: { 'application/json': { schema: Schema } } } {
  return { description, content: { 'application/json': { schema } } };
}

/** The responses of a route that are problems: one for each status, naming the types that have it. */
export function problemResponses(...types: readonly (ProblemType | 'body' | 'temporal')[]): ProblemResponses {
  const all = types.flatMap((type) => {
    if (type === 'body') return bodyProblems;
    return type === 'temporal' ? temporalProblems : [type];
  });
  const responses: ProblemResponses = {};
  for (const type of [...commonProblems, ...all]) {
    const { httpStatus, title } = problemTypes[type];
    const known = responses[httpStatus];
    responses[httpStatus] = {
      description: `${known ? `${known.description} · ` : ''}\`${type}\`: ${title}`,
      content: { 'application/problem+json': { schema: problemSchema } },
    };
  }
  return responses;
}

const description = `A private AWS ParallelCluster for every project of a virtual lab, on demand.

Every request but the ones below *Service* needs the header \`Authorization: Bearer <token>\`. Problems are
\`application/problem+json\` (RFC 9457) with \`nextStep\` in words. A 503 with \`Retry-After\` may have been done all the
same; it is safe to repeat, for what was accepted is not done twice.`;

/** Lets the routes that are registered after it describe themselves; `app.swagger()` gives the document. */
export async function registerOpenApi(app: Server, version: string): Promise<void> {
  const transformObject = createJsonSchemaTransformObject({ schemaRegistry: components });
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'ParallelCluster Provisioner',
        version,
        description,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
      security: [{ bearer: [] }],
      tags: [
        { name: 'Clusters', description: 'One cluster for each project of a virtual lab.' },
        { name: 'Campaigns', description: 'Slurm jobs, submitted together.' },
        { name: 'Plans', description: 'What cluster a campaign would get, and what it would cost.' },
        { name: 'Budget', description: 'What projects may spend.' },
        { name: 'Usage', description: 'What projects used.' },
        { name: 'Service', description: 'Health, readiness and documentation; no token needed.' },
      ],
    },
    transform: createJsonSchemaTransform({ schemaRegistry: components }),
    transformObject: (document) => {
      const transformed = transformObject(document);
      return isVersion31(transformed) ? complete(transformed) : transformed;
    },
  });
}

type Transformed = ReturnType<SwaggerTransformObject>;

function isVersion31(document: Transformed): document is OpenAPIV3_1.Document {
  return 'openapi' in document && String(document.openapi).startsWith('3.1');
}

/** Adds what the schemas of routes cannot say (headers, examples) and leaves out schemas that nothing uses. */
function complete(document: OpenAPIV3_1.Document): OpenAPIV3_1.Document {
  for (const item of Object.values(document.paths ?? {})) {
    for (const operation of [item?.get, item?.put, item?.post, item?.patch, item?.delete]) {
      for (const [status, response] of Object.entries(operation?.responses ?? {})) {
        if (!('$ref' in response)) completeResponse(status, response);
      }
    }
  }
  return pruned(document);
}

const headers: Readonly<Record<string, Record<string, OpenAPIV3_1.HeaderObject>>> = {
  '202': { Location: { description: 'Where to follow it.', schema: { type: 'string' } } },
  '206': {
    'Content-Range': { description: 'What came, e.g. `bytes 0-99/1234`.', schema: { type: 'string' } },
  },
  '401': { 'WWW-Authenticate': { description: '`Bearer`', schema: { type: 'string' } } },
  '416': {
    'Content-Range': { description: 'The length, e.g. `bytes */1234`.', schema: { type: 'string' } },
  },
  '503': { 'Retry-After': { description: 'Seconds to wait.', schema: { type: 'integer' } } },
};

function completeResponse(status: string, response: OpenAPIV3_1.ResponseObject): void {
  const own = headers[status];
  if (own) response.headers = { ...own, ...response.headers };
  const problem = response.content?.['application/problem+json'];
  const type = /`(\w+)`/.exec(response.description)?.[1];
  if (problem && type && isProblemType(type)) problem.example = problemExample(type);
}

function isProblemType(type: string): type is ProblemType {
  return Object.hasOwn(problemTypes, type);
}

/** The transformation makes an input and an output form of every schema: only what is referenced stays. */
function pruned(document: OpenAPIV3_1.Document): OpenAPIV3_1.Document {
  const schemas = document.components?.schemas ?? {};
  const used = new Set<string>();
  const visit = (text: string): void => {
    for (const [, name] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      if (name === undefined || used.has(name)) continue;
      used.add(name);
      visit(JSON.stringify(schemas[name] ?? {}));
    }
  };
  visit(JSON.stringify(document.paths));
  return {
    ...document,
    components: {
      ...document.components,
      schemas: Object.fromEntries(Object.entries(schemas).filter(([name]) => used.has(name))),
    },
  };
}
