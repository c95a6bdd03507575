import { randomUUID } from 'node:crypto';
import { CreateBucketCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import { beforeEach, describe, expect, test } from 'vitest';
import { createS3UsageStore, type UsageStore, usageKey } from '../../src/clients/usage-store.ts';
import type { UsageFile } from '../../src/domain/usage-file.ts';
import { MemoryUsageStore } from '../fakes/memory-usage-store.ts';
import { useEmulatedAws } from '../support/aws.ts';

const tenant = { virtualLabId: 'lab', projectId: 'proj' };

function file(epoch: string, own: Partial<UsageFile> = {}): UsageFile {
  const groups = [{ queue: 'debug', allocations: [['1', 8, 1, 100, null, 0]] }] satisfies UsageFile['groups'];
  return { version: 1, epoch, asOfSeconds: 200, final: false, groups, ...own };
}

function usageStoreContract(subject: () => UsageStore): void {
  test('the usage of an epoch is what was put last', async () => {
    await subject().put(tenant, file('e1'));
    await subject().put(tenant, file('e1', { final: true }));
    expect(await subject().get(tenant, 'e1')).toEqual(file('e1', { final: true }));
    expect(await subject().get(tenant, 'e2')).toBeUndefined();
  });

  test('epochs are listed in their order, a page at a time, with when and how much was written', async () => {
    for (const epoch of ['e3', 'e1', 'e2']) await subject().put(tenant, file(epoch));
    const first = await subject().list(tenant, { limit: 2 });
    expect(first.map(({ epoch }) => epoch)).toEqual(['e1', 'e2']);
    expect(first[0]?.sizeBytes).toBe(JSON.stringify(file('e1')).length);
    expect(Math.abs((first[0]?.writtenAt.getTime() ?? 0) - Date.now())).toBeLessThan(60_000);
    const second = await subject().list(tenant, { limit: 2, after: 'e2' });
    expect(second.map(({ epoch }) => epoch)).toEqual(['e3']);
    expect(await subject().list(tenant, { limit: 2, after: 'e3' })).toEqual([]);
  });

  test('a tenant does not see the usage of another, whose id begins like its own', async () => {
    await subject().put({ ...tenant, projectId: 'proj-2' }, file('e1'));
    expect(await subject().list(tenant, { limit: 10 })).toEqual([]);
    expect(await subject().get(tenant, 'e1')).toBeUndefined();
  });
}

describe('the usage store in memory', () => {
  let store: UsageStore;
  beforeEach(() => {
    store = new MemoryUsageStore();
  });
  usageStoreContract(() => store);
});

describe('the usage store in S3', () => {
  const aws = useEmulatedAws();
  let bucket: string;
  let store: UsageStore;
  beforeEach(async () => {
    bucket = `control-${randomUUID()}`;
    const { s3 } = aws().clients;
    await s3.send(new CreateBucketCommand({ Bucket: bucket }));
    store = createS3UsageStore({ s3, bucket });
  });
  usageStoreContract(() => store);

  test('encrypts at rest', async () => {
    await store.put(tenant, file('e1'));
    const { s3 } = aws().clients;
    const head = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: usageKey(tenant, 'e1') }));
    expect(head.ServerSideEncryption).toBe('AES256');
  });
});
