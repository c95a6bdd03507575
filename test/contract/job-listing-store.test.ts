import { randomUUID } from 'node:crypto';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { beforeEach, describe, expect, test } from 'vitest';
import { createS3JobListingStore, type JobListingStore } from '../../src/clients/job-listing-store.ts';
import type { JobListing } from '../../src/domain/job-listing.ts';
import { MemoryJobListingStore } from '../fakes/memory-job-listing-store.ts';
import { useEmulatedAws } from '../support/aws.ts';

const tenant = { virtualLabId: 'lab', projectId: 'proj' };

function listing(epoch: string, observedAt: string): JobListing {
  const job = {
    slurmJobId: '1',
    user: 'sim',
    name: 'é "x"',
    queue: 'debug',
    state: 'running' as const,
    reason: 'Running',
  };
  return { version: 1, epoch, observedAt, jobs: [job], omittedJobs: 0 };
}

function storeContract(subject: () => JobListingStore): void {
  test('the listing of an epoch is the one that was put last', async () => {
    await subject().put(tenant, listing('e1', '1'));
    await subject().put(tenant, listing('e1', '2'));
    expect(await subject().get(tenant, 'e1')).toEqual(listing('e1', '2'));
  });

  test('there is none for another epoch, or another tenant', async () => {
    await subject().put(tenant, listing('e1', '1'));
    expect(await subject().get(tenant, 'e2')).toBeUndefined();
    expect(await subject().get({ ...tenant, projectId: 'proj-2' }, 'e1')).toBeUndefined();
  });
}

describe('listings of jobs in memory', () => {
  let store: JobListingStore;
  beforeEach(() => {
    store = new MemoryJobListingStore();
  });
  storeContract(() => store);
});

describe('listings of jobs in S3', () => {
  const aws = useEmulatedAws();
  let store: JobListingStore;
  beforeEach(async () => {
    const bucket = `control-${randomUUID()}`;
    const { s3 } = aws().clients;
    await s3.send(new CreateBucketCommand({ Bucket: bucket }));
    store = createS3JobListingStore({ s3, bucket });
  });
  storeContract(() => store);
});
