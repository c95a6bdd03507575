import type { FastifyReply, FastifyRequest } from 'fastify';
import { KnownFailure } from '../domain/failures.ts';
import { HttpProblem, problemOf } from './problem.ts';

/** Long enough for a worker to restart, short enough for a caller that waits. */
const RETRY_AFTER_SECONDS = 5;

/** What every answer carries: the id of the request in the log, and no leave to guess or keep what it holds. */
export function setCommonHeaders(request: FastifyRequest, reply: FastifyReply): void {
  reply.headers({
    'x-request-id': request.id,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  });
}

/** Answers an error as a problem. What the caller must not see goes to the log, under the same correlation id. */
export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = problemOf(error, request.id);
  // Errors in the path itself come before any hook.
  setCommonHeaders(request, reply);
  if (problem.status >= 500) {
    const expected = error instanceof KnownFailure || error instanceof HttpProblem;
    request.log[expected ? 'warn' : 'error']({ err: error, correlationId: request.id }, problem.title);
  }
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer realm="parallelcluster-provisioner"');
  if (problem.status === 503) reply.header('retry-after', RETRY_AFTER_SECONDS);
  return reply.code(problem.status).type('application/problem+json').send(problem);
}
