import { z } from 'zod';
import type { JobReference } from './ids.ts';

/** The five things that are kept of every job. */
export const logKinds = ['info', 'environment', 'script', 'stdout', 'stderr'] as const;
export type LogKind = (typeof logKinds)[number];

/**
 * Whether a kind is a document, which is written anew as a whole when it changes, rather than a stream of bytes, which
 * only grows. Only the latest version of a document is read.
 */
export function isDocument(kind: LogKind): boolean {
  return kind !== 'stdout' && kind !== 'stderr';
}

/** CloudWatch log stream of one kind of one job. */
export function logStreamName({ epoch, campaignId, jobKey }: JobReference, kind: LogKind): string {
  return `${epoch}/${campaignId}/${jobKey}/${kind}`;
}

/** CloudWatch log stream of a campaign's manifest: a document. */
export function manifestStreamName({ epoch, campaignId }: Omit<JobReference, 'jobKey'>): string {
  return `${epoch}/${campaignId}/manifest`;
}

/** Bytes of a log at a place in it. */
export interface WrittenPiece {
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly omittedBytes?: undefined;
}

/** Where bytes of a long log were left out, between its head and its tail: how many, and from which place on. */
export interface OmittedPiece {
  readonly offset: number;
  readonly omittedBytes: number;
  readonly bytes?: undefined;
}

/** What one CloudWatch event holds. Offsets are those of the original, with what was left out. */
export type LogPiece = WrittenPiece | OmittedPiece;

/** The place in the log that follows a piece. */
export function endOf(piece: LogPiece): number {
  return piece.offset + (piece.bytes ? piece.bytes.length : piece.omittedBytes);
}

/** What is shown in the place of bytes that were left out: one line, in UTF-8. */
export function renderOmission(omittedBytes: number): Uint8Array {
  return Buffer.from(`[… ${omittedBytes} bytes left out …]\n`);
}

/** What is shown of a piece. */
export function renderPiece(piece: LogPiece): Uint8Array {
  return piece.bytes ?? renderOmission(piece.omittedBytes);
}

/** What of a piece lies from a place within it on. */
export function pieceFrom(piece: LogPiece, offset: number): LogPiece {
  return piece.bytes
    ? { offset, bytes: piece.bytes.subarray(offset - piece.offset) }
    : { offset, omittedBytes: endOf(piece) - offset };
}

/** Bytes that one event takes at most: in base 64, with its JSON around it, they stay below {@link MAX_MESSAGE_BYTES}. */
export const MAX_PIECE_BYTES = 128 * 1024;

/** Below the 256 KiB that CloudWatch took as one event until 2025; consoles and exporters still cut there. */
const MAX_MESSAGE_BYTES = 200 * 1024;

/**
 * Cuts bytes into pieces, at the ends of lines where there are any, never within a character, and so that lines of
 * text do not share a piece with bytes that are not text. `isEnd`: nothing follows. Otherwise what does not fill a
 * piece is left for the next call, which begins at the end of the last piece.
 */
export function cutIntoPieces(bytes: Uint8Array, offset: number, isEnd: boolean): WrittenPiece[] {
  const pieces: WrittenPiece[] = [];
  let position = 0;
  while (position < bytes.length) {
    const window = bytes.subarray(position, position + MAX_PIECE_BYTES);
    const isLast = position + window.length === bytes.length;
    if (isLast && !isEnd && window.length < MAX_PIECE_BYTES) break;
    const piece = window.subarray(0, pieceLength(window, isLast && isEnd));
    pieces.push({ offset: offset + position, bytes: piece });
    position += piece.length;
  }
  return pieces;
}

const NEWLINE = 0x0a;

function pieceLength(window: Uint8Array, isEnd: boolean): number {
  const end = isEnd ? window.length : lastGoodEnd(window);
  if (isText(window.subarray(0, end))) return end;
  return textLinesLength(window.subarray(0, end)) || end;
}

/** After the last line break, or else before a character that the window cuts. */
function lastGoodEnd(window: Uint8Array): number {
  return window.lastIndexOf(NEWLINE) + 1 || wholeTextLength(window);
}

/** Length of the bytes without a character of UTF-8 that their end cuts. */
export function wholeTextLength(bytes: Uint8Array): number {
  // A UTF-8 character has at most three continuation bytes (10xxxxxx) after its first.
  for (let back = 1; back <= 4; back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte >= 0xc0) return bytes.length - (back < lengthOfCharacter(byte) ? back : 0);
    if (byte < 0x80) break;
  }
  return bytes.length;
}

