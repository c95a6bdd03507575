import { messageOf } from './errors.ts';

/** News about a part of the stack while it starts. */
export interface ProgressEvent {
  readonly component: string;
  /** `given up` when another part, or the user, made it worthless. */
  readonly status: 'starting' | 'ready' | 'failed' | 'given up';
  /** What it is doing, where it is, or why it failed. */
  readonly detail: string;
  /** Since the part began. */
  readonly seconds: number;
}

/** Receives the news; must not throw. */
export type ReportProgress = (event: ProgressEvent) => void;

/**
 * Runs one part's start and reports how it goes. `start` may tell what it is doing; `describe` puts the result into
 * a few words. What fails after `signal` was aborted has no failure of its own to tell.
 */
export async function withProgress<T>(
  report: ReportProgress,
  component: string,
  start: (onProgress: (detail: string) => void) => Promise<T>,
  describe: (result: T) => string,
  signal: AbortSignal,
): Promise<T> {
  const startedAt = performance.now();
  const tell = (status: ProgressEvent['status'], detail: string): void =>
    report({ component, status, detail, seconds: (performance.now() - startedAt) / 1000 });
  tell('starting', '');
  try {
    signal.throwIfAborted();
    const result = await start((detail) => {
      if (!signal.aborted) tell('starting', detail);
    });
    tell('ready', describe(result));
    return result;
  } catch (error) {
    if (signal.aborted) tell('given up', '');
    else tell('failed', messageOf(error));
    throw error;
  }
}
