import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { log } from '@temporalio/activity';
import type { LogStream } from '../clients/log-streams.ts';
import type { FileContent, HeadNode, HeadNodeFiles } from '../clients/slurm-gateway.ts';
import { MAX_PIECE_BYTES } from '../domain/log-events.ts';
import { nextSpan } from '../domain/log-limits.ts';
import type { LogLimits } from '../domain/log-limits.ts';
import { append, appendixOf, openStream, withOmission } from './job-log-copy.ts';
import type { Appendix, StreamEnd } from './job-log-copy.ts';
import type { LogCopyReport } from './port.ts';

/** What is read at a time, all files together: this bounds the memory of a copy, whatever the number of jobs. */
export const ROUND_BYTES = 4 * 1024 * 1024;
/** With more files at a time a share of the round could be too small for a piece, and the copy would stand still. */
export const MAX_FILES_AT_A_TIME = ROUND_BYTES / MAX_PIECE_BYTES;

export interface JobFilesDeps {
  readonly logs: CloudWatchLogsClient;
  readonly gateway: Pick<HeadNodeFiles, 'readFiles'>;
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

/** A file of a job that has ended. */
export interface EndedJobFile extends JobFile {
  /** Slurm makes the files of a job when it starts it. */
  readonly hasStarted: boolean;
}

interface FileCopy extends EndedJobFile {
  /** Undefined until the file was seen: a stream is made only for a file that exists. */
  end: StreamEnd | undefined;
  /** As first seen: what outlives its job and goes on writing is not waited for. */
  sizeBytes: number | undefined;
  isDone: boolean;
  /** Why it was left out, or is not whole. */
  problem: string | undefined;
}

/**
 * Copies the output of jobs that have ended, as far as their streams do not hold it yet, and tells how many bytes
 * that were, and what could not be read. Files are read side by side, through one SSH channel a round; while a round is written, the next one is
 * read. A file that does not exist is no failure: its job never ran.
 */
export async function copyFiles(
  deps: JobFilesDeps,
  head: HeadNode,
  files: readonly EndedJobFile[],
  signal: AbortSignal,
): Promise<Required<LogCopyReport>> {
  const copies = files.map((file): FileCopy => ({
    ...file,
    end: undefined,
    sizeBytes: undefined,
    isDone: false,
    problem: undefined,
  }));
  let copiedBytes = 0;
  let writing: Promise<unknown> = Promise.resolve();
  try {
    for (;;) {
      signal.throwIfAborted();
      const open = copies.filter(({ isDone }) => !isDone).slice(0, MAX_FILES_AT_A_TIME);
      if (open.length === 0) break;
      const [contents] = await Promise.all([readRound(deps, head, open, signal), writing]);
      const next = await Promise.all(open.map(async (copy, index) => advance(deps, copy, contents[index])));
      copiedBytes += next.reduce((sum, appendix) => sum + writtenBytes(appendix), 0);
      writing = Promise.all(
        open.map(async ({ stream }, index) => {
          const appendix = next[index];
          if (appendix) await append(deps.logs, stream, appendix);
        }),
      );
    }
  } finally {
    // Nothing is left running when this ends, however it does.
    await writing;
  }
  const problems = copies.flatMap(({ jobKey, problem }) =>
    problem === undefined ? [] : [{ jobKey, message: problem }],
  );
  return { copiedBytes, problems };
}

async function readRound(
  { gateway }: JobFilesDeps,
  head: HeadNode,
  open: readonly FileCopy[],
  signal: AbortSignal,
): Promise<FileContent[]> {
  const lengthBytes = Math.floor(ROUND_BYTES / open.length);
  const parts = open.map(({ campaignId, jobKey, file, end }) => ({
    campaignId,
    jobKey,
    file,
    offset: end?.position ?? 0,
    lengthBytes,
  }));
  return gateway.readFiles(head, parts, { signal });
}

/** What is to be written of what was read, if anything. The copy goes on behind it. */
async function advance(
  deps: JobFilesDeps,
  copy: FileCopy,
  content: FileContent | undefined,
): Promise<Appendix | undefined> {
  if (content?.status !== 'ok') {
    if (content?.status === 'refused')
      noteProblem(copy, 'a link or a pipe, not a plain file, stands in its place');
    else if (copy.hasStarted) noteProblem(copy, 'it is not there any more; what was copied before is kept');
    copy.isDone = true;
    return undefined;
  }
  const sizeBytes = Math.min(copy.sizeBytes ?? Infinity, content.sizeBytes);
  copy.sizeBytes = sizeBytes;
  if (!copy.end) {
    copy.end = await openStream(deps.logs, copy.stream, deps.now());
    copy.isDone = copy.end.position >= sizeBytes;
    if (copy.end.position > sizeBytes)
      noteProblem(copy, 'it became shorter than what was copied before, which is kept');
    // The stream has the beginning already: what was read from there is dropped, and read on from its end.
    if (copy.end.position > 0) return undefined;
  }
  const before = copy.end.position;
  // Events lie in the stream in the order of their times: what is written now must not lie before what a follower wrote.
  const end = { ...copy.end, notBefore: Math.max(copy.end.notBefore, deps.now()) };
  const appendix = appendixFor(end, content.data, sizeBytes, deps.logLimits);
  if (appendix.pieces.length === 0 && before < sizeBytes) {
    // A read of this length always makes a piece, unless it failed: what came before the failure is the end then.
    noteProblem(copy, 'it cannot be read, or not as a whole');
    copy.sizeBytes = before + content.data.length;
  }
  copy.end = appendix.end;
  copy.isDone = copy.end.position >= copy.sizeBytes;
  return appendix;
}

/** What the limits let through, with a note of what they do not. */
function appendixFor(end: StreamEnd, data: Buffer, sizeBytes: number, limits: LogLimits): Appendix {
  const span = nextSpan(end.position, sizeBytes, limits);
  if ('omittedBytes' in span) return withOmission(appendixOf(end, Buffer.alloc(0), true), span.omittedBytes);
  const fresh = data.subarray(0, span.copyUntil - end.position);
  const appendix = appendixOf(end, fresh, end.position + fresh.length >= span.copyUntil);
  const following = nextSpan(appendix.end.position, sizeBytes, limits);
  return 'omittedBytes' in following ? withOmission(appendix, following.omittedBytes) : appendix;
}

function writtenBytes(appendix: Appendix | undefined): number {
  return appendix?.pieces.reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0) ?? 0;
}

function noteProblem(copy: FileCopy, cause: string): void {
  const { jobKey, file } = copy;
  copy.problem = `The job's ${file} was not copied, or not as a whole: ${cause}.`;
  log.warn('The output of a job is not copied', { jobKey, file, cause });
}
