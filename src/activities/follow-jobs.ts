import type { LogStream } from '../clients/log-streams.ts';
import type { FileContent, HeadNode, HeadNodeFiles, JobOutput } from '../clients/slurm-gateway.ts';
import { wholeTextLength } from '../domain/log-events.ts';
import { MAX_FILES_AT_A_TIME, ROUND_BYTES } from './job-files.ts';
import type { JobFile, JobFilesDeps } from './job-files.ts';
import { append, appendixOf, openStream } from './job-log-copy.ts';
import type { StreamEnd } from './job-log-copy.ts';
import { pause } from './poll.ts';

/**
 * Seconds without anything new after which following ends: it is begun again while jobs run. Not shorter, because each
 * beginning asks CloudWatch where every stream ends.
 */
const QUIET_SECONDS = 600;
/** The same where no job is marked as running. */
const EMPTY_SECONDS = 60;
/** Ends of itself well before the hour that Temporal gives an attempt (policies.ts). */
const MAX_SECONDS = 50 * 60;

export interface FollowDeps extends JobFilesDeps {
  readonly gateway: Pick<HeadNodeFiles, 'readFiles' | 'listOutputs'>;
  /** Between two looks at what running jobs have written. */
  readonly logFollowSeconds: number;
}

interface FollowedFile extends JobFile {
  end: StreamEnd | undefined;
  /** As seen in this round and in the one before. */
  sizeBytes: number;
  previousSizeBytes: number;
}

/**
 * Copies what running jobs write while they do, up to the limit of the head: the tail is known only when a job has
 * ended. It writes contiguously from where a stream ends, as the final copy does, so that both at a time leave
 * repetitions and never gaps. Returns the number of bytes copied when there was nothing to do for a while.
 */
export async function followJobs(
  deps: FollowDeps,
  head: HeadNode,
  streamOf: (output: JobOutput, file: JobFile['file']) => LogStream,
  {
    signal,
    report,
    isLast = false,
  }: {
    readonly signal: AbortSignal;
    readonly report: (progress: unknown) => void;
    /** Nothing is written any more: what there is is copied once, also lines without an end. */
    readonly isLast?: boolean;
  },
): Promise<number> {
  const followed = new Map<string, FollowedFile>();
  const startedMs = deps.now();
  let lastNewsMs = startedMs;
  let copiedBytes = 0;
  for (;;) {
    signal.throwIfAborted();
    const outputs = await deps.gateway.listOutputs(head, { signal });
    update(followed, outputs, streamOf, isLast);
    const { bytes, isMore } = await copyGrowth(deps, head, [...followed.values()], signal);
    copiedBytes += bytes;
    report({ bytes: copiedBytes });
    const nowMs = deps.now();
    if (bytes > 0) lastNewsMs = nowMs;
    if (isLast && !isMore) return copiedBytes;
    const patienceSeconds = outputs.length === 0 ? EMPTY_SECONDS : QUIET_SECONDS;
    if (nowMs - lastNewsMs >= patienceSeconds * 1000) return copiedBytes;
    if (nowMs - startedMs >= MAX_SECONDS * 1000) return copiedBytes;
    // Looked for at once again, so that a job whose final copy has begun is left to that.
    if (!isMore) await pause(deps.logFollowSeconds, signal);
  }
}

/** Takes over the sizes of this round, and drops the files of jobs that are no longer listed. */
function update(
  followed: Map<string, FollowedFile>,
  outputs: readonly JobOutput[],
  streamOf: (output: JobOutput, file: JobFile['file']) => LogStream,
  isLast: boolean,
): void {
  const seen = new Set<string>();
  for (const output of outputs) {
    const { campaignId, jobKey } = output;
    const sizes = { stdout: output.stdoutBytes, stderr: output.stderrBytes };
    for (const file of ['stdout', 'stderr'] as const) {
      // An empty file needs no stream before its job has ended.
      const sizeBytes = sizes[file] ?? 0;
      if (sizeBytes === 0) continue;
      const name = `${campaignId}/${jobKey}/${file}`;
      const before = followed.get(name);
      seen.add(name);
      followed.set(name, {
        ...(before ?? { campaignId, jobKey, file, stream: streamOf(output, file), end: undefined }),
        previousSizeBytes: isLast ? sizeBytes : (before?.sizeBytes ?? 0),
        sizeBytes,
      });
    }
  }
  for (const name of followed.keys()) if (!seen.has(name)) followed.delete(name);
}

