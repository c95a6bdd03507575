import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CreateBucketCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  createS3PriceStore,
  DamagedPrices,
  type PriceStore,
  pricesKey,
} from '../../src/clients/price-store.ts';
import type { InstallationPrices } from '../../src/domain/installation-prices.ts';
import { priceTable } from '../../src/domain/prices.ts';
import { MemoryPriceStore } from '../fakes/memory-price-store.ts';
import { useEmulatedAws } from '../support/aws.ts';
import { PriceListServer } from '../support/price-list-server.ts';

const prices = priceTable.regions['us-east-1'] ?? expect.unreachable();

function ofRegion(region: string, readAt = '2026-11-26T03:00:00.000Z'): InstallationPrices {
  return { version: 1, region, currency: 'USD', readAt, prices };
}

interface Subject {
  readonly store: PriceStore;
  readonly damage: (region: string, text: string) => Promise<unknown>;
}

function priceStoreContract(subject: () => Subject): void {
  test('the prices of a Region are those that were put last', async () => {
    const { store } = subject();
    expect(await store.get('eu-west-1')).toBeUndefined();
    await store.put(ofRegion('eu-west-1'));
    await store.put(ofRegion('eu-west-1', '2026-11-27T03:00:00.000Z'));
    expect(await store.get('eu-west-1')).toEqual(ofRegion('eu-west-1', '2026-11-27T03:00:00.000Z'));
    expect(await store.get('us-east-1')).toBeUndefined();
  });

  test.each([
    ['no JSON', '{"version":1,'],
    ['another version', JSON.stringify({ ...ofRegion('eu-west-1'), version: 2 })],
    ['another Region', JSON.stringify(ofRegion('eu-west-2'))],
    [
      'a price of 0',
      JSON.stringify({
        ...ofRegion('eu-west-1'),
        prices: { ...prices, efsStandard: { source: 'x', usdPerGibibyteMonth: 0 } },
      }),
    ],
  ])('%s is damage, and never prices', async (_, text) => {
    const { store, damage } = subject();
    await damage('eu-west-1', text);
    await expect(store.get('eu-west-1')).rejects.toThrow(DamagedPrices);
  });
}

describe('the price store in memory', () => {
  let store: MemoryPriceStore;
  beforeEach(() => {
    store = new MemoryPriceStore();
  });
  priceStoreContract(() => ({
    store,
    damage: async (region, text) => store.objects.set(region, text),
  }));
});

describe('the price store in S3', () => {
  const aws = useEmulatedAws();
  let bucket: string;
  let store: PriceStore;
  beforeEach(async () => {
    bucket = `control-${randomUUID()}`;
    const { s3 } = aws().clients;
    await s3.send(new CreateBucketCommand({ Bucket: bucket }));
    store = createS3PriceStore({ s3, bucket, kmsKeyId: 'alias/control' });
  });
  priceStoreContract(() => ({
    store,
    damage: async (region, text) =>
      aws().clients.s3.send(new PutObjectCommand({ Bucket: bucket, Key: pricesKey(region), Body: text })),
  }));

  test('`npm run prices:update` fills it from a machine that can reach the price list', async () => {
    const list = await PriceListServer.start('eu-west-1');
    try {
      const script = join(import.meta.dirname, '..', '..', 'scripts', 'update-prices.ts');
      const args = [script, '--control-bucket', bucket, '--kms-key-id', 'alias/control', 'eu-west-1'];
      const { stdout } = await promisify(execFile)(process.execPath, args, {
        env: { ...process.env, AWS_ENDPOINT_URL_PRICING: list.url },
      });
      expect(stdout).toContain(
        'In force: those in the control bucket, as of 2026-07-18, for 3 instance types',
      );
    } finally {
      await list.close();
    }
    expect((await store.get('eu-west-1'))?.prices.ebsGp3.usdPerGibibyteMonth).toBe(0.08);
    const { ServerSideEncryption, SSEKMSKeyId } = await aws().clients.s3.send(
      new HeadObjectCommand({ Bucket: bucket, Key: pricesKey('eu-west-1') }),
    );
    expect([ServerSideEncryption, SSEKMSKeyId]).toEqual([
      'aws:kms',
      expect.stringContaining('alias/control'),
    ]);
  });
});
