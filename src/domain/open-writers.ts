/** What may still write into a folder; of jobs Slurm's own word for their state. */
export type OpenWriter =
  | { readonly kind: 'job'; readonly jobId: string; readonly state: string }
  | { readonly kind: 'process'; readonly pid: number; readonly command: string; readonly path: string };

/** Of as many as fit into a message that people read. */
const MOST_NAMED = 5;
/** A path may have thousands of characters; its end tells most. */
const MAX_PATH_CHARACTERS = 200;

/** Writers in words, the first of them by name. */
export function describeWriters(writers: readonly OpenWriter[]): string {
  const named = writers.slice(0, MOST_NAMED).map((writer) => {
    if (writer.kind === 'job') return `Slurm job ${writer.jobId} (${writer.state})`;
    return `process ${writer.pid} (${writer.command}) on the head node with …${writer.path.slice(-MAX_PATH_CHARACTERS)}`;
  });
  const more = writers.length > named.length ? ` and ${writers.length - named.length} more` : '';
  return named.join(', ') + more;
}
