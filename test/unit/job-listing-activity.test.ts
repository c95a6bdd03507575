import { describe, expect, it } from 'vitest';
import { createJobListingActivities } from '../../src/activities/job-listing.ts';
import { KnownFailure } from '../../src/domain/failures.ts';
import { newEpochId } from '../../src/domain/ids.ts';
import { jobSpecSchema } from '../../src/domain/job.ts';
import { FakeSlurmGateway } from '../fakes/fake-slurm-gateway.ts';
import { MemoryJobListingStore } from '../fakes/memory-job-listing-store.ts';
import { runActivity } from '../support/activity.ts';

const tenant = { virtualLabId: 'lab', projectId: 'project' };
const campaignId = 'mfrggzdfmztwq2lknnwg23tpou';
// The fake's clock begins at a million seconds.
const epoch = newEpochId(1000, '0a1b2');
const access = {
  address: '10.0.0.1',
  port: 22,
  user: 'sim',
  hostKey: 'ssh-ed25519 AAAAfake',
  privateKeySecretArn: 'arn:key',
};

async function setUp() {
  const gateway = new FakeSlurmGateway();
  const jobListingStore = new MemoryJobListingStore();
  const jobs = [{ spec: jobSpecSchema.parse({ key: 'a', command: ['true'] }) }];
  await gateway.submit({ epoch, access }, { campaignId, jobs, defaultQueue: 'debug' });
  const { listSlurmJobs } = createJobListingActivities({ gateway, jobListingStore });
  const request = { ...tenant, clusterName: 'cluster', epoch, access };
  return {
    gateway,
    jobListingStore,
    list: async () => runActivity(listSlurmJobs, request),
  };
}

describe('listSlurmJobs', () => {
  it('stores the jobs of queue and accounting, and answers only which listing it is', async () => {
    const { jobListingStore, list } = await setUp();
    for (let look = 0; look < 3; look++) await list();
    const reference = await list();
    expect(Object.keys(reference).toSorted()).toEqual(['epoch', 'observedAt']);
    expect(await jobListingStore.get(tenant, epoch)).toMatchObject({
      ...reference,
      jobs: [{ slurmJobId: '1', campaignId, jobKey: 'a', state: 'succeeded', queue: 'debug' }],
    });
  });

  it('stores nothing when Slurm does not answer', async () => {
    const { gateway, jobListingStore, list } = await setUp();
    gateway.outage = new KnownFailure('SlurmUnavailable', 'down');
    await expect(list()).rejects.toMatchObject({ type: 'SlurmUnavailable' });
    expect(jobListingStore.objects.size).toBe(0);
  });
});
