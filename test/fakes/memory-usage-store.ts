import { usageKey } from '../../src/clients/usage-store.ts';
import type { UsageStore } from '../../src/clients/usage-store.ts';
import type { Tenant } from '../../src/domain/ids.ts';
import { type UsageFile, usageFileSchema } from '../../src/domain/usage-file.ts';

interface StoredObject {
  readonly tenant: Tenant;
  readonly epoch: string;
  readonly text: string;
  readonly writtenAt: Date;
}

/** A usage store that ends with the process. Held to the same contract as the one in S3. */
export class MemoryUsageStore implements UsageStore {
  /** What is stored, by key, for tests that damage it. */
  readonly objects = new Map<string, StoredObject>();
  /** Epochs that were read, in that order. */
  readonly reads: string[] = [];
  /** Thrown by everything, when a test wants it. */
  failure: Error | undefined;
  now: () => Date = () => new Date();

  async put(tenant: Tenant, usage: UsageFile): Promise<void> {
    this.check();
    const { epoch } = usage;
    const text = JSON.stringify(usage);
    this.objects.set(usageKey(tenant, epoch), { tenant, epoch, text, writtenAt: this.now() });
  }

  async get(tenant: Tenant, epoch: string): Promise<UsageFile | undefined> {
    this.check();
    this.reads.push(epoch);
    const stored = this.objects.get(usageKey(tenant, epoch));
    return stored && usageFileSchema.parse(JSON.parse(stored.text));
  }

  async list(
    { virtualLabId, projectId }: Tenant,
    { after = '', limit }: { readonly after?: string; readonly limit: number },
  ): ReturnType<UsageStore['list']> {
    this.check();
    return [...this.objects.values()]
      .filter(({ tenant }) => tenant.virtualLabId === virtualLabId && tenant.projectId === projectId)
      .filter(({ epoch }) => epoch > after)
      .toSorted((a, b) => (a.epoch < b.epoch ? -1 : 1))
      .slice(0, limit)
      .map(({ epoch, text, writtenAt }) => ({ epoch, writtenAt, sizeBytes: text.length }));
  }

  private check(): void {
    if (this.failure) throw this.failure;
  }
}
