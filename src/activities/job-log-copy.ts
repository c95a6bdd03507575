import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { readDocument } from '../clients/log-reader.ts';
import { appendMessages, ensureLogStream, lastEvent } from '../clients/log-streams.ts';
import type { LogStream } from '../clients/log-streams.ts';
import { KnownFailure } from '../domain/failures.ts';
import { cutIntoPieces, decodePiece, encodePiece, endOf } from '../domain/log-events.ts';
import type { LogPiece } from '../domain/log-events.ts';

/** Where a stream ends: the next byte of the log, and the earliest time that its event may have (ms since 1970). */
export interface StreamEnd {
  readonly position: number;
  readonly notBefore: number;
}

/**
 * Makes the stream if needed and says where it ends. Nothing else remembers that: the stream itself is the only
 * record of what was copied, so it cannot disagree with another one.
 */
export async function openStream(
  logs: CloudWatchLogsClient,
  stream: LogStream,
  nowMs: number,
): Promise<StreamEnd> {
  const existed = (await ensureLogStream(logs, stream)) === 'existed';
  const last = existed ? await lastEvent(logs, stream) : undefined;
  if (!last) return { position: 0, notBefore: nowMs };
  const position = endOf(decodePiece(last.message ?? ''));
  return { position, notBefore: afterEvent(last.timestamp, nowMs) };
}

/** Pieces that are to be appended at a place, and where the stream ends then. */
export interface Appendix {
  readonly at: StreamEnd;
  readonly pieces: readonly LogPiece[];
  readonly end: StreamEnd;
}

/** Cuts bytes into pieces for the end of a stream. `isEnd`: nothing follows `bytes`; otherwise a rest may be left. */
export function appendixOf(at: StreamEnd, bytes: Uint8Array, isEnd: boolean): Appendix {
  const pieces = cutIntoPieces(bytes, at.position, isEnd);
  return { at, pieces, end: endAfter(at, pieces) };
}

/** The same, followed by the note that so many bytes are left out. */
export function withOmission({ at, pieces, end }: Appendix, omittedBytes: number): Appendix {
  const all = [...pieces, { offset: end.position, omittedBytes }];
  return { at, pieces: all, end: endAfter(at, all) };
}

/** Every event has a time of its own (see {@link appendMessages}). */
function endAfter({ position, notBefore }: StreamEnd, pieces: readonly LogPiece[]): StreamEnd {
  const last = pieces.at(-1);
  return { position: last ? endOf(last) : position, notBefore: notBefore + pieces.length };
}

export async function append(
  logs: CloudWatchLogsClient,
  stream: LogStream,
  { at, pieces }: Appendix,
): Promise<void> {
  if (pieces.length > 0) await appendMessages(logs, stream, pieces.map(encodePiece), at.notBefore);
}

/** Writes a document, unless it is what the stream holds already. Answers how many bytes were written. */
export async function writeDocument(
  logs: CloudWatchLogsClient,
  stream: LogStream,
  document: Buffer,
  nowMs: number,
): Promise<number> {
  let notBefore = nowMs;
  if ((await ensureLogStream(logs, stream)) === 'existed') {
    if ((await storedDocument(logs, stream))?.equals(document)) return 0;
    notBefore = afterEvent((await lastEvent(logs, stream))?.timestamp, nowMs);
  }
  await append(logs, stream, appendixOf({ position: 0, notBefore }, document, true));
  return document.length;
}

/** What the stream holds; undefined if an attempt died while it wrote. */
async function storedDocument(logs: CloudWatchLogsClient, stream: LogStream): Promise<Buffer | undefined> {
  try {
    return await readDocument(logs, stream);
  } catch (error) {
    if (error instanceof KnownFailure && error.type === 'LogIncomplete') return undefined;
    throw error;
  }
}

/** Times of events must grow, also when the clock of another worker was ahead. */
function afterEvent(timestamp: number | undefined, nowMs: number): number {
  return Math.max(nowMs, (timestamp ?? 0) + 1);
}
