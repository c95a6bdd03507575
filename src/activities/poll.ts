import { setTimeout as sleep } from 'node:timers/promises';

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
 * Looks until there is something to see. `look` answers undefined for "not yet"; what it throws ends the wait, and
 * so does cancellation, with its own reason.
 */
export async function pollUntil<T>(
  look: () => Promise<T | undefined>,
  { intervalSeconds, signal }: { readonly intervalSeconds: number; readonly signal: AbortSignal },
): Promise<T> {
  for (;;) {
    signal.throwIfAborted();
    const seen = await look();
    if (seen !== undefined) return seen;
    await pause(intervalSeconds, signal);
  }
}
