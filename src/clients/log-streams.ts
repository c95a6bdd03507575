import {
  CreateLogGroupCommand,
  CreateLogStreamCommand,
  GetLogEventsCommand,
  PutLogEventsCommand,
  PutRetentionPolicyCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import type { CloudWatchLogsClient, OutputLogEvent } from '@aws-sdk/client-cloudwatch-logs';
import { batchMessages } from '../domain/log-events.ts';
import { isAlreadyExists } from './aws-errors.ts';

/** One log stream, by its full name. */
export interface LogStream {
  readonly logGroupName: string;
  readonly logStreamName: string;
}

export interface LogEventsPage {
  readonly events: readonly OutputLogEvent[];
  /** Where to read on: equal to the token asked with when the end of the stream is reached. */
  readonly nextToken: string | undefined;
}

/** Makes a log group with its tags if it is not there, and sets how long it keeps what is written. */
export async function ensureLogGroup(
  logs: CloudWatchLogsClient,
  group: { readonly name: string; readonly retentionInDays: number; readonly tags: Record<string, string> },
): Promise<void> {
  try {
    await logs.send(new CreateLogGroupCommand({ logGroupName: group.name, tags: group.tags }));
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
  const { name: logGroupName, retentionInDays } = group;
  await logs.send(new PutRetentionPolicyCommand({ logGroupName, retentionInDays }));
}

/** Makes the stream; answers whether it was there before. */
export async function ensureLogStream(
  logs: CloudWatchLogsClient,
  stream: LogStream,
): Promise<'created' | 'existed'> {
  try {
    await logs.send(new CreateLogStreamCommand(stream));
    return 'created';
  } catch (error) {
    if (isAlreadyExists(error)) return 'existed';
    throw error;
  }
}

/**
 * Appends messages in as many calls as needed. Not idempotent: what a lost answer hides is written again by the next
 * attempt. `notBefore` and the result are milliseconds since 1970: events are given times that grow by one each, so
 * that CloudWatch, which sorts by time, keeps their order.
 */
export async function appendMessages(
  logs: CloudWatchLogsClient,
  stream: LogStream,
  messages: readonly string[],
  notBefore: number,
): Promise<number> {
  let timestamp = notBefore;
  for (const batch of batchMessages(messages)) {
    const logEvents = batch.map((message) => ({ timestamp: timestamp++, message }));
    const { rejectedLogEventsInfo } = await logs.send(new PutLogEventsCommand({ ...stream, logEvents }));
    if (rejectedLogEventsInfo) {
      throw new Error(
        `CloudWatch Logs refused events of ${stream.logStreamName}: ${JSON.stringify(rejectedLogEventsInfo)}`,
      );
    }
  }
  return timestamp;
}

/** The latest event of a stream, or undefined if it has none. */
export async function lastEvent(
  logs: CloudWatchLogsClient,
  stream: LogStream,
): Promise<OutputLogEvent | undefined> {
  return (await lastEvents(logs, stream, { bytes: 1, pageEvents: 1 })).at(-1);
}

/** About 1 MB at the usual size of our events, which is where CloudWatch ends a page in any case. Emulators do not. */
const PAGE_EVENTS = 16;

/** What GetLogEvents takes as its limit at most (API reference). */
const MAX_PAGE_EVENTS = 10_000;

/** Below this, the events of a page are small and more of them are asked for: those of a job that wrote now and then. */
const SMALL_PAGE_BYTES = 512 * 1024;

/**
 * The latest events of a stream, oldest first: all of them, or so many that their messages have at least so many
 * bytes, and not many more.
 */
export async function lastEvents(
  logs: CloudWatchLogsClient,
  stream: LogStream,
  { bytes, pageEvents = PAGE_EVENTS }: { readonly bytes: number; readonly pageEvents?: number },
): Promise<readonly OutputLogEvent[]> {
  const pages: (readonly OutputLogEvent[])[] = [];
  let found = 0;
  let limit = pageEvents;
  let nextToken: string | undefined;
  for (;;) {
    const { events = [], nextBackwardToken } = await logs.send(
      new GetLogEventsCommand({
        ...stream,
        startFromHead: false,
        limit,
        ...(nextToken && { nextToken }),
      }),
    );
    pages.unshift(events);
    const pageBytes = events.reduce((sum, { message = '' }) => sum + message.length, 0);
    found += pageBytes;
    // CloudWatch may answer an empty page although there are events: only a repeated token is the end.
    if (found >= bytes || !nextBackwardToken || nextBackwardToken === nextToken) return pages.flat();
    nextToken = nextBackwardToken;
    // Doubled, not guessed from what came: before small events there can be large ones.
    limit = pageBytes < SMALL_PAGE_BYTES ? Math.min(2 * limit, MAX_PAGE_EVENTS) : pageEvents;
  }
}

/** One page of a stream, oldest events first, from a token of an earlier page on. */
export async function readEvents(
  logs: CloudWatchLogsClient,
  stream: LogStream,
  token: string | undefined,
  {
    startTime,
    limit = PAGE_EVENTS,
  }: {
    /** Only events of this time (ms since 1970) and later; the same for every page that a token leads to. */
    readonly startTime?: number | undefined;
    readonly limit?: number;
  } = {},
): Promise<LogEventsPage> {
  const { events = [], nextForwardToken } = await logs.send(
    new GetLogEventsCommand({
      ...stream,
      startFromHead: true,
      limit,
      ...(startTime !== undefined && { startTime }),
      ...(token && { nextToken: token }),
    }),
  );
  return { events, nextToken: nextForwardToken };
}
