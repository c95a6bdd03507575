import { KnownFailure } from '../domain/failures.ts';
import { campaignIdSchema, jobKeySchema } from '../domain/ids.ts';
import type { JobOutput } from './slurm-gateway.ts';

/** Requests to and answers from `remote/outputs.sh`, whose head describes both. */

export function encodeListing(epoch: string): string {
  return `${epoch} list\n`;
}

export function encodeForgetting(
  epoch: string,
  jobs: readonly Pick<JobOutput, 'campaignId' | 'jobKey'>[],
): string {
  const names = jobs.map(({ campaignId, jobKey }) => `${campaignId} ${jobKey}`);
  return [`${epoch} forget ${jobs.length}`, ...names, ''].join('\n');
}

/**
 * Names that are not of our form are left out: any job can make files where markers lie, and the names become those
 * of log streams.
 *
 * @throws KnownFailure HeadNodeUnreachable when the answer is not whole
 */
export function decodeOutputs(answer: Buffer): JobOutput[] {
  const lines = answer.toString('latin1').split('\n');
  if (!lines.includes('done')) {
    throw new KnownFailure('HeadNodeUnreachable', 'Listing the output of jobs: the answer was cut off');
  }
  const sizes = new Map<string, number>();
  for (const line of lines) {
    const [, sizeBytes, file = ''] = /^(\d+) (\S+) regular /.exec(line) ?? [];
    sizes.set(file, Number(sizeBytes));
  }
  return lines.flatMap((line) => {
    const [, campaignId, jobKey] = /^job ([^:]+):(.+)$/.exec(line) ?? [];
    if (!campaignIdSchema.safeParse(campaignId).success || !jobKeySchema.safeParse(jobKey).success) return [];
    const stdoutBytes = sizes.get(`${campaignId}/${jobKey}/stdout`);
    const stderrBytes = sizes.get(`${campaignId}/${jobKey}/stderr`);
    return [
      {
        campaignId: campaignId ?? '',
        jobKey: jobKey ?? '',
        ...(stdoutBytes !== undefined && { stdoutBytes }),
        ...(stderrBytes !== undefined && { stderrBytes }),
      },
    ];
  });
}
