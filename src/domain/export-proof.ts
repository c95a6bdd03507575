/**
 * What shows that a Lustre file system can go: everything in its exported paths is in S3. It is stored with the
 * deployment's record in the control bucket before the file system is deleted.
 */
export interface ExportProof {
  readonly version: 1;
  readonly fileSystemId: string;
  /** ISO 8601. */
  readonly provenAt: string;
  /** After the task of this id, which began when nothing had the file system mounted any more. */
  readonly taskId: string;
  readonly exportedPaths: readonly string[];
  readonly files: { readonly total: number; readonly succeeded: number; readonly failed: number };
  /**
   * Age of the oldest change that automatic export had still to write, in seconds (CloudWatch, AWS/FSx,
   * `AgeOfOldestQueuedMessage`); null when CloudWatch has no value from after the export began: it proves nothing then.
   */
  readonly oldestQueuedSeconds: number | null;
  readonly sample: ExportSample | null;
}

/** Files of the head node's own listing that were looked for in S3; null where the head node could not be asked. */
export interface ExportSample {
  readonly listed: number;
  readonly compared: number;
}

export const exportProblemKinds = [
  /** The link does not work, e.g. because the bucket's policy or notifications changed. */
  'link-misconfigured',
  /** FSx could not write these files; see `files`. */
  'files-not-exported',
  /** The task ended otherwise than by success, and names no files. */
  'task-failed',
  /** The task did not end in time. */
  'task-hangs',
  /** Automatic export still has something to write. */
  'queue-not-empty',
  /** S3 does not have what the head node has. */
  'sample-differs',
] as const;

/** Something that keeps a file system from being given up. */
export interface ExportProblem {
  readonly kind: (typeof exportProblemKinds)[number];
  readonly message: string;
  /** Paths from the root of the file system, at most {@link MAX_LISTED_FILES}. */
  readonly files?: readonly { readonly path: string; readonly error: string }[];
  /** How many files there are if more than are listed. */
  readonly fileCount?: number;
}

/** More would fill the entity's snapshot; the whole report is in the bucket. */
export const MAX_LISTED_FILES = 20;

export type ExportVerdict =
  | { readonly status: 'proven'; readonly proof: ExportProof }
  | { readonly status: 'unproven'; readonly problems: readonly ExportProblem[] };

/** One data repository task as FSx tells of it. */
export interface ExportTask {
  readonly taskId: string;
  readonly lifecycle: string;
  readonly total: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly failureMessage?: string;
}

/** Everything that was found out about an export. */
export interface ExportEvidence {
  readonly fileSystemId: string;
  readonly at: string;
  readonly exportedPaths: readonly string[];
  readonly links: readonly { readonly path: string; readonly lifecycle: string; readonly message?: string }[];
  /** Undefined when it did not end in time. */
  readonly task: ExportTask | undefined;
  readonly failedFiles: readonly { readonly path: string; readonly error: string }[];
  readonly oldestQueuedSeconds: number | null;
  readonly sample:
    | (ExportSample & { readonly differing: readonly { readonly path: string; readonly error: string }[] })
    | null;
}

/** The verdict on an export: unknown never counts as exported. */
export function judgeExport(evidence: ExportEvidence): ExportVerdict {
  const { task, sample, links, failedFiles, oldestQueuedSeconds } = evidence;
  const problems: ExportProblem[] = [];
  for (const { path, lifecycle, message } of links) {
    if (lifecycle === 'AVAILABLE') continue;
    const reason = message === undefined ? '' : `: ${message}`;
    problems.push({ kind: 'link-misconfigured', message: `The link of ${path} is ${lifecycle}${reason}.` });
  }
  if (task === undefined) {
    problems.push({ kind: 'task-hangs', message: 'The export task did not end in time.' });
  } else if (failedFiles.length > 0 || task.failed > 0) {
    const count = Math.max(failedFiles.length, task.failed);
    problems.push({
      kind: 'files-not-exported',
      message: `FSx could not write ${count} of ${task.total} files to S3.`,
      files: failedFiles.slice(0, MAX_LISTED_FILES),
      fileCount: count,
    });
  } else if (task.lifecycle !== 'SUCCEEDED') {
    problems.push({
      kind: 'task-failed',
      message: `The export task ${task.taskId} is ${task.lifecycle}: ${task.failureMessage ?? 'FSx gives no reason'}.`,
    });
  } else if (task.succeeded !== task.total) {
    problems.push({
      kind: 'task-failed',
      message: `The export task ${task.taskId} wrote ${task.succeeded} of ${task.total} files and names no failure.`,
    });
  }
  if (oldestQueuedSeconds !== null && oldestQueuedSeconds > 0) {
    problems.push({
      kind: 'queue-not-empty',
      message: `Automatic export still has changes of ${oldestQueuedSeconds} s ago to write.`,
    });
  }
  if (sample && sample.differing.length > 0) {
    problems.push({
      kind: 'sample-differs',
      message: `S3 lacks ${sample.differing.length} of ${sample.compared} files that the head node has.`,
      files: sample.differing.slice(0, MAX_LISTED_FILES),
      fileCount: sample.differing.length,
    });
  }
  if (problems.length > 0 || task === undefined) return { status: 'unproven', problems };
  return {
    status: 'proven',
    proof: {
      version: 1,
      fileSystemId: evidence.fileSystemId,
      provenAt: evidence.at,
      taskId: task.taskId,
      exportedPaths: evidence.exportedPaths,
      files: { total: task.total, succeeded: task.succeeded, failed: task.failed },
      oldestQueuedSeconds,
      sample: sample && { listed: sample.listed, compared: sample.compared },
    },
  };
}
