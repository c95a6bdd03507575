import { setTimeout as sleep } from 'node:timers/promises';
import pRetry from 'p-retry';
import { isPassing } from '../clients/aws-errors.ts';

/**
 * So long after a change AWS may answer as if it had not been made: what was created is not found, what is deleted is shown
 * as it was. EC2's guide ("Eventual consistency") speaks of a few minutes of waiting at most; usual are seconds.
 */
const SETTLING_SECONDS = 30;

/** Begins with a change, or so long after one; answers whether AWS may not show it everywhere yet. */
export function settling(secondsAgo = 0): () => boolean {
  const changedAt = performance.now() - secondsAgo * 1000;
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

const SETTLING_LOOK_SECONDS = 2;

/**
 * Takes away what was made, or may have been. `take` answers whether it has seen all that there can be, and has taken it
 * away. Where something was asked for and what came of it is not known, it looks until AWS must show it: what is not found
 * before may be on its way, and would cost money that nobody looks after.
 *
 * @param askedSecondsAgo see `DeletionRequest`; a single look if undefined.
 */
export async function takeAway(
  take: () => Promise<boolean>,
  { askedSecondsAgo, signal }: { readonly askedSecondsAgo: number | undefined; readonly signal: AbortSignal },
): Promise<void> {
  const mayComeYet = askedSecondsAgo === undefined ? () => false : settling(askedSecondsAgo);
  const look = async (): Promise<true | undefined> => {
    const isLast = !mayComeYet();
    return (await take()) || isLast ? true : undefined;
  };
  await pollUntil(look, { intervalSeconds: SETTLING_LOOK_SECONDS, signal });
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
