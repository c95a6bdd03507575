import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createJobListingActivities } from '../../src/activities/job-listing.ts';
import { createSlurmActivities } from '../../src/activities/slurm.ts';
import { jobComment } from '../../src/domain/ids.ts';
import { decideIdle } from '../../src/domain/idle.ts';
import type { JobListing } from '../../src/domain/job-listing.ts';
import { jobSpecSchema } from '../../src/domain/job.ts';
import type { ClusterActivity } from '../../src/domain/slurm-facts.ts';
import { createMemoryCampaignStore } from '../fakes/memory-campaign-store.ts';
import { MemoryJobListingStore } from '../fakes/memory-job-listing-store.ts';
import { runActivity } from '../support/activity.ts';
import { startSlurmCluster } from '../support/slurm-cluster.ts';
import type { SlurmCluster } from '../support/slurm-cluster.ts';
import { newCampaignId } from './slurm-gateway-jobs.ts';

/* Jobs that nobody submitted through the service: by a login of the Workflow Service, or of the administrator. */

const tenant = { virtualLabId: 'lab', projectId: 'project' };
let cluster: SlurmCluster;
const store = new MemoryJobListingStore();

beforeAll(async () => {
  cluster = await startSlurmCluster();
});
afterAll(async () => cluster?.close());

const deployment = () => ({ ...tenant, clusterName: 'cluster', ...cluster.head });

async function list(): Promise<JobListing> {
  const { listSlurmJobs } = createJobListingActivities({ gateway: cluster.gateway, jobListingStore: store });
  const { epoch } = await runActivity(listSlurmJobs, deployment());
  const listing = await store.get(tenant, epoch);
  if (!listing) throw new Error('nothing was stored');
  return listing;
}

const listed = async (jobId: string) => (await list()).jobs.find(({ slurmJobId }) => slurmJobId === jobId);

/** Submits by sbatch itself, and answers the job's id. */
async function sbatch(user: 'sim' | 'ec2-user' | 'root', ...args: string[]): Promise<string> {
  const become = `setpriv --reuid ${user} --regid ${user} --clear-groups env HOME=/tmp`;
  const quoted = args.map((arg) => `'${arg}'`).join(' ');
  const { code, stdout, stderr } = await cluster.asRoot(
    `cd /tmp && ${become} sbatch --parsable --partition=debug --output=/dev/null ${quoted}`,
  );
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
}

async function activity(): Promise<ClusterActivity> {
  const campaignStore = createMemoryCampaignStore();
  const { observeSlurm } = createSlurmActivities({
    gateway: cluster.gateway,
    control: cluster.gateway,
    campaignStore,
  });
  const seen = await runActivity(observeSlurm, { ...deployment(), campaigns: [] });
  return seen.activity;
}

/** What the cluster decides from one look, with nothing else that keeps it. */
async function verdict(): Promise<string> {
  const lifetimeEndsAt = Date.now() + 86_400_000;
  const nothingElse = { idleSince: undefined, unsubmittedJobs: 0, holds: [], idleTimeoutSeconds: 60 };
  return decideIdle({ now: Date.now(), activity: await activity(), lifetimeEndsAt, ...nothingElse }).kind;
}

const cancelAll = async (): Promise<void> => {
  await cluster.asRoot('scancel --state=PENDING; scancel --state=RUNNING; scancel --state=SUSPENDED');
  await expect.poll(activity, { timeout: 30_000 }).toMatchObject({ running: 0, pending: 0, stuck: 0 });
};

describe('the list of all jobs', () => {
  it('has those of campaigns, of own logins of the job user, and of the administrator', async () => {
    const campaignId = newCampaignId();
    const jobs = [{ spec: jobSpecSchema.parse({ key: 'a', command: ['true'] }) }];
    const [own] = await cluster.gateway.submit(cluster.head, { campaignId, jobs, defaultQueue: 'debug' });
    const direct = await sbatch('sim', '--job-name=it is "mine"', '--wrap=exit 3');
    const administrator = await sbatch('ec2-user', '--job-name=theirs', '--wrap=sleep 300');
    const ownId = own !== undefined && 'jobId' in own ? own.jobId : '';
    await expect
      .poll(async () => (await listed(direct))?.state, { timeout: 30_000, interval: 200 })
      .toBe('failed');
    expect(await listed(direct)).toMatchObject({
      user: 'sim',
      name: 'it is "mine"',
      queue: 'debug',
      reason: 'Exit code 3',
      exitCode: 3,
      slurmState: 'FAILED',
      submittedAt: expect.stringMatching(/Z$/) as unknown,
      endedAt: expect.stringMatching(/Z$/) as unknown,
    });
    expect(await listed(direct)).not.toHaveProperty('campaignId');
    expect(await listed(ownId)).toMatchObject({ campaignId, jobKey: 'a', user: 'sim' });
    await expect.poll(async () => (await listed(administrator))?.state, { timeout: 30_000 }).toBe('running');
    expect(await listed(administrator)).toMatchObject({
      user: 'ec2-user',
      name: 'theirs',
      reason: 'Running',
    });
    await cancelAll();
    await expect
      .poll(async () => listed(administrator), { timeout: 10_000 })
      .toMatchObject({ state: 'cancelled', reason: 'Cancelled by root' });
  });

  it('keeps what the controller has forgotten, as long as the deployment lives', async () => {
    const jobId = await sbatch('sim', '--wrap=true');
    await expect.poll(async () => (await listed(jobId))?.state, { timeout: 30_000 }).toBe('succeeded');
    await cluster.setMinJobAge(2);
    await expect
      .poll(async () => (await cluster.asRoot(`scontrol show job ${jobId}`)).code, {
        timeout: 90_000,
        interval: 500,
      })
      .not.toBe(0);
    expect(await listed(jobId)).toMatchObject({ state: 'succeeded', user: 'sim' });
  });

  it('says why a job waits', async () => {
    const held = await sbatch('sim', '--hold', '--wrap=true');
    expect(await listed(held)).toMatchObject({ state: 'pending', pendingCause: 'held' });
    await cancelAll();
  });
});

