import type { CloudWatchLogsClient, OutputLogEvent } from '@aws-sdk/client-cloudwatch-logs';
import { KnownFailure } from '../domain/failures.ts';
import { decodePiece, endOf, LogAssembler, type LogPiece } from '../domain/log-events.ts';
import { isInvalidPageToken } from './aws-errors.ts';
import { lastEvents, type LogStream, readEvents } from './log-streams.ts';

/** A place in a stream from which its bytes are read on. */
export interface StreamPlace {
  /** Offset in the original. */
  readonly position: number;
  /** CloudWatch's own token for what follows. It forgets it after 24 hours; the position stays true. */
  readonly cursor?: string | undefined;
  /** The time (ms since 1970) from which on events are read: all pages that a cursor leads through have the same. */
  readonly since?: number | undefined;
}

export interface StreamPage {
  /** In order, without repetition; from the place that was asked for on. */
  readonly pieces: readonly LogPiece[];
  readonly next: StreamPlace;
  /** Whether this page reaches the end of what is stored now. */
  readonly atEnd: boolean;
}

/** The end of a stream as it was when it was looked at. */
export interface StreamTail {
  /** How many bytes of the original the stream tells of. */
  readonly sizeBytes: number;
  /** The latest events, oldest first. */
  readonly events: readonly OutputLogEvent[];
}

/** A page is full with this much; one event, or one page of CloudWatch (1 MB), can go beyond. */
const PAGE_BYTES = 512 * 1024;

/** Up to here a stream is read from its beginning: a few pages of CloudWatch. */
const NEAR_BYTES = 4 * 1024 * 1024;

/** What is read and skipped rather than sought any further: a page of CloudWatch. */
const SKIPPED_BYTES = 1024 * 1024;

/**
 * How much of the end of a stream is looked at. A follower copies 4 MiB at most after the final copy has begun (see
 * `copyJobLogs`), so whichever of them writes last, the end of the log is among it.
 */
const TAIL = { bytes: 6 * 1024 * 1024 } as const;

/** Bisections of the time in which a stream was written: enough for a month in steps of a minute. */
const MAX_PROBES = 16;

/** What may lie beyond a gap before it counts as one: more than two writers at a time leave, each with its 1 MB. */
const MAX_BYTES_BEYOND_GAP = 32 * 1024 * 1024;

/**
 * One page of a stream of bytes from a place on. LogIncomplete if something is missing in the middle. `known`: the end
 * of the stream if it was read already, which is not read again.
 */
export async function readStreamPage(
  logs: CloudWatchLogsClient,
  stream: LogStream,
  place: StreamPlace,
  known?: StreamTail,
): Promise<StreamPage> {
  if (place.cursor !== undefined) {
    try {
      return await assemblePage(logs, stream, place);
    } catch (error) {
      if (!isInvalidPageToken(error)) throw error;
    }
  }
  const { position } = place;
  const isNear = position <= NEAR_BYTES;
  const mayBeEnd = known !== undefined || (!isNear && place.since === undefined);
  const tail = mayBeEnd ? (known ?? (await readTail(logs, stream))).events : [];
  const end = pageOfTail(tail, position);
  if (end) return end;
  if (isNear) return assemblePage(logs, stream, { position });
  const since = place.since ?? (await timeBefore(logs, stream, position, tail[0]?.timestamp));
  try {
    return await assemblePage(logs, stream, { position, since });
  } catch (error) {
    // Where writers overlapped, what follows a place can be older than an event before it: the whole stream has it.
    if (since === undefined || !isIncomplete(error)) throw error;
    return assemblePage(logs, stream, { position });
  }
}

/** Everything from a position on, if the end of the stream has it. */
function pageOfTail(tail: readonly OutputLogEvent[], position: number): StreamPage | undefined {
  const last = tail.at(-1);
  const assembler = new LogAssembler(position);
  const pieces = tail.flatMap(({ message = '' }) => assembler.take(decodePiece(message)));
  if (!last || assembler.gapAt !== undefined) return undefined;
  return { pieces, next: { position: assembler.position, since: last.timestamp }, atEnd: true };
}

async function assemblePage(
  logs: CloudWatchLogsClient,
  stream: LogStream,
  { position, cursor: firstCursor, since }: StreamPlace,
): Promise<StreamPage> {
  const assembler = new LogAssembler(position);
  const pieces: LogPiece[] = [];
  let cursor = firstCursor;
  let bytesBeyondGap = 0;
  for (;;) {
    const { events, nextToken } = await readEvents(logs, stream, cursor, { startTime: since });
    for (const { message = '' } of events) {
      pieces.push(...assembler.take(decodePiece(message)));
      bytesBeyondGap = assembler.gapAt === undefined ? 0 : bytesBeyondGap + message.length;
    }
    const atEnd = nextToken === undefined || nextToken === cursor;
    cursor = nextToken ?? cursor;
    // A page never ends before a gap: what lies beyond it could not be found again from the next one's token.
    if (assembler.gapAt !== undefined && (atEnd || bytesBeyondGap > MAX_BYTES_BEYOND_GAP)) {
      throw incomplete(stream, assembler.gapAt);
    }
    const isFull = pieces.reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0) >= PAGE_BYTES;
    if (atEnd || (isFull && assembler.gapAt === undefined)) {
      return { pieces, next: { position: assembler.position, cursor, since }, atEnd };
    }
  }
}

/** The end of a stream as it is now. */
export async function readTail(logs: CloudWatchLogsClient, stream: LogStream): Promise<StreamTail> {
  const events = await lastEvents(logs, stream, TAIL);
  return { sizeBytes: Math.max(0, ...events.map(({ message = '' }) => endOf(decodePiece(message)))), events };
}

/**
 * A time (ms since 1970) before `lastTime` from which on the events hold what follows a position; undefined for the
 * beginning. Events come in the order of their offsets but where writers overlapped: a good guess, which the reader
 * checks.
 */
async function timeBefore(
  logs: CloudWatchLogsClient,
  stream: LogStream,
  position: number,
  lastTime = 0,
): Promise<number | undefined> {
  const [first] = (await readEvents(logs, stream, undefined, { limit: 1 })).events;
  let from = first?.timestamp ?? 0;
  let until = lastTime;
  let best: number | undefined;
  for (let probe = 0; probe < MAX_PROBES && until - from > 1; probe++) {
    const startTime = Math.floor((from + until) / 2);
    const [event] = (await readEvents(logs, stream, undefined, { startTime, limit: 1 })).events;
    const offset = event && decodePiece(event.message ?? '').offset;
    if (offset === undefined || offset > position) {
      until = startTime;
    } else {
      best = event?.timestamp;
      if (position - offset <= SKIPPED_BYTES) return best;
      from = Math.max(startTime, best ?? startTime);
    }
  }
  return best;
}

/** LogIncomplete, naming the stream and the place. */
export function incomplete({ logGroupName, logStreamName }: LogStream, gapAt: number): KnownFailure {
  return new KnownFailure(
    'LogIncomplete',
    `Log stream ${logStreamName} of ${logGroupName} lacks what follows byte ${gapAt}`,
    { logGroupName, logStreamName, gapAt },
  );
}

function isIncomplete(error: unknown): boolean {
  return error instanceof KnownFailure && error.type === 'LogIncomplete';
}
