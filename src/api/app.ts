import fastify, { type FastifyBaseLogger, type HTTPMethods, LogController } from 'fastify';
import { serializerCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { randomUUID } from 'node:crypto';
import type { LogReader } from '../clients/log-reader.ts';
import type { JobListingStore } from '../clients/job-listing-store.ts';
import type { UsageStore } from '../clients/usage-store.ts';
import { KnownFailure } from '../domain/failures.ts';
import { registerArchiveRoute } from './archive.routes.ts';
import { requireBearerToken } from './auth.ts';
import { CampaignService, type CampaignServiceDeps } from './campaign-service.ts';
import { registerActionRoutes } from './actions.routes.ts';
import { registerCancelRoutes } from './cancel.routes.ts';
import { registerCampaignRoutes } from './campaigns.routes.ts';
import { registerBudgetRoutes } from './budget.routes.ts';
import { registerClusterChangeRoute } from './cluster-change.routes.ts';
import { registerClusterRoutes } from './clusters.routes.ts';
import { sendProblem, setCommonHeaders } from './error-handler.ts';
import { forbiddenName } from './forbidden-names.ts';
import { registerJobListingRoute } from './job-listing.routes.ts';
import { JobListingService } from './job-listing-service.ts';
import { registerLifetimeRoutes } from './lifetime.routes.ts';
import type { TailPace } from './log-tail.ts';
import { registerLogRoutes } from './logs.routes.ts';
import { registerOpenApi } from './openapi.ts';
import { registerDocs, registerOpsRoutes } from './ops.routes.ts';
import { registerPlanRoute } from './plans.routes.ts';
import type { Clusters, ReadinessProbe } from './ports.ts';
import { HttpProblem } from './problem.ts';
import { forbidden, required, validateRequest } from './request-validation.ts';
import type { Server } from './server.ts';
import { registerSigningKeyRoute } from './signing-key.routes.ts';
import { registerUsageRoutes } from './usage.routes.ts';
import { UsageService } from './usage-service.ts';
import { answerBesideRoutes, answerClientError, missingHost } from './transport-errors.ts';

export interface AppDeps extends CampaignServiceDeps {
  readonly clusters: Clusters;
  readonly logs: LogReader;
  readonly usage: UsageStore;
  readonly jobListings: Pick<JobListingStore, 'get'>;
  /** How often followed logs are looked at; as production does it if absent. */
  readonly tailPace?: TailPace;
  readonly readiness: ReadinessProbe;
  /** The bearer token that callers must send. */
  readonly token: string;
  readonly logger: FastifyBaseLogger;
  /** Version of the product, for the OpenAPI document. */
  readonly version: string;
}

/** Everything but a campaign is small. */
const MAX_BODY_BYTES = 256 * 1024;
/** A client that takes longer to send its request is cut off. */
const RECEIVE_WITHIN_MS = 30_000;
/** How often Node looks for such clients. */
const LOOK_FOR_SLOW_CLIENTS_EVERY_MS = 5_000;

const METHODS: readonly HTTPMethods[] = ['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'];

/** The HTTP API. It reads no environment and does not listen: `app.inject` or `app.listen` is the caller's choice. */
export async function buildApp(deps: AppDeps): Promise<Server> {
  const app: Server = fastify({
    loggerInstance: deps.logger,
    genReqId: () => randomUUID(),
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: RECEIVE_WITHIN_MS,
    // These two answers would be fastify's and Node's own: `refuseAtOnce` gives ours.
    return503OnClosing: false,
    http: { requireHostHeader: false, connectionsCheckingInterval: LOOK_FOR_SLOW_CLIENTS_EVERY_MS },
    clientErrorHandler: (error, socket) => answerClientError(error, socket, deps.logger),
    logController: new LogController({
      disableRequestLogging: ({ url }) => url === '/healthz' || url === '/readyz',
    }),
    frameworkErrors: (error, request, reply) => {
      sendProblem(error, request, reply);
    },
  }).withTypeProvider<ZodTypeProvider>();
  app.setValidatorCompiler(validateRequest);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(sendProblem);
  app.setNotFoundHandler((request, reply) =>
    sendProblem(new KnownFailure('NotFound', 'This API has no such path.'), request, reply),
  );
  takeJsonOnly(app);
  answerBesideRoutes(app);
  refuseAtOnce(app);
  const methodsByPath = collectMethods(app);
  await requireBearerToken(app, deps.token);
  await registerOpenApi(app, deps.version);
  const campaigns = new CampaignService(deps);
  registerClusterRoutes(app, deps);
  registerClusterChangeRoute(app, deps);
  registerLifetimeRoutes(app, deps.clusters);
  registerSigningKeyRoute(app, deps.clusters);
  registerJobListingRoute(app, new JobListingService(deps.clusters, deps.jobListings));
  registerCampaignRoutes(app, campaigns);
  registerCancelRoutes(app, campaigns);
  registerActionRoutes(app, campaigns);
  registerLogRoutes(app, campaigns, deps.logs, deps.tailPace);
  registerArchiveRoute(app, campaigns, deps.logs);
  registerBudgetRoutes(app, deps.clusters);
  registerPlanRoute(app, deps.planning);
  registerUsageRoutes(app, new UsageService(deps.usage), campaigns);
  registerOpsRoutes(app, deps.readiness);
  await registerDocs(app);
  refuseOtherMethods(app, new Map(methodsByPath));
  await app.ready();
  return app;
}

/** Bodies are JSON. An empty one is none, whatever its type says: only routes that need one refuse it. */
function takeJsonOnly(app: Server): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null);
    else void parse(request, body, (error, value) => done(error && jsonProblem(error, body), value));
  });
  app.addHook('preValidation', (request, _reply, done) => {
    const { config, schema } = request.routeOptions;
    if (config.bodyIsOptional && request.body === undefined) request.body = {};
    const isMissing = request.body === undefined && schema?.body !== undefined;
    done(isMissing ? required('body', '') : undefined);
  });
}

/** The parser has one error for what is not JSON and for names that it refuses. */
function jsonProblem(error: Error, body: string): Error {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return error;
  }
  const path = forbiddenName(value);
  return path ? forbidden(path) : error;
}

/** What every answer carries, and what is refused before anything else is looked at. */
function refuseAtOnce(app: Server): void {
  let isStopping = false;
  app.addHook('preClose', (done) => {
    isStopping = true;
    done();
  });
  app.addHook('onRequest', (request, reply, done) => {
    setCommonHeaders(request, reply);
    const stopping = isStopping ? new HttpProblem('Stopping', 'The service is being stopped.') : undefined;
    done(stopping ?? missingHost(request));
  });
}

/** Notes the methods of each path that is registered after it. */
function collectMethods(app: Server): Map<string, Set<string>> {
  const methods = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const known = methods.get(url) ?? new Set();
    methods.set(url, known);
    for (const each of [method].flat()) known.add(each);
  });
  return methods;
}

/** 405 with `Allow`, where fastify would say that the path does not exist. */
function refuseOtherMethods(app: Server, methodsByPath: ReadonlyMap<string, ReadonlySet<string>>): void {
  for (const [url, methods] of methodsByPath) {
    const allow = [...methods].join(', ');
    app.route({
      url,
      method: METHODS.filter((method) => !methods.has(method)),
      schema: { hide: true },
      handler: (request, reply) => {
        reply.header('allow', allow);
        throw new HttpProblem('MethodNotAllowed', `${request.method} is not among ${allow}.`);
      },
    });
  }
}
