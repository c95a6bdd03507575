import type { FileContent, FilePart, HeadNodeFiles, JobOutput } from '../../src/clients/slurm-gateway.ts';
import type { JobFileName } from '../../src/domain/sbatch.ts';

/** Files of jobs as the gateway would read them from a head node. */
export class MemoryJobFiles implements Pick<HeadNodeFiles, 'readFiles' | 'listOutputs' | 'forgetOutputs'> {
  /** Undefined: something that is not a plain file. */
  readonly #files = new Map<string, Buffer | undefined>();
  /** Every part that was asked for, for tests that count what travels. */
  readonly reads: FilePart[] = [];
  /** The bytes that each call of `readFiles` answered with. */
  readonly answeredBytes: number[] = [];
  /** Keys of the jobs that are marked as running. */
  readonly running = new Set<string>();
  /** Called at every look at the running jobs, before it is answered. */
  onList: () => void = () => undefined;
  /** How much of a file can be read, where that is not all: 0 if it cannot be opened. By `<key>/<file>`. */
  readonly readableBytes = new Map<string, number>();

  readonly #campaignId: string;

  constructor(campaignId: string) {
    this.#campaignId = campaignId;
  }

  write(jobKey: string, file: JobFileName, content: Buffer | string): void {
    this.#files.set(`${jobKey}/${file}`, Buffer.from(content));
  }

  append(jobKey: string, file: JobFileName, content: Buffer | string): void {
    const before = this.#files.get(`${jobKey}/${file}`) ?? Buffer.alloc(0);
    this.write(jobKey, file, Buffer.concat([before, Buffer.from(content)]));
  }

  /** Puts a link in the place of a file, as a job can. */
  link(jobKey: string, file: JobFileName): void {
    this.#files.set(`${jobKey}/${file}`, undefined);
  }

  async readFiles(_head: unknown, parts: readonly FilePart[]): Promise<FileContent[]> {
    this.reads.push(...parts);
    const contents = parts.map(({ jobKey, file, offset, lengthBytes }): FileContent => {
      const path = `${jobKey}/${file}`;
      const content = this.#files.get(path);
      if (content === undefined) return { status: this.#files.has(path) ? 'refused' : 'absent' };
      const readableBytes = this.readableBytes.get(path) ?? content.length;
      const data = content.subarray(0, readableBytes).subarray(offset, offset + lengthBytes);
      return { status: 'ok', sizeBytes: content.length, data };
    });
    this.answeredBytes.push(
      contents.reduce((sum, content) => sum + (content.status === 'ok' ? content.data.length : 0), 0),
    );
    return contents;
  }

  async listOutputs(): Promise<JobOutput[]> {
    this.onList();
    return [...this.running].map((jobKey) => {
      const stdout = this.#files.get(`${jobKey}/stdout`);
      const stderr = this.#files.get(`${jobKey}/stderr`);
      return {
        campaignId: this.#campaignId,
        jobKey,
        ...(stdout && { stdoutBytes: stdout.length }),
        ...(stderr && { stderrBytes: stderr.length }),
      };
    });
  }

  async forgetOutputs(_head: unknown, jobs: readonly { readonly jobKey: string }[]): Promise<void> {
    for (const { jobKey } of jobs) this.running.delete(jobKey);
  }
}
