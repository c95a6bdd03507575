import { parsePrices, type PriceStore } from '../../src/clients/price-store.ts';
import type { InstallationPrices } from '../../src/domain/installation-prices.ts';

/** A price store that ends with the process. Held to the same contract as the one in S3. */
export class MemoryPriceStore implements PriceStore {
  /** What is stored, by Region, for tests that damage it. */
  readonly objects = new Map<string, string>();
  /** Thrown by everything, when a test wants it. */
  failure: Error | undefined;
  reads = 0;

  async get(region: string): Promise<InstallationPrices | undefined> {
    this.reads += 1;
    if (this.failure) throw this.failure;
    const text = this.objects.get(region);
    return text === undefined ? undefined : parsePrices(region, text);
  }

  async put(prices: InstallationPrices): Promise<void> {
    if (this.failure) throw this.failure;
    this.objects.set(prices.region, JSON.stringify(prices));
  }
}
