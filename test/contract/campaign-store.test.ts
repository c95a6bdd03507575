import { randomUUID } from 'node:crypto';
import {
  CreateBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { beforeEach, describe, expect, test } from 'vitest';
import { type CampaignStore, createS3CampaignStore } from '../../src/clients/campaign-store.ts';
import type { CampaignManifest } from '../../src/domain/campaign-manifest.ts';
import type { JobView } from '../../src/domain/campaign-view.ts';
import type { Tenant } from '../../src/domain/ids.ts';
import { type CampaignContentReference, campaignContentSchema } from '../../src/domain/job.ts';
import { createMemoryCampaignStore } from '../fakes/memory-campaign-store.ts';
import { useEmulatedAws } from '../support/aws.ts';

const tenant: Tenant = { virtualLabId: 'lab', projectId: 'proj' };
const campaignId = 'mfrggzdfmztwq2lknnwg23tpoa';

const content = campaignContentSchema.parse({
  version: 1,
  campaignId,
  jobs: [
    { key: 'a', script: '#!/bin/bash\necho "é – \u{1F9E0}"\n', environment: { B: '2', A: '1' } },
    { key: 'b', command: ['/bin/echo', 'x y', '$(id)'] },
  ],
});

function job({ key }: Pick<JobView, 'key'>): JobView {
  return { key, state: 'succeeded', reason: 'It ended with exit code 0.', exitCode: 0, logsComplete: true };
}

const manifest = {
  version: 1,
  campaignId,
  logs: { logGroupName: '/clusters/lab/proj', epoch: '1k2m9x0aab12cd' },
  jobs: [job({ key: 'a' })],
} satisfies CampaignManifest;

interface Subject {
  readonly store: CampaignStore;
  /** Replaces what is stored for a reference, as somebody else would. */
  overwrite(reference: CampaignContentReference, text: string): Promise<void>;
  keys(): Promise<string[]>;
}

function campaignStoreContract(subject: () => Subject): void {
  test('what was put is got, byte for byte', async () => {
    const reference = await subject().store.put(tenant, content);
    expect(await subject().store.get(reference)).toEqual(content);
    expect(reference.key).toMatch(new RegExp(`^campaigns/lab/proj/${campaignId}/`));
  });

  test('equal contents have equal references, whatever the order of their members', async () => {
    const reordered = campaignContentSchema.parse({
      ...content,
      jobs: content.jobs.map((job) => ({
        ...job,
        environment: Object.fromEntries(Object.entries(job.environment).toReversed()),
      })),
    });
    const [first, second] = await Promise.all([
      subject().store.put(tenant, content),
      subject().store.put(tenant, reordered),
    ]);
    expect(second).toEqual(first);
  });

  test('another content for the same campaign does not change the first one', async () => {
    const first = await subject().store.put(tenant, content);
    const other = { ...content, jobs: content.jobs.slice(0, 1) };
    const second = await subject().store.put(tenant, other);
    expect(second.sha256).not.toBe(first.sha256);
    expect(await subject().store.get(first)).toEqual(content);
    expect(await subject().store.get(second)).toEqual(other);
  });

  test('a content that was changed is refused', async () => {
    const reference = await subject().store.put(tenant, content);
    await subject().overwrite(reference, JSON.stringify(content).replace('echo', 'rm'));
    await expect(subject().store.get(reference)).rejects.toMatchObject({ type: 'CampaignContentMissing' });
  });

  test('a content that is gone is named', async () => {
    const reference = { ...(await subject().store.put(tenant, content)), key: 'campaigns/none.json' };
    const reading = subject().store.get(reference);
    await expect(reading).rejects.toMatchObject({ type: 'CampaignContentMissing' });
    await expect(reading).rejects.toThrow('campaigns/none.json');
  });

  test('the manifest is found by tenant and campaign, and the latest one counts', async () => {
    const reference = await subject().store.put(tenant, content);
    expect(await subject().store.getManifest(tenant, campaignId)).toBeUndefined();
    await subject().store.putManifest(reference, { ...manifest, jobs: [] });
    await subject().store.putManifest(reference, manifest);
    expect(await subject().store.getManifest(tenant, campaignId)).toEqual(manifest);
    expect(await subject().store.getManifest({ ...tenant, projectId: 'other' }, campaignId)).toBeUndefined();
    expect(await subject().keys()).toHaveLength(2);
  });

  test('the parts of a manifest are read one by one, and a repetition changes nothing', async () => {
    const reference = await subject().store.put(tenant, content);
    const jobs = Array.from({ length: 5 }, (_, index) => job({ key: `j${index}` }));
    const first = await subject().store.putManifestPart(reference, 0, jobs.slice(0, 3));
    const parts = [first, await subject().store.putManifestPart(reference, 1, jobs.slice(3))];
    expect(await subject().store.putManifestPart(reference, 0, jobs.slice(0, 3))).toEqual(first);
    expect(first).toMatchObject({ jobCount: 3, jobsByState: { succeeded: 3 } });
    const parted: CampaignManifest = {
      version: 2,
      campaignId,
      state: 'succeeded',
      contentSha256: reference.sha256,
      parts,
    };
    await subject().store.putManifest(reference, parted);
    expect(await subject().store.getManifest(tenant, campaignId)).toEqual(parted);
    expect(await subject().store.getManifestPart(parts[1] ?? first)).toEqual(jobs.slice(3));
    expect(await subject().keys()).toHaveLength(4);
  });

  test('a part that was changed, or is gone, is refused and named', async () => {
    const reference = await subject().store.put(tenant, content);
    const part = await subject().store.putManifestPart(reference, 0, [job({ key: 'a' })]);
    await subject().overwrite({ ...reference, key: part.key }, '{"version":1,"jobs":[]}');
    for (const wrong of [part, { ...part, key: 'campaigns/none.json' }]) {
      const reading = subject().store.getManifestPart(wrong);
      await expect(reading).rejects.toMatchObject({ type: 'CampaignContentMissing' });
      await expect(reading).rejects.toThrow(wrong.key);
    }
  });
}

describe('the campaign store in memory', () => {
  campaignStoreContract(() => subject);
  let subject: Subject;
  beforeEach(() => {
    const store = createMemoryCampaignStore();
    subject = {
      store,
      overwrite: async (reference, text) => void store.objects.set(reference.key, text),
      keys: async () => [...store.objects.keys()],
    };
  });
});

describe('the campaign store in S3', () => {
  const aws = useEmulatedAws();
  let subject: Subject;
  beforeEach(async () => {
    const { s3 } = aws().clients;
    const bucket = `control-${randomUUID()}`;
    await s3.send(new CreateBucketCommand({ Bucket: bucket }));
    subject = {
      store: createS3CampaignStore({ s3, bucket }),
      overwrite: async ({ key }, text) =>
        void (await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: text }))),
      keys: async () => {
        const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket }));
        return Contents.map(({ Key = '' }) => Key);
      },
    };
  });
  campaignStoreContract(() => subject);

  test('objects are encrypted at rest', async () => {
    const { bucket, key } = await subject.store.put(tenant, content);
    const head = await aws().clients.s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
    expect(head.ServerSideEncryption).toBe('AES256');
  });

  test('a missing bucket is not taken for a missing manifest', async () => {
    const store = createS3CampaignStore({ s3: aws().clients.s3, bucket: 'nowhere' });
    await expect(store.getManifest(tenant, campaignId)).rejects.toMatchObject({ name: 'NoSuchBucket' });
  });
});
