import type { ExportProblem } from './export-proof.ts';

/** Who decided something that cannot be taken back, and why: that data may be lost, or that somebody takes over what is left. */
export interface OperatorDecision {
  readonly by: string;
  readonly reason: string;
  /** ISO 8601. */
  readonly at: string;
}

/** How far the export of a deployment's Lustre file system has come. */
export interface LustreExport {
  /** Automatic export was switched off, and is to be switched on again if the cluster is called back. */
  readonly isAutomaticOff: boolean;
  /** The task that exported everything while the nodes were still there. */
  readonly firstTaskId?: string;
  /** The one that exported what was written until the last node was gone: the proof. */
  readonly finalTaskId?: string;
  /** Why automatic export could not be switched on again. */
  readonly problem?: string;
  /** Why the last export proved nothing. */
  readonly problems?: readonly ExportProblem[];
}

/** A path may have thousands of characters; its end tells most. */
const MAX_PATH_CHARACTERS = 200;

function shortPath(path: string): string {
  return path.length <= MAX_PATH_CHARACTERS ? path : `…${path.slice(-MAX_PATH_CHARACTERS)}`;
}

/** The problems in words, with the first files of each. */
export function describeProblems(problems: readonly ExportProblem[]): string {
  return problems
    .map(({ message, files = [], fileCount = files.length }) => {
      if (files.length === 0) return message;
      const named = files.slice(0, 3).map(({ path, error }) => `${shortPath(path)} (${error})`);
      const more = fileCount > named.length ? ` and ${fileCount - named.length} more` : '';
      return `${message} ${named.join(', ')}${more}.`;
    })
    .join(' ');
}
