import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import type { LogStream } from '../clients/log-streams.ts';
import type { FileContent, HeadNode, HeadNodeFiles } from '../clients/slurm-gateway.ts';
import { redactEnvironment } from '../domain/redact.ts';
import { writeDocument } from './job-log-copy.ts';

/** Enough for most: larger ones are read again, one at a time. */
const USUAL_BYTES = 256 * 1024;
/**
 * More than any environment that people work with. The kernel would take twice as much (a quarter of the stack limit,
 * execve(2)), but looking for secrets in it would keep the worker busy for seconds.
 */
const MAX_BYTES = 1024 * 1024;

/** The listing of a job's environment, and the log stream that it goes into. */
export interface JobEnvironment {
  readonly campaignId: string;
  readonly jobKey: string;
  readonly stream: LogStream;
}

/** Copies environments without their secrets, and returns how many bytes were written. Absent ones are fine. */
export async function copyEnvironments(
  deps: {
    readonly logs: CloudWatchLogsClient;
    readonly gateway: Pick<HeadNodeFiles, 'readFiles'>;
    readonly now: () => number;
  },
  head: HeadNode,
  environments: readonly JobEnvironment[],
  signal: AbortSignal,
): Promise<number> {
  const read = async (jobs: readonly JobEnvironment[], lengthBytes: number) =>
    deps.gateway.readFiles(
      head,
      jobs.map(({ campaignId, jobKey }) => ({
        campaignId,
        jobKey,
        file: 'environment' as const,
        offset: 0,
        lengthBytes,
      })),
      { signal },
    );
  const contents = await read(environments, USUAL_BYTES);
  let writtenBytes = 0;
  for (const [index, environment] of environments.entries()) {
    let content = contents[index];
    if (content && !isWhole(content)) [content] = await read([environment], MAX_BYTES);
    if (content?.status !== 'ok') continue;
    const listing = Buffer.from(redactEnvironment(listingOf(content)));
    writtenBytes += await writeDocument(deps.logs, environment.stream, listing, deps.now());
  }
  return writtenBytes;
}

function isWhole(content: FileContent): boolean {
  return content.status !== 'ok' || content.data.length >= content.sizeBytes;
}

/** Ends with a whole line: half a secret would not look like one. */
function listingOf(content: FileContent & { readonly status: 'ok' }): string {
  const text = content.data.toString();
  if (isWhole(content)) return text;
  return `${text.slice(0, text.lastIndexOf('\n') + 1)}# The rest is left out: ${content.sizeBytes} bytes are too many.\n`;
}