describe('a job whose texts look like Slurm’s own lines', () => {
  const SEPARATOR = '\u001F';

  afterEach(cancelAll);

  it('is one job with odd texts, and hides and forges none', async () => {
    const campaignId = newCampaignId();
    const jobs = [{ spec: jobSpecSchema.parse({ key: 'a', command: ['sleep', '300'] }) }];
    const [own] = await cluster.gateway.submit(cluster.head, { campaignId, jobs, defaultQueue: 'debug' });
    const ownId = own !== undefined && 'jobId' in own ? own.jobId : '';
    const comment = jobComment({ epoch: cluster.head.epoch, campaignId, jobKey: 'a' });
    // As a look would print it if the own job had ended.
    const line = `${ownId}|${ownId}|COMPLETED|0:0|None|1000000000|1000000000|2000000000|n|0|debug|sim|x|${comment}`;
    const texts = [
      `evil\n7${SEPARATOR}7${SEPARATOR}RUNNING${SEPARATOR}zz`,
      `x\n${line.replaceAll('|', SEPARATOR)}\n999${SEPARATOR}999${SEPARATOR}`,
      'x\n\u001Equeue ok\n\u001Edone',
    ];
    const ids: string[] = [];
    for (const text of texts)
      ids.push(await sbatch('ec2-user', `--job-name=${text}`, `--comment=${text}`, '--wrap=true'));
    for (const [index, id] of ids.entries()) {
      await expect.poll(async () => (await listed(id))?.state, { timeout: 30_000 }).toBe('succeeded');
      expect((await listed(id))?.name).toBe(texts[index]?.replaceAll(/\p{Cc}/gu, ' '));
    }
    expect((await list()).jobs.map(({ slurmJobId }) => slurmJobId)).not.toContain('999');
    expect(await listed(ownId)).toMatchObject({ campaignId, jobKey: 'a', state: 'running' });
    expect(await activity()).toMatchObject({ running: 1, pending: 0 });
    const usage = async () => cluster.gateway.readUsage(cluster.head, {});
    await expect.poll(async () => (await usage()).isWhole, { timeout: 30_000 }).toBe(true);
    const ofCampaigns = (await usage()).records.filter((record) => record.campaignId !== undefined);
    expect(ofCampaigns.filter(({ jobId }) => ids.includes(jobId))).toEqual([]);
    expect(ofCampaigns.filter(({ jobId }) => jobId === ownId)).toHaveLength(1);
    const control = {
      campaignId,
      action: { kind: 'nice', nice: 1 },
      jobs: [{ jobKey: 'a', restarts: 0 }],
    } as const;
    expect(await cluster.gateway.control(cluster.head, control)).toMatchObject([{ jobKey: 'a' }]);
    await cluster.gateway.cancel(cluster.head, { campaignId });
    await expect.poll(async () => (await listed(ownId))?.state, { timeout: 30_000 }).toBe('cancelled');
  });
});

describe('a job that did not come through the service', () => {
  it.each(['sim', 'ec2-user', 'root'] as const)('of %s keeps the cluster while it runs', async (user) => {
    await sbatch(user, '--wrap=sleep 300');
    expect(await verdict()).toBe('busy');
    await expect.poll(activity, { timeout: 30_000 }).toMatchObject({ running: 1, pending: 0 });
    expect(await verdict()).toBe('busy');
    await cancelAll();
    expect(await verdict()).toBe('idle');
  });

  it('keeps it while it waits, also the rest of an array', async () => {
    await sbatch('ec2-user', '--exclusive', '--array=1-50%1', '--wrap=sleep 300');
    await expect.poll(activity, { timeout: 30_000 }).toMatchObject({ running: 1 });
    expect((await activity()).pending).toBeGreaterThan(0);
    await cluster.asRoot('scancel --state=RUNNING');
    expect(await verdict()).toBe('busy');
    await cancelAll();
    expect(await verdict()).toBe('idle');
  });

  it('keeps it while it waits for another that runs', async () => {
    const first = await sbatch('sim', '--wrap=sleep 300');
    await sbatch('sim', `--dependency=afterok:${first}`, '--wrap=true');
    await expect.poll(activity, { timeout: 30_000 }).toMatchObject({ running: 1, pending: 1 });
    await cancelAll();
  });

  it('does not keep it for ever when it is held, or can never run', async () => {
    await sbatch('sim', '--hold', '--wrap=true');
    await sbatch('ec2-user', '--hold', '--array=1-5', '--wrap=true');
    const failing = await sbatch('sim', '--wrap=exit 1');
    await sbatch('sim', `--dependency=afterok:${failing}`, '--wrap=true');
    await expect.poll(activity, { timeout: 30_000 }).toMatchObject({ running: 0, pending: 0 });
    expect((await activity()).stuck).toBeGreaterThanOrEqual(3);
    expect(await verdict()).toBe('idle');
    await cancelAll();
  });
});
