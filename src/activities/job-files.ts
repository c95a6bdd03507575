import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { log } from '@temporalio/activity';
import type { LogStream } from '../clients/log-streams.ts';
import type { FileContent, HeadNode, SlurmGateway } from '../clients/slurm-gateway.ts';
import { MAX_PIECE_BYTES } from '../domain/log-events.ts';
import { nextSpan } from '../domain/log-limits.ts';
import type { LogLimits } from '../domain/log-limits.ts';
import { appendBytes, appendOmission, openStream } from './job-log-copy.ts';
import type { StreamEnd } from './job-log-copy.ts';

/** What is read at a time, all files together: this bounds the memory of a copy, whatever the number of jobs. */
export const ROUND_BYTES = 4 * 1024 * 1024;
/** With more files at a time a share of the round could be too small for a piece, and the copy would stand still. */
export const MAX_FILES_AT_A_TIME = ROUND_BYTES / MAX_PIECE_BYTES;

export interface JobFilesDeps {
  readonly logs: CloudWatchLogsClient;
  readonly gateway: Pick<SlurmGateway, 'readFiles'>;
  readonly logLimits: LogLimits;
  readonly now: () => number;
}

/** A file on the cluster and the log stream that it goes into. */
export interface JobFile {
  readonly campaignId: string;
  readonly jobKey: string;
  readonly file: 'stdout' | 'stderr';
  readonly stream: LogStream;
}

interface FileCopy extends JobFile {
  /** Undefined until the file was seen: a stream is made only for a file that exists. */
  end: StreamEnd | undefined;
  /** As first seen: what outlives its job and goes on writing is not waited for. */
  sizeBytes: number | undefined;
  isDone: boolean;
}

/**
 * Copies the output of jobs that have ended, as far as their streams do not hold it yet, and returns how many bytes
 * that were. Files are read side by side, through one SSH channel a round. A file that does not exist is no failure:
 * its job never ran.
 */
export async function copyFiles(
  deps: JobFilesDeps,
  head: HeadNode,
  files: readonly JobFile[],
  signal: AbortSignal,
): Promise<number> {
  const copies = files.map((file): FileCopy => ({
    ...file,
    end: undefined,
    sizeBytes: undefined,
    isDone: false,
  }));
  let copiedBytes = 0;
  for (;;) {
    signal.throwIfAborted();
    const open = copies.filter(({ isDone }) => !isDone).slice(0, MAX_FILES_AT_A_TIME);
    if (open.length === 0) return copiedBytes;
    const lengthBytes = Math.floor(ROUND_BYTES / open.length);
    const parts = open.map(({ campaignId, jobKey, file, end }) => ({
      campaignId,
      jobKey,
      file,
      offset: end?.position ?? 0,
      lengthBytes,
    }));
    const contents = await deps.gateway.readFiles(head, parts, { signal });
    const written = await Promise.all(open.map(async (copy, index) => advance(deps, copy, contents[index])));
    copiedBytes += written.reduce((sum, bytes) => sum + bytes, 0);
  }
}

/** Writes what was read and returns how many bytes of it the stream did not have. */
async function advance(
  deps: JobFilesDeps,
  copy: FileCopy,
  content: FileContent | undefined,
): Promise<number> {
  if (content?.status !== 'ok') {
    if (content?.status === 'refused') warnUnreadable(copy, 'no plain file stands in its place');
    copy.isDone = true;
    return 0;
  }
  const sizeBytes = Math.min(copy.sizeBytes ?? Infinity, content.sizeBytes);
  copy.sizeBytes = sizeBytes;
  if (!copy.end) {
    copy.end = await openStream(deps.logs, copy.stream, deps.now());
    // The stream has the beginning already: what was read from there is dropped, and read on from its end.
    if (copy.end.position > 0) {
      copy.isDone = copy.end.position >= sizeBytes;
      copy.end = await omit(deps, copy, copy.end, sizeBytes);
      return 0;
    }
  }
  const before = copy.end.position;
  const written = await append(deps, copy.stream, copy.end, content.data, sizeBytes);
  copy.end = await omit(deps, copy, written, sizeBytes);
  if (copy.end.position === before && before < sizeBytes) {
    // A read of this length always makes a piece, unless it failed: what came before the failure is the end then.
    warnUnreadable(copy, 'it cannot be read, or not as a whole');
    copy.sizeBytes = before + content.data.length;
  }
  copy.isDone = copy.end.position >= copy.sizeBytes;
  return written.position - before;
}

async function append(
  { logs, logLimits }: JobFilesDeps,
  stream: LogStream,
  end: StreamEnd,
  data: Buffer,
  sizeBytes: number,
): Promise<StreamEnd> {
  const span = nextSpan(end.position, sizeBytes, logLimits);
  if ('omittedBytes' in span) return end;
  const fresh = data.subarray(0, span.copyUntil - end.position);
  return appendBytes(logs, stream, end, fresh, end.position + fresh.length >= span.copyUntil);
}

/** Leaves out what is to be left out at this place, if anything. */
async function omit(
  { logs, logLimits }: JobFilesDeps,
  { stream }: JobFile,
  end: StreamEnd,
  sizeBytes: number,
): Promise<StreamEnd> {
  const span = nextSpan(end.position, sizeBytes, logLimits);
  return 'omittedBytes' in span ? appendOmission(logs, stream, end, span.omittedBytes) : end;
}

function warnUnreadable({ jobKey, file }: JobFile, cause: string): void {
  log.warn('The output of a job is not copied', { jobKey, file, cause });
}
