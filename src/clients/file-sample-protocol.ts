import { KnownFailure } from '../domain/failures.ts';
import type { FileSampleRequest, SampledFile } from './slurm-gateway.ts';

/** Requests to and answers from `remote/sample-files.sh`, whose head describes both. */

/** @throws RangeError for a folder whose name cannot be sent. */
export function encodeFileSample({ folders, most }: FileSampleRequest): string {
  const wrong = folders.find((folder) => !/^\/[^\n]*$/.test(folder));
  if (wrong !== undefined) throw new RangeError(`${JSON.stringify(wrong)} is no absolute path on one line`);
  return [`${most} ${folders.length}`, ...folders, ''].join('\n');
}

/** @throws KnownFailure HeadNodeUnreachable when the answer is not whole */
export function decodeFileSample(answer: Buffer): SampledFile[] {
  const lines = answer.toString('utf8').split('\0');
  lines.pop();
  const end = lines.pop() ?? 'the answer was cut off';
  if (end !== 'done') throw new KnownFailure('HeadNodeUnreachable', `Listing files: ${end}`);
  return lines.map((line) => {
    const [, size, path = ''] = /^(\d+) (.*)$/s.exec(line) ?? [];
    return { path, sizeBytes: Number(size) };
  });
}
