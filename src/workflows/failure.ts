import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';
import {
  type Failure,
  type FailureType,
  failureOf,
  failures,
  isFailureType,
  unexpectedFailure,
} from '../domain/failures.ts';
import type { FieldProblem } from '../domain/lifetime.ts';

/** Rejects an update, or fails it, with a failure of the closed list. `extra` reaches the API beside the next step. */
export function rejection(
  type: FailureType,
  message: string,
  extra: Readonly<Record<string, unknown>> = {},
): ApplicationFailure {
  return ApplicationFailure.create({
    type,
    message,
    nonRetryable: true,
    details: [{ nextStep: failures[type].nextStep, ...extra }],
  });
}

/** Rejects an update as InvalidRequest that names the field, if something is wrong with one. */
export function refuse(problem: FieldProblem | undefined): void {
  if (!problem) return;
  const { path, reason } = problem;
  throw rejection('InvalidRequest', `${path || 'the request'}: ${reason}`, {
    errors: [{ in: 'body', path, reason }],
  });
}

/**
 * What an activity's failure means: the innermost failure of the closed list, else a timeout with the last error
 * that it hides, else something unexpected. `timedOut` is what a timeout means where the activity was called.
 */
export function failureFrom(error: unknown, timedOut: FailureType = 'ProvisioningTimedOut'): Failure {
  const chain = causes(error);
  const known = chain.findLast((cause) => cause instanceof ApplicationFailure && isFailureType(cause.type));
  if (known instanceof ApplicationFailure && isFailureType(known.type))
    return failureOf(known.type, known.message);
  const activity = chain.find((cause) => cause instanceof ActivityFailure);
  const step = activity instanceof ActivityFailure ? `${activity.activityType}: ` : '';
  const last = chain.at(-1);
  const message = `${step}${last instanceof Error ? last.message : String(last)}`;
  if (chain.some((cause) => cause instanceof TimeoutFailure)) return failureOf(timedOut, message);
  return unexpectedFailure(message);
}

function causes(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let cause = error; cause !== undefined && chain.length < 20;) {
    chain.push(cause);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return chain;
}
