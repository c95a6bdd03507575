import { epochStartSeconds } from '../domain/ids.ts';
import { parseNodeCpus, parseQueueComments, parseUsage } from '../domain/usage-output.ts';
import type { SlurmUsage } from './slurm-gateway.ts';
import { decodeSections, parsed, unavailable } from './slurm-protocol.ts';

/** Requests to and answers from `remote/usage.sh`, whose head describes both. */

/**
 * The standard input of usage.sh: from when on. Accounting is shared by all epochs of a tenant: what was submitted before
 * the epoch's id was made is another's. Provisioning begins then, which takes longer than clocks may differ, and the
 * epoch before is gone.
 */
export function encodeUsageRequest(epoch: string, sinceSeconds = 0): string {
  return `${Math.max(epochStartSeconds(epoch), Math.floor(sinceSeconds))}\n`;
}

/** @throws KnownFailure SlurmUnavailable unless all parts are whole. */
export function decodeUsage(epoch: string, answer: string): SlurmUsage {
  const sections = decodeSections(answer);
  const [, asked, completeness] = /^asked (\d+) (whole|partial)$/m.exec(sections.get('') ?? '') ?? [];
  const queue = sections.get('queue');
  const nodes = sections.get('nodes');
  const accounting = sections.get('accounting');
  if (asked === undefined || queue === undefined || nodes === undefined || accounting === undefined)
    unavailable('the answer is cut off');
  const asOfSeconds = Number(asked);
  const { records, unreadable } = parsed('sacct', () =>
    parseUsage(accounting, {
      epoch,
      sinceSeconds: epochStartSeconds(epoch),
      asOfSeconds,
      comments: parseQueueComments(queue),
    }),
  );
  // Slurm 22.05 tells accounting the queue of a job some seconds after everything else of it.
  const isWhole = completeness === 'whole' && unreadable === 0 && records.every(({ queue }) => queue !== '');
  return { asOfSeconds, isWhole, records, nodeCpus: parseNodeCpus(nodes) };
}
