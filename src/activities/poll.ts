import { setTimeout as sleep } from 'node:timers/promises';
import pRetry from 'p-retry';
import { isPassing } from '../clients/aws-errors.ts';

/**
 * So long after a change AWS may answer as if it had not been made: what was created is not found, what is deleted is shown
 * as it was. EC2's guide ("Eventual consistency") speaks of a few minutes of waiting at most; usual are seconds.
 */
const SETTLING_SECONDS = 30;

/** Begins with a change; answers whether AWS may not show it everywhere yet. */
export function settling(): () => boolean {
  const changedAt = performance.now();
  return () => performance.now() - changedAt < SETTLING_SECONDS * 1000;
}

/** Waits, unless the activity is cancelled: then it throws the reason at once. */
export async function pause(seconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(seconds * 1000, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

/**
 * Looks until there is something to see. `look` answers undefined for "not yet"; what it throws ends the wait unless it
 * passes, see {@link persist}, and so does cancellation, with its own reason.
 */
export async function pollUntil<T>(
  look: () => Promise<T | undefined>,
  { intervalSeconds, signal }: { readonly intervalSeconds: number; readonly signal: AbortSignal },
): Promise<T> {
  for (;;) {
    signal.throwIfAborted();
    const seen = await persist(look, signal);
    if (seen !== undefined) return seen;
    await pause(intervalSeconds, signal);
  }
}

/** Tries of one call after the SDK's own, some minutes in all. */
const PERSISTENT_RETRIES = 12;
const FIRST_PERSISTENT_PAUSE_MS = 500;
const LAST_PERSISTENT_PAUSE_MS = 20_000;

/**
 * One of many calls of an activity that would have to begin anew when it fails: while AWS is in trouble, an activity of a
 * hundred calls would hardly ever come to its end with the few tries that the SDK makes of each.
 */
export async function persist<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T> {
  return pRetry(call, {
    retries: PERSISTENT_RETRIES,
    minTimeout: FIRST_PERSISTENT_PAUSE_MS,
    maxTimeout: LAST_PERSISTENT_PAUSE_MS,
    randomize: true,
    signal,
    shouldRetry: ({ error }) => isPassing(error),
  });
}
