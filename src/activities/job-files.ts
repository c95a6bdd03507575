import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { log } from '@temporalio/activity';
import type { LogStream } from '../clients/log-streams.ts';
import type { FileContent, FilePart, HeadNode, SlurmGateway } from '../clients/slurm-gateway.ts';
import { redactEnvironment } from '../domain/redact.ts';
import { appendBytes, openStream, writeDocument } from './job-log-copy.ts';
import type { StreamEnd } from './job-log-copy.ts';

/** What is read of one file at a time: large enough for few round trips, small enough for many files at once. */
const READ_BYTES = 512 * 1024;
/** More than the kernel lets a process have (a quarter of the stack limit, usually 2 MiB, for all variables). */
const MAX_ENVIRONMENT_BYTES = 4 * 1024 * 1024;

export interface JobFilesDeps {
  readonly logs: CloudWatchLogsClient;
  readonly gateway: Pick<SlurmGateway, 'readFiles'>;
  readonly now: () => number;
}

/** A file on the cluster and the log stream that it goes into. */
export interface JobFile {
  readonly campaignId: string;
  readonly jobKey: string;
  readonly file: 'environment' | 'stdout' | 'stderr';
  readonly stream: LogStream;
}

interface FileCopy extends JobFile {
  /** Undefined until the file was seen: a stream is made only for a file that exists. */
  end: StreamEnd | undefined;
  isDone: boolean;
}

/**
 * Copies files of jobs, as far as their streams do not hold them yet, and returns how many bytes that were. All files
 * are read side by side, through one SSH channel a round. A file that does not exist is no failure: its job never ran.
 */
export async function copyFiles(
  deps: JobFilesDeps,
  head: HeadNode,
  files: readonly JobFile[],
  signal: AbortSignal,
): Promise<number> {
  const copies = files.map((file): FileCopy => ({ ...file, end: undefined, isDone: false }));
  let copiedBytes = 0;
  for (;;) {
    signal.throwIfAborted();
    const open = copies.filter(({ isDone }) => !isDone);
    if (open.length === 0) return copiedBytes;
    const contents = await deps.gateway.readFiles(head, open.map(nextPart), { signal });
    const written = await Promise.all(open.map(async (copy, index) => advance(deps, copy, contents[index])));
    copiedBytes += written.reduce((sum, bytes) => sum + bytes, 0);
  }
}

function nextPart({ campaignId, jobKey, file, end }: FileCopy): FilePart {
  const lengthBytes = file === 'environment' ? MAX_ENVIRONMENT_BYTES : READ_BYTES;
  return { campaignId, jobKey, file, offset: end?.position ?? 0, lengthBytes };
}

/** Writes what was read and returns how many bytes of it the stream did not have. */
async function advance(
  { logs, now }: JobFilesDeps,
  copy: FileCopy,
  content: FileContent | undefined,
): Promise<number> {
  if (content?.status !== 'ok') {
    if (content?.status === 'refused') {
      log.warn('The output of a job is not copied: no plain file stands in its place', {
        jobKey: copy.jobKey,
        file: copy.file,
      });
    }
    copy.isDone = true;
    return 0;
  }
  const { data, sizeBytes } = content;
  if (copy.file === 'environment') {
    copy.isDone = true;
    return writeDocument(logs, copy.stream, Buffer.from(redactEnvironment(data.toString())), now());
  }
  if (!copy.end) {
    copy.end = await openStream(logs, copy.stream, now());
    // The stream has the beginning already: what was read from there is dropped, and read on from its end.
    if (copy.end.position > 0) return 0;
  }
  const before = copy.end.position;
  copy.isDone = before + data.length >= sizeBytes;
  copy.end = await appendBytes(logs, copy.stream, copy.end, data, copy.isDone);
  return copy.end.position - before;
}
