import scalar from '@scalar/fastify-api-reference';
import { z } from 'zod';
import { KnownFailure } from '../domain/failures.ts';
import { PROBLEM_TYPES_PATH, problemTypes } from './problem.ts';
import { answer, problemResponses } from './openapi.ts';
import type { ReadinessProbe } from './ports.ts';
import { answerBy, type Server } from './server.ts';

const tags = ['Service'];
const open = { config: { public: true } } as const;
/** Answers that need no token: an empty list of requirements overrides the document's own. */
const security: readonly Record<string, readonly string[]>[] = [];

const statusSchema = z.object({ status: z.enum(['ok', 'ready']) });

const problemTypeSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  nextStep: z.string(),
});

/** Health, readiness, and what each type of problem means. */
export function registerOpsRoutes(app: Server, readiness: ReadinessProbe): void {
  app.get(
    '/healthz',
    {
      ...open,
      schema: {
        operationId: 'health',
        summary: 'Whether the process lives',
        tags,
        security,
        response: { 200: answer('It does', statusSchema) },
      },
    },
    async () => ({ status: 'ok' as const }),
  );

  app.get(
    '/readyz',
    {
      ...open,
      schema: {
        operationId: 'readiness',
        summary: 'Whether Temporal answers and a worker polls the task queue',
        tags,
        security,
        response: {
          200: answer('Requests can be served', statusSchema),
          503: problemResponses('temporal')['503'],
        },
      },
    },
    async () => {
      const missing = await readiness.check(answerBy());
      if (missing) throw new KnownFailure(missing.type, missing.detail);
      return { status: 'ready' as const };
    },
  );

  app.get(
    `${PROBLEM_TYPES_PATH}/:type`,
    {
      ...open,
      schema: {
        operationId: 'problemType',
        summary: 'What a type of problem means',
        tags,
        security,
        params: z.object({ type: z.string() }),
        response: {
          200: answer('The type', problemTypeSchema),
          404: problemResponses('NotFound')['404'],
        },
      },
    },
    async ({ params }) => {
      const found = Object.entries(problemTypes).find(([type]) => type === params.type);
      if (!found) throw new KnownFailure('NotFound', 'There is no such type of problem.');
      const [type, { title, httpStatus, nextStep }] = found;
      return { type, title, status: httpStatus, nextStep };
    },
  );
}

/** Everything that the page needs comes from here: it must work where there is no Internet, and tell nobody. */
const docsPolicy = [
  "default-src 'none'",
  "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
  "style-src 'self' 'unsafe-inline'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "worker-src 'self' blob:",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The OpenAPI document and a page to read and try it. */
export async function registerDocs(app: Server): Promise<void> {
  app.get('/openapi.json', { ...open, schema: { hide: true } }, async () => app.swagger());

  await app.register(async (docs) => {
    // The plugin registers its own routes: what they may do without a token is said here, for its scope only.
    docs.addHook('onRoute', (route) => {
      route.config = { ...route.config, public: true };
    });
    docs.addHook('onRequest', async (_request, reply) => {
      reply.header('content-security-policy', docsPolicy);
    });
    await docs.register(scalar, {
      routePrefix: '/docs',
      configuration: {
        url: '/openapi.json',
        pageTitle: 'ParallelCluster Provisioner',
        withDefaultFonts: false,
        telemetry: false,
        showDeveloperTools: 'never',
        hideClientButton: true,
        agent: { disabled: true },
        mcp: { disabled: true },
      },
    });
  });
}
