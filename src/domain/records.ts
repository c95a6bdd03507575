/*
 * What the control bucket keeps of deployments whose life is over: no orphans, but their record, which the bucket's lifecycle
 * rules remove. It is only counted.
 */

/** Where something is kept for each epoch: `<folder>/<virtual lab>/<project>/<epoch>`, as a folder or a file. */
export const recordFolders = ['deployments/', 'usage/', 'jobs/'] as const;

export interface KeptRecords {
  readonly epochs: number;
  readonly objects: number;
  readonly bytes: number;
  /** Absent where the price table does not have the Region. */
  readonly usdPerMonth?: number;
}

/** An object of the control bucket. */
export interface StoredObject {
  readonly key: string;
  readonly bytes: number;
}

/** The epoch that an object is a record of; undefined for what is kept of a tenant. */
export function epochOfRecord(key: string): string | undefined {
  return /^[^/]+\/[^/]+\/[^/]+\/([0-9a-z]{14})(?:\/|\.json$)/.exec(key)?.[1];
}

/** Counts objects one by one, leaving out those of epochs of which anything is left in the account. */
export class RecordCount {
  readonly #present: ReadonlySet<string>;
  readonly #epochs = new Set<string>();
  #objects = 0;
  #bytes = 0;

  constructor(present: ReadonlySet<string>) {
    this.#present = present;
  }

  add({ key, bytes }: StoredObject): void {
    const epoch = epochOfRecord(key);
    if (epoch === undefined || this.#present.has(epoch)) return;
    this.#epochs.add(epoch);
    this.#objects += 1;
    this.#bytes += bytes;
  }

  /** `usdPerGibibyteMonth`: of S3. */
  result(usdPerGibibyteMonth: number | undefined): KeptRecords {
    return {
      epochs: this.#epochs.size,
      objects: this.#objects,
      bytes: this.#bytes,
      ...(usdPerGibibyteMonth !== undefined && {
        usdPerMonth: (this.#bytes / 2 ** 30) * usdPerGibibyteMonth,
      }),
    };
  }
}
