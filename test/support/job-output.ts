import ssh2 from 'ssh2';
import type { SFTPWrapper } from 'ssh2';
import { jobPaths } from '../../src/domain/sbatch.ts';
import type { SlurmCluster } from './slurm-cluster.ts';

const CHUNK_BYTES = 1_000_000;

/** Numbers from 0 to 1 that are the same in every run. */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/**
 * What programs write at their worst, the same for the same seed: lines of text, lines of more than 256 KiB without
 * an end, characters of several bytes, bytes that are no text, carriage returns.
 */
export function* awkwardOutput(sizeBytes: number, seed: number): Generator<Buffer, undefined> {
  const random = randomNumbers(seed);
  const noise = Buffer.from(Array.from({ length: 65_536 }, () => Math.floor(random() * 256)));
  const makers: readonly (() => Buffer)[] = [
    () => Buffer.from(`step ${Math.floor(random() * 1e9)}: –70.3 mV\n`.repeat(40_000)),
    () => Buffer.from(`${'x'.repeat(400_000)}${'é日\u{1F9E0}'.repeat(40_000)}`),
    () => Buffer.concat(Array.from({ length: 12 }, () => noise.subarray(Math.floor(random() * 60_000)))),
    () => Buffer.from(`\r ${Math.floor(random() * 100)}%`.repeat(100_000)),
  ];
  let left = sizeBytes;
  for (let index = 0; left > 0; index = (index + 1) % makers.length) {
    const chunk = makers[index]?.().subarray(0, Math.min(left, CHUNK_BYTES)) ?? Buffer.alloc(0);
    left -= chunk.length;
    yield chunk;
  }
  return undefined;
}

/** Runs `task` with an SFTP session of the job user. */
export async function withSftp<T>(
  { head, privateKey }: Pick<SlurmCluster, 'head' | 'privateKey'>,
  task: (sftp: SFTPWrapper) => Promise<T>,
): Promise<T> {
  const client = new ssh2.Client();
  const { promise, resolve, reject } = Promise.withResolvers<SFTPWrapper>();
  client.once('error', reject);
  client.once('ready', () => client.sftp((error, sftp) => (error ? reject(error) : resolve(sftp))));
  client.connect({ host: head.access.address, username: head.access.user, privateKey });
  try {
    return await task(await promise);
  } finally {
    client.end();
  }
}

/** Puts an output where a job's wrapper would have it. */
export async function writeJobOutput(
  cluster: SlurmCluster,
  job: { readonly campaignId: string; readonly jobKey: string },
  chunks: Iterable<Buffer>,
): Promise<string> {
  const { jobDirectory } = jobPaths('/home/sim', { epoch: cluster.head.epoch, ...job });
  const path = `${jobDirectory}/stdout`;
  await cluster.asSim('mkdir', '-p', jobDirectory);
  await withSftp(cluster, async (sftp) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const file = sftp.createWriteStream(path);
    file.once('error', reject);
    file.once('close', () => resolve());
    for (const chunk of chunks) {
      if (!file.write(chunk)) {
        await new Promise<void>((resume) => {
          file.once('drain', resume);
        });
      }
    }
    file.end();
    await promise;
  });
  return path;
}
