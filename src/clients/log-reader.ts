import { createHash } from 'node:crypto';
import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { z } from 'zod';
import type { LogLocation } from '../domain/campaign-view.ts';
import { KnownFailure } from '../domain/failures.ts';
import { decodePiece, isDocument, LogAssembler, logStreamName } from '../domain/log-events.ts';
import type { LogKind } from '../domain/log-events.ts';
import { isInvalidPageToken, isNotFound } from './aws-errors.ts';
import { readEvents } from './log-streams.ts';
import type { LogStream } from './log-streams.ts';

export interface JobLogRequest {
  readonly location: LogLocation;
  readonly campaignId: string;
  readonly jobKey: string;
  readonly kind: LogKind;
  /** Where the previous page ended; the beginning if absent. */
  readonly pageToken?: string;
}

export interface JobLogPage {
  readonly content: Uint8Array;
  /** Where to read on: always present, because a running job can still write. */
  readonly nextPageToken: string;
  /** Whether this page reaches the end of what is stored now. */
  readonly atEnd: boolean;
}

/** Reads what {@link copyJobLogs} wrote, gap-free and without repetition. */
export interface LogReader {
  /**
   * One page; undefined if nothing of that kind was ever written. A document (info, environment, script) comes as a
   * whole, and again only if it has changed. InvalidRequest for a token that is not ours, LogIncomplete for a gap.
   */
  read(request: JobLogRequest): Promise<JobLogPage | undefined>;
  /** Everything that is stored now. Yields nothing if nothing was ever written. */
  readAll(request: Omit<JobLogRequest, 'pageToken'>): AsyncIterable<Uint8Array>;
}

/** A page is full with this much; one event, or one page of CloudWatch (1 MB), can go beyond. */
const PAGE_BYTES = 512 * 1024;

const tokenSchema = z.union([
  z.strictObject({ position: z.int().min(0), cursor: z.string().optional() }),
  z.strictObject({ document: z.string() }),
]);
type Token = z.output<typeof tokenSchema>;

export function createLogReader(logs: CloudWatchLogsClient): LogReader {
  const read: LogReader['read'] = async (request) => {
    const token = decodeToken(request.pageToken);
    const stream = streamOf(request);
    try {
      return isDocument(request.kind)
        ? await readDocumentPage(logs, stream, token)
        : await readStreamPage(logs, stream, token);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  };
  return {
    read,
    async *readAll(request) {
      let pageToken: string | undefined;
      for (;;) {
        const page = await read({ ...request, ...(pageToken && { pageToken }) });
        if (!page) return;
        if (page.content.length > 0) yield page.content;
        if (page.atEnd) return;
        pageToken = page.nextPageToken;
      }
    },
  };
}

function streamOf({ location, campaignId, jobKey, kind }: JobLogRequest): LogStream {
  const { epoch, logGroupName } = location;
  return { logGroupName, logStreamName: logStreamName({ epoch, campaignId, jobKey }, kind) };
}

/** Reads on from a place: by CloudWatch's own token where there is one, otherwise from the head, skipping. */
async function readStreamPage(
  logs: CloudWatchLogsClient,
  stream: LogStream,
  token: Token | undefined,
): Promise<JobLogPage> {
  const start = token && 'position' in token ? token : { position: 0 };
  try {
    return await assemblePage(logs, stream, start.position, start.cursor);
  } catch (error) {
    // CloudWatch forgets its tokens after 24 hours. The place in the log is ours and stays true.
    if (start.cursor === undefined || !isInvalidPageToken(error)) throw error;
    return assemblePage(logs, stream, start.position, undefined);
  }
}

async function assemblePage(
  logs: CloudWatchLogsClient,
  stream: LogStream,
  position: number,
  firstCursor: string | undefined,
): Promise<JobLogPage> {
  const assembler = new LogAssembler(position);
  const content: Uint8Array[] = [];
  let cursor = firstCursor;
  for (;;) {
    const { events, nextToken } = await readEvents(logs, stream, cursor);
    for (const { message = '' } of events) content.push(...assembler.add(decodePiece(message)));
    const atEnd = nextToken === undefined || nextToken === cursor;
    cursor = nextToken ?? cursor;
    const isFull = assembler.position - position >= PAGE_BYTES;
    // A page never ends before a gap: what lies beyond it could not be found again from the next one's token.
    if (atEnd && assembler.gapAt !== undefined) throw incomplete(stream, assembler.gapAt);
    if (atEnd || (isFull && assembler.gapAt === undefined)) {
      const nextPageToken = encodeToken({ position: assembler.position, ...(cursor && { cursor }) });
      return { content: Buffer.concat(content), nextPageToken, atEnd };
    }
  }
}

async function readDocumentPage(
  logs: CloudWatchLogsClient,
  stream: LogStream,
  token: Token | undefined,
): Promise<JobLogPage> {
  const document = await readDocument(logs, stream);
  const hash = createHash('sha256').update(document).digest('base64url');
  const isKnown = token && 'document' in token && token.document === hash;
  return {
    content: isKnown ? Buffer.alloc(0) : document,
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

function incomplete({ logGroupName, logStreamName }: LogStream, gapAt: number): KnownFailure {
  return new KnownFailure(
    'LogIncomplete',
    `Log stream ${logStreamName} of ${logGroupName} lacks what follows byte ${gapAt}`,
    { logGroupName, logStreamName, gapAt },
  );
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
