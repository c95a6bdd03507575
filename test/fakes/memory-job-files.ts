import type { FileContent, FilePart, SlurmGateway } from '../../src/clients/slurm-gateway.ts';
import type { JobFileName } from '../../src/domain/sbatch.ts';

/** Files of jobs as the gateway would read them from a head node. */
export class MemoryJobFiles implements Pick<SlurmGateway, 'readFiles'> {
  /** Undefined: something that is not a plain file. */
  readonly #files = new Map<string, Buffer | undefined>();
  /** Every part that was asked for, for tests that count what travels. */
  readonly reads: FilePart[] = [];

  write(jobKey: string, file: JobFileName, content: Buffer | string): void {
    this.#files.set(`${jobKey}/${file}`, Buffer.from(content));
  }

  /** Puts a link in the place of a file, as a job can. */
  link(jobKey: string, file: JobFileName): void {
    this.#files.set(`${jobKey}/${file}`, undefined);
  }

  async readFiles(_head: unknown, parts: readonly FilePart[]): Promise<FileContent[]> {
    this.reads.push(...parts);
    return parts.map(({ jobKey, file, offset, lengthBytes }): FileContent => {
      const path = `${jobKey}/${file}`;
      const content = this.#files.get(path);
      if (content === undefined) return { status: this.#files.has(path) ? 'refused' : 'absent' };
      return {
        status: 'ok',
        sizeBytes: content.length,
        data: content.subarray(offset, offset + lengthBytes),
      };
    });
  }
}
