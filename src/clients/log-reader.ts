import { createHash } from 'node:crypto';
import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { z } from 'zod';
import type { LogLocation } from '../domain/campaign-view.ts';
import { KnownFailure } from '../domain/failures.ts';
import {
  decodePiece,
  isDocument,
  LogAssembler,
  type LogKind,
  type LogPiece,
  logStreamName,
  renderPiece,
} from '../domain/log-events.ts';
import { isNotFound } from './aws-errors.ts';
import { incomplete, readStreamPage, readTail, type StreamTail } from './log-pages.ts';
import { type LogStream, readEvents } from './log-streams.ts';

/** One kind of log of one job. */
export interface JobLog {
  readonly location: LogLocation;
  readonly campaignId: string;
  readonly jobKey: string;
  readonly kind: LogKind;
}

export interface JobLogRequest extends JobLog {
  /** Where the previous page ended. */
  readonly pageToken?: string;
  /** Where to begin if there is no token, in bytes of the original; the beginning if absent. */
  readonly offset?: number;
  /** The end of the log if it was read already: it is not read again. */
  readonly tail?: StreamTail;
}

interface PageEnd {
  /** Where to read on: always present, because a running job can still write. */
  readonly nextPageToken: string;
  /** Whether this page reaches the end of what is stored now. */
  readonly atEnd: boolean;
}

export interface JobLogPage extends PageEnd {
  readonly content: Uint8Array;
}

/** A page with the places of what it holds: offsets are those of what the job wrote. */
export interface JobLogPieces extends PageEnd {
  /** In order, without repetition and without a gap but for what was left out on purpose. */
  readonly pieces: readonly LogPiece[];
}

/** Reads what {@link copyJobLogs} wrote, gap-free and without repetition. */
export interface LogReader {
  /**
   * One page; undefined if nothing of that kind was ever written. A document (info, environment, script) comes as a
   * whole, and again only if it has changed. InvalidRequest for a token that is not ours, LogIncomplete for a gap.
   */
  read(request: JobLogRequest): Promise<JobLogPage | undefined>;
  /** The same with places. */
  readPieces(request: JobLogRequest): Promise<JobLogPieces | undefined>;
  /**
   * The end of a log, with how many bytes the job has written as far as is known now; undefined if nothing was ever
   * written.
   */
  tail(log: JobLog): Promise<StreamTail | undefined>;
  /** Everything that is stored now. Yields nothing if nothing was ever written. */
  readAll(log: JobLog): AsyncIterable<Uint8Array>;
}

const tokenSchema = z.union([
  z.strictObject({
    position: z.int().min(0),
    cursor: z.string().optional(),
    since: z.int().min(0).optional(),
  }),
  z.strictObject({ document: z.string() }),
]);
type Token = z.output<typeof tokenSchema>;

export function createLogReader(logs: CloudWatchLogsClient): LogReader {
  const readPieces: LogReader['readPieces'] = async (request) => {
    const token = decodeToken(request.pageToken);
    const stream = streamOf(request);
    const { offset = 0 } = request;
    return unlessNotFound(async () => {
      if (isDocument(request.kind)) return readDocumentPage(logs, stream, offset, token);
      const place = token && 'position' in token ? token : { position: offset };
      const { pieces, next, atEnd } = await readStreamPage(logs, stream, place, request.tail);
      return { pieces, nextPageToken: encodeToken(next), atEnd };
    });
  };
  const read: LogReader['read'] = async (request) => {
    const page = await readPieces(request);
    if (!page) return undefined;
    const { pieces, ...end } = page;
    return { content: Buffer.concat(pieces.map(renderPiece)), ...end };
  };
  return {
    read,
    readPieces,
    tail: async (log) => {
      const stream = streamOf(log);
      return unlessNotFound(async () =>
        isDocument(log.kind)
          ? { sizeBytes: (await readDocument(logs, stream)).length, events: [] }
          : readTail(logs, stream),
      );
    },
    async *readAll(log) {
      let pageToken: string | undefined;
      for (;;) {
        const page = await read({ ...log, ...(pageToken && { pageToken }) });
        if (!page) return;
        if (page.content.length > 0) yield page.content;
        if (page.atEnd) return;
        pageToken = page.nextPageToken;
      }
    },
  };
}

async function unlessNotFound<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function streamOf({ location, campaignId, jobKey, kind }: JobLog): LogStream {
  const { epoch, logGroupName } = location;
  return { logGroupName, logStreamName: logStreamName({ epoch, campaignId, jobKey }, kind) };
}

async function readDocumentPage(
  logs: CloudWatchLogsClient,
  stream: LogStream,
  offset: number,
  token: Token | undefined,
): Promise<JobLogPieces> {
  const document = await readDocument(logs, stream);
  const hash = createHash('sha256').update(document).digest('base64url');
  const isKnown = token && 'document' in token && token.document === hash;
  const bytes = isKnown ? new Uint8Array() : document.subarray(offset);
  return {
    pieces: bytes.length > 0 ? [{ offset, bytes }] : [],
    nextPageToken: encodeToken({ document: hash }),
    atEnd: true,
  };
}

/** The latest version of a document: the pieces since the last one that begins at its beginning. */
export async function readDocument(logs: CloudWatchLogsClient, stream: LogStream): Promise<Buffer> {
  let assembler = new LogAssembler();
  let content: Uint8Array[] = [];
  let cursor: string | undefined;
  for (;;) {
    const { events, nextToken } = await readEvents(logs, stream, cursor);
    for (const { message = '' } of events) {
      const piece = decodePiece(message);
      if (piece.offset === 0) {
        assembler = new LogAssembler();
        content = [];
      }
      content.push(...assembler.add(piece));
    }
    if (nextToken === undefined || nextToken === cursor) break;
    cursor = nextToken;
  }
  if (assembler.gapAt !== undefined) throw incomplete(stream, assembler.gapAt);
  return Buffer.concat(content);
}

function encodeToken(token: Token): string {
  return Buffer.from(JSON.stringify(token)).toString('base64url');
}

function decodeToken(token: string | undefined): Token | undefined {
  if (token === undefined) return undefined;
  try {
    return tokenSchema.parse(JSON.parse(Buffer.from(token, 'base64url').toString()));
  } catch (cause) {
    const reason = 'is not a page token of this log';
    const failure = new KnownFailure('InvalidRequest', `query pageToken: ${reason}`, {
      errors: [{ in: 'query', path: 'pageToken', reason }],
    });
    failure.cause = cause;
    throw failure;
  }
}