/** By its first byte: 110xxxxx, 1110xxxx or 11110xxx. */
function lengthOfCharacter(firstByte: number): number {
  if (firstByte < 0xe0) return 2;
  return firstByte < 0xf0 ? 3 : 4;
}

/** Length of the whole lines at the beginning that are text. */
function textLinesLength(bytes: Uint8Array): number {
  let length = 0;
  for (;;) {
    const lineEnd = bytes.indexOf(NEWLINE, length) + 1;
    if (lineEnd === 0 || !isText(bytes.subarray(length, lineEnd))) return length;
    length = lineEnd;
  }
}

/** Keeps a byte order mark, which a decoder otherwise takes for its own. */
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}

function isText(bytes: Uint8Array): boolean {
  return decoded(bytes) !== undefined;
}

/**
 * The message of an event: one line of JSON with the place in the log, because CloudWatch can hold an event twice and
 * gives back neither the order nor the white space of what it was given. Bytes that are not UTF-8, or that JSON
 * would have to escape at length, are written in base 64.
 */
export function encodePiece({ offset, bytes, omittedBytes }: LogPiece): string {
  if (bytes === undefined) return JSON.stringify({ offset, omittedBytes });
  const text = decoded(bytes);
  if (text !== undefined) {
    const message = JSON.stringify({ offset, text });
    if (Buffer.byteLength(message) <= MAX_MESSAGE_BYTES) return message;
  }
  return JSON.stringify({ offset, base64: Buffer.from(bytes).toString('base64') });
}

const messageSchema = z.union([
  z.strictObject({ offset: z.int().min(0), text: z.string() }),
  z.strictObject({ offset: z.int().min(0), base64: z.base64() }),
  z.strictObject({ offset: z.int().min(0), omittedBytes: z.int().min(1) }),
]);

/** The piece in the message of an event. TypeError, quoting nothing, if {@link encodePiece} did not make it. */
export function decodePiece(message: string): LogPiece {
  const parsed = messageSchema.safeParse(jsonOf(message));
  if (!parsed.success) throw new TypeError('The event is not one that this service wrote');
  const { offset, ...content } = parsed.data;
  if ('omittedBytes' in content) return { offset, omittedBytes: content.omittedBytes };
  return {
    offset,
    bytes: 'text' in content ? Buffer.from(content.text) : Buffer.from(content.base64, 'base64'),
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Limits of one call of PutLogEvents: events, and their bytes counted as below (PutLogEvents API reference). */
const MAX_BATCH_EVENTS = 10_000;
const MAX_BATCH_BYTES = 1_048_576;
const BYTES_PER_EVENT = 26;

/** Groups messages, in their order, into batches that PutLogEvents takes. */
export function batchMessages(messages: readonly string[]): string[][] {
  const batches: string[][] = [];
  let batch: string[] = [];
  let batchBytes = 0;
  for (const message of messages) {
    const bytes = Buffer.byteLength(message) + BYTES_PER_EVENT;
    if (batch.length > 0 && (batch.length === MAX_BATCH_EVENTS || batchBytes + bytes > MAX_BATCH_BYTES)) {
      batches.push(batch);
      batch = [];
      batchBytes = 0;
    }
    batch.push(message);
    batchBytes += bytes;
  }
  return batch.length > 0 ? [...batches, batch] : batches;
}

/**
 * Puts pieces together again, in whatever order and however often they come, also where the repetition was cut at
 * other places. What was left out is delivered as one line that says so, and the position goes on behind it.
 */
export class LogAssembler {
  #position: number;
  /** Pieces that lie beyond the position. Rare: only two writers at a time leave such. */
  #waiting: LogPiece[] = [];

  /** Bytes before `position` were delivered already. */
  constructor(position = 0) {
    this.#position = position;
  }

  /** The place in the log up to which everything was delivered. */
  get position(): number {
    return this.#position;
  }

  /** Where bytes are missing before a piece that is there; undefined if nothing is missing. */
  get gapAt(): number | undefined {
    return this.#waiting.length > 0 ? this.#position : undefined;
  }

  /** What can be delivered now that this piece has come, rendered. */
  add(piece: LogPiece): Uint8Array[] {
    return this.take(piece).map(renderPiece);
  }

  /** What can be delivered now that this piece has come: pieces in order, without repetition. */
  take(piece: LogPiece): LogPiece[] {
    this.#waiting.push(piece);
    const ready: LogPiece[] = [];
    for (;;) {
      const next = this.#waiting.find(({ offset }) => offset <= this.#position);
      if (!next) return ready;
      this.#waiting = this.#waiting.filter((waiting) => waiting !== next);
      if (endOf(next) <= this.#position) continue;
      ready.push(pieceFrom(next, this.#position));
      this.#position = endOf(next);
    }
  }
}
