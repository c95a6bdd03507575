import { isUtf8 } from 'node:buffer';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JobLogPieces } from '../clients/log-reader.ts';
import type { JobView } from '../domain/campaign-view.ts';
import { failures, KnownFailure } from '../domain/failures.ts';
import { endOf, type LogPiece, renderPiece } from '../domain/log-events.ts';

/** How often a tail looks for more. Milliseconds. */
export interface TailPace {
  /** After something new came. */
  readonly pollMs: number;
  /** What the pause grows to while nothing comes. */
  readonly maxPollMs: number;
  /** After so long without an event a comment keeps the connection open. */
  readonly pingMs: number;
}

/**
 * Output of running jobs is copied every 10 s; CloudWatch Logs allows 25 calls of GetLogEvents a second in one account
 * and region (its quotas). Proxies cut connections that are silent for a minute.
 */
export const defaultTailPace: TailPace = { pollMs: 2_000, maxPollMs: 10_000, pingMs: 15_000 };

const PAUSE_GROWS_BY = 1.5;

/** What a reader waits before it connects again. */
const RETRY_MS = 5_000;

export interface Tail {
  /** What is stored from a place on. AwsUnavailable while that cannot be said. */
  readonly readPieces: (
    place: { readonly pageToken: string } | { readonly offset: number },
  ) => Promise<JobLogPieces | undefined>;
  /** The job when the tail begins. */
  readonly job: JobView;
  /** The job now. WorkerUnavailable and others while that cannot be said. */
  readonly lookAtJob: () => Promise<JobView>;
  /** Where to begin, in bytes of what the job wrote. */
  readonly offset: number;
  readonly pace: TailPace;
  /** Ends the tail. */
  readonly signal: AbortSignal;
}

/**
 * A log as server-sent events (HTML standard, "Server-sent events"): what is there, then what comes, and `end` when
 * the job has ended and all is there. The id of each event is the offset of the byte that follows. While a service is
 * away, nothing new comes.
 */
export async function* tailEvents(tail: Tail): AsyncGenerator<string, void, undefined> {
  const { pace, signal } = tail;
  let { job, offset } = tail;
  let pageToken: string | undefined;
  let pauseMs = pace.pollMs;
  let sentAt = Date.now();
  yield `retry: ${RETRY_MS}\n\n`;
  while (!signal.aborted) {
    // What is read after the job was seen complete is all there is.
    const isComplete = job.logsComplete;
    const page = await unlessAway(
      async () => tail.readPieces(pageToken === undefined ? { offset } : { pageToken }),
      isComplete,
    );
    for (const piece of page.answer?.pieces ?? []) {
      offset = endOf(piece);
      sentAt = Date.now();
      yield eventOf(piece);
    }
    pageToken = page.answer?.nextPageToken ?? pageToken;
    if (page.answer && !page.answer.atEnd) continue;
    if (isComplete && !page.isAway) {
      yield endEvent(offset, job);
      return;
    }
    const hasGrown = (page.answer?.pieces.length ?? 0) > 0;
    pauseMs = hasGrown ? pace.pollMs : Math.min(pauseMs * PAUSE_GROWS_BY, pace.maxPollMs);
    if (!(await paused(pauseMs, signal))) return;
    if (Date.now() - sentAt >= pace.pingMs) {
      sentAt = Date.now();
      yield ': ping\n\n';
    }
    if (!hasGrown) job = (await unlessAway(tail.lookAtJob, true)).answer ?? job;
  }
}

/** What a call answers, unless the service behind it is away, or a writer has yet to fill a gap. */
async function unlessAway<T>(
  call: () => Promise<T>,
  isComplete: boolean,
): Promise<{ readonly answer?: T; readonly isAway: boolean }> {
  try {
    return { answer: await call(), isAway: false };
  } catch (error) {
    const isAway =
      error instanceof KnownFailure &&
      (failures[error.type].httpStatus === 503 || (error.type === 'LogIncomplete' && !isComplete));
    if (!isAway) throw error;
    return { isAway };
  }
}

/** False if the tail was ended meanwhile. */
async function paused(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(ms, undefined, { signal });
    return true;
  } catch {
    return false;
  }
}

/**
 * Text as it is, line by line. A carriage return would end a line there, so what has one is sent in base 64, as are
 * bytes that are not UTF-8: nothing that a job wrote is changed on the way.
 */
function eventOf(piece: LogPiece): string {
  const bytes = Buffer.from(renderPiece(piece));
  const id = endOf(piece);
  if (!isUtf8(bytes) || bytes.includes('\r')) return event(id, bytes.toString('base64'), 'base64');
  return event(id, bytes.toString());
}

function endEvent(offset: number, { state, exitCode, signal }: JobView): string {
  return event(offset, JSON.stringify({ state, exitCode, signal }), 'end');
}

function event(id: number, data: string, type?: string): string {
  const lines = data.split('\n').map((line) => `data: ${line}\n`);
  return `${type === undefined ? '' : `event: ${type}\n`}id: ${id}\n${lines.join('')}\n`;
}