/** Copies a part of each file that has grown, some files at a time. `isMore`: one of them has more that can be copied. */
async function copyGrowth(
  deps: FollowDeps,
  head: HeadNode,
  files: readonly FollowedFile[],
  signal: AbortSignal,
): Promise<{ readonly bytes: number; readonly isMore: boolean }> {
  let bytes = 0;
  let isMore = false;
  const behind = files.filter((file) => isBehind(deps, file));
  for (let begin = 0; begin < behind.length; begin += MAX_FILES_AT_A_TIME) {
    signal.throwIfAborted();
    const some = behind.slice(begin, begin + MAX_FILES_AT_A_TIME);
    const advanced = await advanceSome(deps, head, some, signal);
    bytes += advanced.reduce((sum, each) => sum + each, 0);
    // What did not advance has nothing that can be written yet, or cannot be read: it waits for a later round.
    isMore ||= some.some((file, index) => advanced[index] !== 0 && isBehind(deps, file));
  }
  return { bytes, isMore };
}

function isBehind({ logLimits }: FollowDeps, { end, sizeBytes }: FollowedFile): boolean {
  return (end?.position ?? 0) < Math.min(sizeBytes, logLimits.headBytes);
}

async function advanceSome(
  deps: FollowDeps,
  head: HeadNode,
  files: readonly FollowedFile[],
  signal: AbortSignal,
): Promise<number[]> {
  await Promise.all(
    files.map(async (file) => {
      file.end ??= await openStream(deps.logs, file.stream, deps.now());
    }),
  );
  const open = files.filter((file) => isBehind(deps, file));
  if (open.length === 0) return files.map(() => 0);
  const share = Math.floor(ROUND_BYTES / open.length);
  const parts = open.map(({ campaignId, jobKey, file, end, sizeBytes }) => {
    const offset = end?.position ?? 0;
    const lengthBytes = Math.min(share, Math.min(sizeBytes, deps.logLimits.headBytes) - offset);
    return { campaignId, jobKey, file, offset, lengthBytes };
  });
  const contents = await deps.gateway.readFiles(head, parts, { signal });
  return Promise.all(
    files.map(async (file) => {
      const index = open.indexOf(file);
      return index < 0 ? 0 : appendGrowth(deps, file, contents[index]);
    }),
  );
}

async function appendGrowth(
  { logs, logLimits, now }: FollowDeps,
  file: FollowedFile,
  content: FileContent | undefined,
): Promise<number> {
  if (content?.status !== 'ok' || !file.end) return 0;
  const { position, notBefore } = file.end;
  const readUntil = position + content.data.length;
  const isMore = readUntil < Math.min(file.sizeBytes, logLimits.headBytes);
  const bytes = isMore || readUntil === logLimits.headBytes ? content.data : ripe(content.data, file);
  const end = { position, notBefore: Math.max(notBefore, now()) };
  const appendix = appendixOf(end, bytes, !isMore);
  await append(logs, file.stream, appendix);
  file.end = appendix.end;
  return file.end.position - position;
}

/**
 * What can be written of the last bytes of a file: its whole lines. A line without an end is waited for once and then
 * written as it is, so that what shows progress on one line is seen too.
 */
function ripe(data: Buffer, { end, previousSizeBytes }: FollowedFile): Buffer {
  const lineEnd = data.lastIndexOf('\n') + 1;
  const restWasSeen = (end?.position ?? 0) + lineEnd < previousSizeBytes;
  return data.subarray(0, restWasSeen ? wholeTextLength(data) : lineEnd);
}
