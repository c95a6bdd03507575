import { ApplicationFailure } from '@temporalio/common';
import {
  type Client,
  isGrpcServiceError,
  ServiceError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import pRetry from 'p-retry';
import { isFailureType, KnownFailure } from '../domain/failures.ts';

/** Status codes of gRPC (grpc.io, "Status codes and their use in gRPC"). */
const grpc = {
  cancelled: 1,
  deadlineExceeded: 4,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  unavailable: 14,
} as const;

/** Ten updates can be in flight for one run; each takes some tens of milliseconds. */
const FIRST_RETRY_AFTER_MS = 25;
const LAST_RETRY_AFTER_MS = 400;

/** What a call leaves of its request's time, so that Temporal can be asked whether it lives when no answer came. */
const DIAGNOSE_WITHIN_MS = 250;

/** The failure that a worker's SDK gives an update that it accepted just before the workflow ended. */
const COMPLETED_MEANWHILE = 'AcceptedUpdateCompletedWorkflow';

/**
 * Runs one call to Temporal: its answer or its failure is there by the given moment. What is momentarily not possible
 * is tried again with growing pauses while there is time: too many updates in flight, an update that met its
 * workflow's end, a query that met its worker's.
 *
 * The connection must not retry by itself (`interceptors: []`): the SDK's own pauses are longer than a request lasts.
 *
 * WorkerUnavailable, TemporalUnavailable, and what the workflow itself refused. `WorkflowNotFoundError`s and everything
 * that is unexpected pass through.
 */
export async function callTemporal<T>(client: Client, answerBy: Date, call: () => Promise<T>): Promise<T> {
  const callBy = new Date(answerBy.getTime() - DIAGNOSE_WITHIN_MS);
  let meetings = 0;
  try {
    return await pRetry(async () => client.withDeadline(callBy, call), {
      retries: Infinity,
      minTimeout: FIRST_RETRY_AFTER_MS,
      maxTimeout: LAST_RETRY_AFTER_MS,
      randomize: true,
      maxRetryTime: Math.max(0, callBy.getTime() - Date.now()),
      shouldRetry: async ({ error }) => {
        if (metTheEnd(error)) return ++meetings === 1;
        const code = codeOf(error);
        // A server that lives answers this too, to an update-with-start that meets many others.
        if (code === grpc.unavailable) return temporalAnswers(client, answerBy);
        return code === grpc.resourceExhausted || code === grpc.cancelled;
      },
    });
  } catch (error) {
    throw await translated(client, error, answerBy);
  }
}

/** What a call answers, or undefined if there is no such workflow or it has ended. */
export async function unlessUnknown<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

/** Whether an update arrived at a workflow that completed or continued as new in the same moment. */
function metTheEnd(error: unknown): boolean {
  if (error instanceof WorkflowUpdateFailedError) {
    return error.cause instanceof ApplicationFailure && error.cause.type === COMPLETED_MEANWHILE;
  }
  return codeOf(error) === grpc.aborted;
}

/** The gRPC status of an error of the SDK; undefined if it has none. */
function codeOf(error: unknown): number | undefined {
  if (isGrpcServiceError(error)) return error.code;
  return error instanceof ServiceError && isGrpcServiceError(error.cause) ? error.cause.code : undefined;
}

async function translated(client: Client, error: unknown, answerBy: Date): Promise<unknown> {
  if (error instanceof WorkflowUpdateFailedError) return refusal(error);
  switch (codeOf(error)) {
    case grpc.resourceExhausted:
    case grpc.aborted:
      return caused(
        'WorkerUnavailable',
        'The cluster has too many requests to answer at this moment.',
        error,
      );
    // Temporal's answer to a query when no worker polls, or when the workflow has no first task yet.
    case grpc.failedPrecondition:
      return caused(
        'WorkerUnavailable',
        'No worker answers questions about the workflow at this moment.',
        error,
      );
    // CANCELLED: the server's answer when the poll that took a query is cut off by its worker's death, and the stream's
    // end when the server notices the deadline before this side does.
    case grpc.cancelled:
    case grpc.unavailable:
    case grpc.deadlineExceeded:
      return noAnswer(client, error, answerBy);
    default:
      return error instanceof WorkflowUpdateRPCTimeoutOrCancelledError
        ? noAnswer(client, error, answerBy)
        : error;
  }
}

/** What a workflow refused by a failure of the closed list; anything else is a defect and stays what it is. */
function refusal(error: WorkflowUpdateFailedError): Error {
  const { cause } = error;
  if (!(cause instanceof ApplicationFailure) || !isFailureType(cause.type)) return error;
  const detail: unknown = cause.details?.[0];
  const members = typeof detail === 'object' && detail !== null ? { ...detail } : {};
  return new KnownFailure(cause.type, cause.message, members);
}

/** A call that got no answer: either no worker took it, or Temporal itself is silent. */
async function noAnswer(client: Client, error: unknown, answerBy: Date): Promise<KnownFailure> {
  const lives = await temporalAnswers(client, answerBy);
  return lives
    ? caused('WorkerUnavailable', 'No worker answered in time. The request may be done all the same.', error)
    : caused('TemporalUnavailable', 'Temporal did not answer in time.', error);
}

/** Whether Temporal answers a simple question by the given moment. */
export async function temporalAnswers(client: Client, answerBy: Date): Promise<boolean> {
  try {
    await client.withDeadline(answerBy, async () => client.workflowService.getSystemInfo({}));
    return true;
  } catch {
    return false;
  }
}

function caused(
  type: 'WorkerUnavailable' | 'TemporalUnavailable',
  message: string,
  cause: unknown,
): KnownFailure {
  const failure = new KnownFailure(type, message);
  failure.cause = cause;
  return failure;
}
