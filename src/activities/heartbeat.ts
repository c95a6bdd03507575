import { Context } from '@temporalio/activity';

/** Used where the activity has no heartbeat timeout: cancellation reaches an activity only with a heartbeat. */
const DEFAULT_INTERVAL_MS = 5_000;

export interface Heartbeat {
  /** Aborted when the activity is cancelled, its worker shuts down, or its workflow is gone; the reason is set. */
  readonly signal: AbortSignal;
  /** What the previous attempt reported last, undefined if there was none: parse it before use. */
  readonly previous: unknown;
  /** Sent with the following heartbeats, so that the next attempt can resume from it. */
  readonly report: (progress: unknown) => void;
}

/**
 * Runs `fn` inside an activity and heartbeats until it settles: at once, then at a third of the activity's heartbeat
 * timeout, so that two lost beats are survived. Works wherever an activity `Context` exists, `MockActivityEnvironment` included.
 *
 * `fn` must stop when `signal` aborts. Progress must be plain JSON without secrets: it is written to the history.
 */
export async function withHeartbeat<T>(fn: (heartbeat: Heartbeat) => Promise<T>): Promise<T> {
  const context = Context.current();
  const previous: unknown = context.info.heartbeatDetails;
  let progress = previous;
  const beat = () => context.heartbeat(progress);
  const timeoutMs = context.info.heartbeatTimeoutMs;
  const timer = setInterval(beat, timeoutMs === undefined ? DEFAULT_INTERVAL_MS : timeoutMs / 3);
  try {
    beat();
    return await fn({
      signal: context.cancellationSignal,
      previous,
      report: (next) => {
        progress = next;
        beat();
      },
    });
  } finally {
    clearInterval(timer);
  }
}
