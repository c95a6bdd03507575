import type { StreamTail } from '../clients/log-pages.ts';
import type { JobLog, LogReader } from '../clients/log-reader.ts';
import { endOf, type LogPiece } from '../domain/log-events.ts';
import type { ByteRange } from './byte-range.ts';

/** Bytes of a log as the job wrote them. */
export interface LogRange {
  readonly first: number;
  readonly bytes: Buffer;
}

/**
 * What one answer holds at most: read from CloudWatch within the time of a request. A longer range is answered by its
 * beginning, the end of a log by its last bytes (RFC 9110, section 15.3.7: `Content-Range` says what came).
 */
const MAX_RANGE_BYTES = 4 * 1024 * 1024;

/**
 * The part of a range that can be answered: without a gap, so it ends where bytes were left out of a long log, or
 * begins behind them. Undefined if none of it is there. `tail`: the end of the log as it is now.
 */
export async function readRange(
  logs: Pick<LogReader, 'readPieces'>,
  log: JobLog,
  range: ByteRange,
  tail: StreamTail,
): Promise<LogRange | undefined> {
  const { sizeBytes } = tail;
  const isSuffix = 'suffixBytes' in range;
  const collected = new Collected(
    isSuffix ? Math.max(0, sizeBytes - Math.min(range.suffixBytes, MAX_RANGE_BYTES)) : range.first,
    isSuffix ? sizeBytes : Math.min(range.last ?? Infinity, sizeBytes - 1) + 1,
    isSuffix,
  );
  let pageToken: string | undefined;
  while (!collected.isFull) {
    const place = pageToken === undefined ? { offset: collected.first, tail } : { pageToken };
    const page = await logs.readPieces({ ...log, ...place });
    for (const piece of page?.pieces ?? []) collected.add(piece);
    if (!page || page.atEnd) break;
    pageToken = page.nextPageToken;
  }
  return collected.range;
}

class Collected {
  first: number;
  private readonly until: number;
  private readonly keepsLast: boolean;
  private parts: Uint8Array[] = [];
  private length = 0;
  private isCut = false;

  constructor(first: number, until: number, keepsLast: boolean) {
    this.first = first;
    this.until = until;
    this.keepsLast = keepsLast;
  }

  get isFull(): boolean {
    return this.isCut || this.length >= Math.min(this.until - this.first, MAX_RANGE_BYTES);
  }

  get range(): LogRange | undefined {
    const wanted = Math.min(this.until - this.first, MAX_RANGE_BYTES);
    const bytes = Buffer.concat(this.parts).subarray(0, Math.max(0, wanted));
    return bytes.length > 0 ? { first: this.first, bytes } : undefined;
  }

  add(piece: LogPiece): void {
    if (this.isFull) return;
    if (piece.bytes) {
      this.parts.push(piece.bytes);
      this.length += piece.bytes.length;
    } else if (this.length > 0 && !this.keepsLast) {
      this.isCut = true;
    } else {
      this.first = endOf(piece);
      this.parts = [];
      this.length = 0;
    }
  }
}
