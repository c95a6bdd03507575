import { beforeEach, describe, expect, it } from 'vitest';
import { jobListingPageSchema, type JobListingPage } from '../../src/api/job-listing-schemas.ts';
import { KnownFailure } from '../../src/domain/failures.ts';
import { clusterWorkflowId, type Tenant } from '../../src/domain/ids.ts';
import type { ListedJob } from '../../src/domain/job-listing.ts';
import { clusterUrl, clusterView, NOW, other, tenant } from './fakes.ts';
import { expectProblem, harness, type Harness } from './support.ts';

const epoch = '01k4x8m2tqa3f9';
const campaignId = 'mfrggzdfmztwq2lknnwg23tpou';
const LATER = '2026-01-15T09:41:20.000Z';

function job(id: number, own: Partial<ListedJob> = {}): ListedJob {
  return {
    slurmJobId: String(id),
    user: 'sim',
    name: 'wrap',
    queue: 'debug',
    state: 'running',
    reason: 'Running',
    submittedAt: NOW,
    ...own,
  };
}

const ours = (id: number) => job(id, { campaignId, jobKey: `k-${id}` });

let api: Harness;

async function list(
  jobs: readonly ListedJob[],
  { owner = tenant, observedAt = NOW, omittedJobs = 0, ofEpoch = epoch } = {},
): Promise<void> {
  api.clusters.views.set(clusterWorkflowId(owner), clusterView({ ...owner, state: 'ready' }));
  api.clusters.jobListing = { status: 'listed', epoch: ofEpoch, observedAt };
  await api.jobListings.put(owner, { version: 1, epoch: ofEpoch, observedAt, jobs: [...jobs], omittedJobs });
}

const get = async (query = '', owner: Tenant = tenant) =>
  api.request('GET', `${clusterUrl(owner)}/jobs${query}`);

async function page(query: string): Promise<JobListingPage> {
  const response = await get(query);
  expect({ status: response.statusCode, body: response.body }).toMatchObject({ status: 200 });
  return jobListingPageSchema.parse(response.json());
}

const idsOf = ({ jobs }: JobListingPage) => jobs.map(({ slurmJobId }) => Number(slurmJobId));

beforeEach(() => {
  api = harness();
});

describe('the list of a cluster’s Slurm jobs', () => {
  it('has the jobs of campaigns, and with all=true those that did not come through the service', async () => {
    await list([ours(1), job(2, { user: 'ec2-user' }), ours(3)]);
    const own = await page('');
    expect(own).toMatchObject({ epoch, observedAt: NOW, jobs: [{ campaignId, jobKey: 'k-1' }, {}] });
    expect(idsOf(own)).toEqual([1, 3]);
    expect(idsOf(await page('?all=false'))).toEqual([1, 3]);
    const all = await page('?all=true');
    expect(idsOf(all)).toEqual([1, 2, 3]);
    expect(all.jobs[1]).toEqual(job(2, { user: 'ec2-user' }));
  });

  it('comes in pages, each job once', async () => {
    await list([1, 2, 9, 10, 11].map((id) => job(id)));
    const seen: number[] = [];
    let query = '?all=true&pageSize=2';
    for (let pages = 0; pages < 3; pages++) {
      const { nextPageToken, ...rest } = await page(query);
      seen.push(...idsOf({ ...rest }));
      expect(nextPageToken === undefined).toBe(pages === 2);
      query = `?all=true&pageSize=2&pageToken=${nextPageToken ?? ''}`;
    }
    expect(seen).toEqual([1, 2, 9, 10, 11]);
  });

  it('goes on behind the last page when jobs came and went meanwhile, also two of one id', async () => {
    await list([job(1), job(2), job(2, { submittedAt: LATER }), job(3)]);
    const { nextPageToken = '' } = await page('?all=true&pageSize=2');
    await list([job(2, { submittedAt: LATER }), job(3), job(4)], { observedAt: LATER });
    const next = await page(`?all=true&pageToken=${nextPageToken}`);
    expect([next.observedAt, idsOf(next)]).toEqual([LATER, [2, 3, 4]]);
    expect(next.nextPageToken).toBeUndefined();
  });

  it('says how many there was no room for', async () => {
    await list([job(1)], { omittedJobs: 7 });
    expect(await page('?all=true')).toMatchObject({ omittedJobs: 7 });
  });

  it('refuses a token that is made up, or of an earlier deployment', async () => {
    await list([job(1), job(2)]);
    const { nextPageToken = '' } = await page('?all=true&pageSize=1');
    await list([job(1), job(2)], { ofEpoch: '01k4x8m2tqb000' });
    for (const token of [nextPageToken, 'madeup', 'x'.repeat(200)]) {
      const problem = expectProblem(await get(`?all=true&pageToken=${token}`), 400, 'InvalidRequest');
      expect(problem.errors).toMatchObject([{ in: 'query', path: 'pageToken' }]);
    }
  });

  it.each([
    ['all=yes', 'all'],
    ['pageSize=0', 'pageSize'],
    ['pageSize=1001', 'pageSize'],
    ['user=sim', 'user'],
  ])('refuses ?%s', async (query, path) => {
    await list([job(1)]);
    const { errors } = expectProblem(await get(`?${query}`), 400, 'InvalidRequest');
    expect(errors).toMatchObject([{ in: 'query', path }]);
  });

  it('is of this tenant only', async () => {
    await list([job(1)], { owner: other });
    expectProblem(await get('?all=true'), 404, 'NotFound');
    await list([job(5)]);
    expect(idsOf(await page('?all=true'))).toEqual([5]);
  });

  it('says to ask again while Slurm has not answered', async () => {
    await list([job(1)]);
    api.clusters.jobListing = { status: 'pending', since: NOW };
    const response = await get();
    expect(expectProblem(response, 503, 'SlurmUnavailable').detail).toContain(NOW);
    expect(Number(response.headers['retry-after'])).toBeGreaterThan(0);
  });

  it('says so when the bucket does not have what the cluster has listed', async () => {
    await list([job(1)]);
    api.clusters.jobListing = { status: 'listed', epoch, observedAt: LATER };
    expectProblem(await get(), 503, 'AwsUnavailable');
    api.jobListings.objects.clear();
    expectProblem(await get(), 503, 'AwsUnavailable');
  });

  it.each([
    ['ClusterNotReady', 503],
    ['ClusterDeleting', 409],
    ['SlurmUnavailable', 503],
    ['HostKeyMismatch', 502],
  ] as const)('passes on %s with its cause', async (type, status) => {
    await list([job(1)]);
    api.clusters.jobListing = new KnownFailure(type, 'the cause');
    expect(expectProblem(await get(), status, type).detail).toContain('the cause');
  });
});
