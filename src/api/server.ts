import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { projectIdSchema, virtualLabIdSchema } from '../domain/ids.ts';

/** The fastify instance on which routes are registered, typed by their zod schemas. */
export type Server = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route needs no token. Every other one does. */
    public?: boolean;
    /** A request without body is one with an empty object. Elsewhere it is refused. */
    bodyIsOptional?: boolean;
  }
}

/**
 * No request may hold its caller over 2 s, but for those whose answer is a stream (tails and archives of logs) and for dry runs. What is
 * left of them is for reading the body, writing the answer, and a process that is busy with others.
 */
const ANSWER_WITHIN_MS = 1_500;

/** A dry run asks AWS for everything that a cluster needs. */
const DRY_RUN_WITHIN_MS = 58_000;

/** The moment by which a dry run must have answered. */
export function dryRunAnswerBy(): Date {
  return new Date(Date.now() + DRY_RUN_WITHIN_MS);
}

/** The moment by which everything that a request waits for must have answered. */
export function answerBy(): Date {
  return new Date(Date.now() + ANSWER_WITHIN_MS);
}

/** The path parameters of everything that belongs to a tenant. */
export const tenantParams = z.object({ virtualLabId: virtualLabIdSchema, projectId: projectIdSchema });

/** The route pattern of a tenant's cluster. */
export const CLUSTER_PATH = '/v1/virtual-labs/:virtualLabId/projects/:projectId/cluster';

/** The path of a tenant's cluster, for `Location`. */
export function clusterPath({ virtualLabId, projectId }: z.output<typeof tenantParams>): string {
  return `/v1/virtual-labs/${virtualLabId}/projects/${projectId}/cluster`;
}
