import { beforeEach, describe, expect, it } from 'vitest';
import { createCurrentPrices, type CurrentPrices } from '../../src/clients/current-prices.ts';
import { pricesIn } from '../../src/domain/estimate.ts';
import { priceTable } from '../../src/domain/prices.ts';
import { MemoryPriceStore } from '../fakes/memory-price-store.ts';

const prices = priceTable.regions['us-east-1'] ?? expect.unreachable();
const MINUTE = 60_000;

let store: MemoryPriceStore;
let now: number;
let warnings: string[];
let current: CurrentPrices;

beforeEach(() => {
  store = new MemoryPriceStore();
  now = 0;
  warnings = [];
  const log = { warn: (_: unknown, message: string) => warnings.push(message) };
  current = createCurrentPrices({ store, region: 'eu-west-1', log, now: () => now });
});

async function put(asOf: string): Promise<void> {
  const ec2OnDemandLinux = { ...prices.ec2OnDemandLinux, asOf };
  const readAt = '2026-11-26T03:00:00.000Z';
  await store.put({
    version: 1,
    region: 'eu-west-1',
    currency: 'USD',
    readAt,
    prices: { ...prices, ec2OnDemandLinux },
  });
}

const asOf = async (): Promise<string | undefined> =>
  pricesIn(await current(), 'eu-west-1')?.ec2OnDemandLinux.asOf;

describe('the prices that a process counts with', () => {
  it('are those of the control bucket, read once for all who ask within five minutes', async () => {
    await put('2026-11-01');
    expect(await Promise.all([asOf(), asOf()])).toEqual(['2026-11-01', '2026-11-01']);
    await put('2026-11-20');
    now += 5 * MINUTE - 1;
    expect(await asOf()).toBe('2026-11-01');
    expect(store.reads).toBe(1);
    now += 1;
    expect(await asOf()).toBe('2026-11-20');
    expect(store.reads).toBe(2);
    expect(warnings).toEqual([]);
  });

  it('are those of the release where there are no others', async () => {
    expect(await current()).toBe(priceTable);
    expect(warnings).toEqual([]);
  });

  it.each([
    ['the bucket cannot be read', () => (store.failure = new Error('S3 is away'))],
    ['the object is damaged', () => store.objects.set('eu-west-1', '{"version":1}')],
  ])('stay the last that were known, and the log says so, where %s', async (_, spoil) => {
    await put('2026-11-01');
    await asOf();
    spoil();
    now += 5 * MINUTE;
    expect(await asOf()).toBe('2026-11-01');
    expect(warnings).toEqual([expect.stringContaining('what was in force stays so')]);
    store.failure = undefined;
    await put('2026-11-20');
    now += MINUTE / 2;
    expect(await asOf()).toBe('2026-11-20');
  });

  it('are those of the release where a damaged object is the first that is seen', async () => {
    store.objects.set('eu-west-1', 'null');
    expect(await current()).toBe(priceTable);
    expect(warnings).toHaveLength(1);
  });

  it('are there after a second, however long S3 takes', async () => {
    store.get = async () => new Promise(() => {});
    const begin = performance.now();
    expect(await current()).toBe(priceTable);
    expect(performance.now() - begin).toBeLessThan(1_900);
    expect(warnings).toHaveLength(1);
  });
});
