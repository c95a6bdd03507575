import type { FastifyReply, FastifyRequest } from 'fastify';
import { KnownFailure } from '../domain/failures.ts';
import { HttpProblem, problemOf } from './problem.ts';

/** RFC 9457, section 3. */
export const PROBLEM_CONTENT_TYPE = 'application/problem+json; charset=utf-8';

/** Long enough for a worker to restart, short enough for a caller that waits. */
const RETRY_AFTER_SECONDS = 5;

/** An error has few causes; a cycle of them has no end. */
const MAX_CAUSES = 5;

/** What every answer carries: the id of the request in the log, and no leave to guess or keep what it holds. */
export function commonHeaders(requestId: string): Record<string, string> {
  return { 'x-request-id': requestId, 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' };
}

/** Gives an answer the headers that every one carries. */
export function setCommonHeaders(request: FastifyRequest, reply: FastifyReply): void {
  reply.headers(commonHeaders(request.id));
}

/**
 * Answers an error as a problem. What the caller must not see goes to the log, under the same correlation id: at level
 * `error` what nobody expected, at `warn` the other 5xx, both with what caused them.
 */
export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = problemOf(error, request.id);
  // Errors in the path itself come before any hook.
  setCommonHeaders(request, reply);
  if (problem.status >= 500) {
    const expected = error instanceof KnownFailure || error instanceof HttpProblem;
    request.log[expected ? 'warn' : 'error'](
      { err: error, causes: causesOf(error), correlationId: request.id },
      problem.title,
    );
  }
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer realm="parallelcluster-provisioner"');
  if (problem.status === 503) reply.header('retry-after', RETRY_AFTER_SECONDS);
  return reply.code(problem.status).type(PROBLEM_CONTENT_TYPE).send(problem);
}

interface Cause {
  readonly name: string;
  readonly message: string;
  /** Status of gRPC, or name of an error of Node. */
  readonly code?: unknown;
}

/** What lies behind an error, outermost first: the SDKs keep the code of what happened in a cause. */
function causesOf(error: unknown): Cause[] {
  const causes: Cause[] = [];
  let { cause } = error instanceof Error ? error : {};
  while (cause instanceof Error && causes.length < MAX_CAUSES) {
    const { name, message } = cause;
    causes.push({ name, message, ...('code' in cause && { code: cause.code }) });
    ({ cause } = cause);
  }
  return causes;
}
