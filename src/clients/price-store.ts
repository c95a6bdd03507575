import { canonicalJson } from '../domain/canonical-json.ts';
import { type InstallationPrices, installationPricesSchema } from '../domain/installation-prices.ts';
import { type ControlBucket, readObject, writeObject } from './control-bucket.ts';

/** The prices of the installation, for all of its processes. */
export interface PriceStore {
  /** Undefined if none were ever written. @throws {@link DamagedPrices}. */
  get(region: string): Promise<InstallationPrices | undefined>;
  /** The last ones count. */
  put(prices: InstallationPrices): Promise<void>;
}

/** What lies there is not what this release writes. The next refresh replaces it. */
export class DamagedPrices extends Error {
  override readonly name = 'DamagedPrices';
}

export function pricesKey(region: string): string {
  return `prices/${region}.json`;
}

/** @throws {@link DamagedPrices}, without what it found. */
export function parsePrices(region: string, text: string): InstallationPrices {
  const parsed = installationPricesSchema.safeParse(parseJson(text));
  if (!parsed.success || parsed.data.region !== region)
    throw new DamagedPrices(`${pricesKey(region)} in the control bucket has no prices of ${region}`);
  return parsed.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The store in the control bucket. */
export function createS3PriceStore(control: ControlBucket): PriceStore {
  return {
    async get(region) {
      const text = await readObject(control, pricesKey(region));
      return text === undefined ? undefined : parsePrices(region, text);
    },

    async put(prices) {
      await writeObject(control, pricesKey(prices.region), canonicalJson(prices));
    },
  };
}
