import { setTimeout as sleep } from 'node:timers/promises';
import { pricesInForce } from '../domain/installation-prices.ts';
import { type PriceTable, priceTable } from '../domain/prices.ts';
import type { PriceStore } from './price-store.ts';

/** The prices that count now. Never fails, and never takes much longer than a second. */
export type CurrentPrices = () => Promise<PriceTable>;

/** For so long processes may count differently after a refresh. */
const KEEP_MS = 5 * 60_000;
const READ_WITHIN_MS = 1_000;
const TRY_AGAIN_AFTER_MS = 30_000;

export interface CurrentPricesDeps {
  readonly store: Pick<PriceStore, 'get'>;
  readonly region: string;
  readonly log: { warn(object: unknown, message: string): void };
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Reads the installation's prices when somebody asks, at most every {@link KEEP_MS}, once for all who ask at the same time. */
export function createCurrentPrices({
  store,
  region,
  log,
  now = Date.now,
}: CurrentPricesDeps): CurrentPrices {
  let inForce = priceTable;
  let readAgainAt = 0;
  let reading: Promise<void> | undefined;
  const read = async (): Promise<void> => {
    try {
      inForce = pricesInForce(priceTable, await soon(store.get(region)));
      readAgainAt = now() + KEEP_MS;
    } catch (error) {
      log.warn(
        { err: error, region },
        'cannot read the prices of the installation: what was in force stays so',
      );
      readAgainAt = now() + TRY_AGAIN_AFTER_MS;
    } finally {
      reading = undefined;
    }
  };
  return async () => {
    if (now() >= readAgainAt) await (reading ??= read());
    return inForce;
  };
}

async function soon<T>(promise: Promise<T>): Promise<T> {
  const given = new AbortController();
  const late = async (): Promise<never> => {
    await sleep(READ_WITHIN_MS, undefined, { signal: given.signal });
    throw new Error(`The control bucket does not answer within ${READ_WITHIN_MS} ms`);
  };
  try {
    return await Promise.race([promise, late()]);
  } finally {
    given.abort();
  }
}
