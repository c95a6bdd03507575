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

/** Appends what can be cut into pieces, and says where the stream ends then. `isEnd`: nothing follows `bytes`. */
export async function appendBytes(
  logs: CloudWatchLogsClient,
  stream: LogStream,
  end: StreamEnd,
  bytes: Uint8Array,
  isEnd: boolean,
): Promise<StreamEnd> {
  return appendPieces(logs, stream, end, cutIntoPieces(bytes, end.position, isEnd));
}

/** Notes that so many bytes are left out here. */
export async function appendOmission(
  logs: CloudWatchLogsClient,
  stream: LogStream,
  end: StreamEnd,
  omittedBytes: number,
): Promise<StreamEnd> {
  return appendPieces(logs, stream, end, [{ offset: end.position, omittedBytes }]);
}

async function appendPieces(
  logs: CloudWatchLogsClient,
  stream: LogStream,
  end: StreamEnd,
  pieces: readonly LogPiece[],
): Promise<StreamEnd> {
  const last = pieces.at(-1);
  if (!last) return end;
  const notBefore = await appendMessages(logs, stream, pieces.map(encodePiece), end.notBefore);
  return { position: endOf(last), notBefore };
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
  await appendBytes(logs, stream, { position: 0, notBefore }, document, true);
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
