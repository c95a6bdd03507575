import { KnownFailure } from '../domain/failures.ts';
import type { OpenWriter } from '../domain/open-writers.ts';

/** Requests to and answers from `remote/open-writers.sh`, whose head describes both. */

/** @throws RangeError for a folder whose name cannot be sent. */
export function encodeOpenWriters(folder: string): string {
  if (/^\/[^\n*?[\]\\]*$/.test(folder)) return `${folder}\n`;
  throw new RangeError(`${JSON.stringify(folder)} is no absolute path on one line without a pattern`);
}

/** @throws KnownFailure SlurmUnavailable when the answer is not whole */
export function decodeOpenWriters(answer: Buffer): OpenWriter[] {
  const lines = answer.toString('utf8').split('\0');
  lines.pop();
  const end = lines.pop() ?? 'the answer was cut off';
  if (end !== 'done') throw new KnownFailure('SlurmUnavailable', `Looking for open files: ${end}`);
  return lines.map((line): OpenWriter => {
    const [, jobId, state] = /^job (\S+) (\S+)$/.exec(line) ?? [];
    if (jobId !== undefined && state !== undefined) return { kind: 'job', jobId, state };
    const [, pid, command = '', path = ''] = /^process (\d+) (\S*) (.*)$/s.exec(line) ?? [];
    return { kind: 'process', pid: Number(pid), command, path };
  });
}
