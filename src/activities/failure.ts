import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import { failures, KnownFailure } from '../domain/failures.ts';
import type { FailureType } from '../domain/failures.ts';

/** Expected while a cluster comes up: neither an error in the logs nor a failure in the metrics. */
const benignTypes: ReadonlySet<FailureType> = new Set(['ClusterNotReady']);

/**
 * A failure of the closed list as it crosses from an activity to its workflow: `type` is the `FailureType`, the first
 * detail holds `nextStep` beside the failure's own details, and what cannot succeed by repetition is not retried.
 */
export function knownToApplicationFailure(failure: KnownFailure): ApplicationFailure {
  const { retryable, nextStep } = failures[failure.type];
  return ApplicationFailure.create({
    type: failure.type,
    message: failure.message,
    nonRetryable: !retryable,
    details: [{ ...failure.details, nextStep }],
    ...(benignTypes.has(failure.type) ? { category: ApplicationFailureCategory.BENIGN } : {}),
  });
}

type ActivityFunction = (...args: never[]) => Promise<unknown>;

/**
 * The same activities, throwing `ApplicationFailure`s where they threw `KnownFailure`s. Everything else passes
 * through unchanged: a bug keeps its stack, a cancellation stays a cancellation.
 */
export function translateFailures<T extends Record<keyof T, ActivityFunction>>(activities: T): T {
  // Proxies keep the exact types without an assertion; the worker enumerates and reads them like plain functions.
  return new Proxy(activities, {
    get(target, name): unknown {
      const activity: unknown = Reflect.get(target, name);
      return typeof activity === 'function' ? new Proxy(activity, { apply: applyTranslated }) : activity;
    },
  });
}

async function applyTranslated(activity: Function, self: unknown, args: unknown[]): Promise<unknown> {
  try {
    return await Reflect.apply(activity, self, args);
  } catch (error) {
    throw error instanceof KnownFailure ? knownToApplicationFailure(error) : error;
  }
}
