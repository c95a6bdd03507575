import { setTimeout as sleep } from 'node:timers/promises';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Tenant } from '../../src/domain/ids.ts';
import { parseS3Uri } from '../../src/domain/s3-uri.ts';
import { Platform } from '../support/platform.ts';

let platform: Platform;
beforeAll(async () => {
  platform = await Platform.start();
});
afterAll(async () => {
  await platform?.close();
});

const shell = (key: string, line: string) => ({ key, command: ['bash', '-c', line] });

describe('a cluster on real parts', () => {
  it('runs a campaign that is sent together with its specification, and is gone when idle', async () => {
    const tenant = { virtualLabId: 'e2e', projectId: 'whole-life' };
    const jobs = [
      shell('good', 'echo out; echo err >&2'),
      shell('bad', 'exit 7'),
      { key: 'script', script: '#!/usr/bin/env python3\nprint("α" * 3)\n' },
    ];
    const campaignId = await platform.submit(tenant, 'whole-life', {
      jobs,
      cluster: { tier: 'debug', idleTimeoutSeconds: 10 },
    });
    const campaign = await platform.untilCampaign(tenant, campaignId);
    expect(campaign).toMatchObject({ state: 'failed', jobsByState: { succeeded: 2, failed: 1 } });
    expect(campaign.jobs.find(({ key }) => key === 'bad')).toMatchObject({
      exitCode: 7,
      reason: 'Exit code 7',
    });
    const view = await platform.cluster(tenant);
    expect(view.access).toMatchObject({ user: 'sim', port: 22 });
    expect(view.access?.hostKey).toMatch(/^ssh-ed25519 /);
    await platform.until(tenant, ['deleted']);
    expect((await platform.log(tenant, campaignId, 'good', 'stdout')).body).toBe('out\n');
    expect((await platform.log(tenant, campaignId, 'good', 'stderr')).body).toBe('err\n');
    expect((await platform.log(tenant, campaignId, 'script', 'stdout')).body).toBe('ααα\n');
    expect(await platform.leftovers()).toEqual([]);
    const { perCampaign, epochs } = await platform.usage(tenant);
    expect(perCampaign.find((each) => each.campaignId === campaignId)).toMatchObject({ allocations: 3 });
    expect(epochs).toMatchObject([{ epoch: view.epoch, final: true }]);
  });

  it('answers a repeated campaign with the first one, and refuses another body under its key', async () => {
    const tenant = { virtualLabId: 'e2e', projectId: 'repeated' };
    const campaign = {
      jobs: [shell('a', 'true')],
      cluster: { tier: 'debug' as const, idleTimeoutSeconds: 5 },
    };
    const first = await platform.submit(tenant, 'key', campaign);
    expect(await platform.submit(tenant, 'key', campaign)).toBe(first);
    const other = await platform.request('POST', `${platform.path(tenant)}/campaigns`, {
      key: 'key',
      body: { jobs: [shell('b', 'true')] },
    });
    expect(other).toMatchObject({ status: 422, body: { type: expect.stringContaining('CampaignConflict') } });
    await platform.request('DELETE', platform.path(tenant));
    await platform.until(tenant, ['deleted']);
  });

  it('says in a dry run all that is wrong with a cluster, or that nothing is, and makes neither', async () => {
    const tenant = { virtualLabId: 'e2e', projectId: 'dry-run' };
    const dryRun = async (body: object) =>
      platform.request('PUT', `${platform.path(tenant)}?dryRun=true`, { body });
    const large = { name: 'c', instanceType: 'hpc7a.96xlarge', minCount: 300, maxCount: 300 };
    const [wrong, right] = await Promise.all([
      dryRun({ queues: [{ name: 'q', computeResources: [large] }] }),
      dryRun({ tier: 'debug', lustre: {} }),
    ]);
    expect(wrong).toMatchObject({ status: 200, body: { outcome: 'failed', spec: { tier: 'custom' } } });
    const failed = JSON.stringify(wrong.body);
    for (const name of ['instance-types', 'vcpu-quota', 'addresses'])
      expect(failed).toContain(`"name":"${name}","outcome":"failed"`);
    expect(right).toMatchObject({ status: 200, body: { outcome: 'passed' } });
    const { status } = await platform.request('GET', platform.path(tenant));
    expect(status).toBe(404);
    expect(await platform.leftovers()).toEqual([]);
  });

  it('says why CloudFormation failed, and leaves nothing', async () => {
    const tenant = { virtualLabId: 'e2e', projectId: 'fails' };
    platform.stack.faults.failNext('Create', 'the instance profile is not there');
    await platform.ensure(tenant, { tier: 'debug' });
    const view = await platform.until(tenant, ['failed']);
    expect(view.failure).toMatchObject({
      type: 'StackCreateFailed',
      message: expect.stringContaining('the instance profile is not there'),
    });
    expect(await platform.leftovers()).toEqual([]);
  });

  it('goes to another zone where EC2 has no capacity, and keeps lease and keys when the stack does not go, until an operator decides', async () => {
    const tenant = { virtualLabId: 'e2e', projectId: 'blocked' };
    platform.stack.faults.failNext('Create', 'We currently do not have sufficient t3.micro capacity');
    await platform.ensure(tenant, { tier: 'debug' });
    const { tries = [] } = await platform.until(tenant, ['ready']);
    expect(tries.map(({ failure }) => failure.type)).toEqual(['InsufficientCapacity']);
    const bundle = parseS3Uri(tries[0]?.supportBundle ?? '');
    const summary = await platform.stack.aws.s3.send(
      new GetObjectCommand({ Bucket: bundle.bucket, Key: `${bundle.key}summary.json` }),
    );
    expect(JSON.parse((await summary.Body?.transformToString()) ?? '')).toMatchObject({
      files: expect.arrayContaining(['stack-events.json']) as unknown,
      problems: [],
    });
    platform.stack.faults.failNext('Delete', 'the network interface is in use');
    await platform.request('DELETE', platform.path(tenant));
    const blocked = await platform.until(tenant, ['blocked']);
    expect(blocked.failure?.message).toContain('the network interface is in use');
    const kept = await platform.leftovers();
    expect(kept).toHaveLength(8);
    expect(kept).toContainEqual(expect.stringMatching(/^lease .*cluster\/e2e\/blocked$/));
    await platform.request('POST', `${platform.path(tenant)}/resolution`, {
      body: { choice: 'retry', by: 'operator', reason: 'detached it' },
    });
    await platform.until(tenant, ['deleted']);
    expect(await platform.leftovers()).toEqual([]);
  });
});

/** How often each job ran, as the cluster itself tells: each has written its key to `~/ran`. */
async function timesRun(tenant: Tenant): Promise<Record<string, number>> {
  const campaignId = await platform.submit(tenant, 'count', { jobs: [shell('count', 'cat ~/ran')] });
  await platform.untilCampaign(tenant, campaignId);
  const { body } = await platform.log(tenant, campaignId, 'count', 'stdout');
  const counts: Record<string, number> = {};
  for (const key of body.trim().split('\n')) counts[key] = (counts[key] ?? 0) + 1;
  return counts;
}

const onceEach = (keys: readonly string[]) => Object.fromEntries(keys.map((key) => [key, 1]));

/** That the one deployment is this one: names of keys and secrets carry the epoch. */
async function expectOnlyEpoch(tenant: Tenant, epoch: string | undefined): Promise<void> {
  expect(epoch).toBeDefined();
  expect((await platform.cluster(tenant)).epoch).toBe(epoch);
  const names = await platform.leftovers();
  expect(names).toHaveLength(8);
  expect(names.filter((name) => /^(key pair|secret)/.test(name) && !name.includes(epoch ?? ''))).toEqual([]);
}

async function giveBack(tenant: Tenant): Promise<void> {
  await platform.persist(async () => platform.request('DELETE', platform.path(tenant)));
  await platform.until(tenant, ['deleted']);
}

describe('a worker that is killed', () => {
  it('changes only timing, while the stack is created and while jobs run', async () => {
    const tenant = { virtualLabId: 'e2e', projectId: 'killed' };
    const letCreate = platform.stack.faults.hold('Create');
    const keys = Array.from({ length: 12 }, (_, index) => `job-${index}`);
    const campaignId = await platform.submit(tenant, 'killed', {
      jobs: keys.map((key) => shell(key, `echo ${key} >> ~/ran; sleep 2; echo ${key}`)),
      cluster: { tier: 'debug', idleTimeoutSeconds: 60 },
    });
    await platform.until(tenant, ['provisioning']);
    await platform.untilStackBegins(tenant);
    const { epoch } = await platform.cluster(tenant);
    platform.kill('worker');
    letCreate();
    await platform.restart('worker');
    await platform.untilCampaign(tenant, campaignId, ({ jobsByState }) => (jobsByState.running ?? 0) > 0);
    await expectOnlyEpoch(tenant, epoch);
    platform.kill('worker');
    await platform.restart('worker');
    const campaign = await platform.untilCampaign(tenant, campaignId);
    expect(campaign).toMatchObject({ state: 'succeeded', jobsByState: { succeeded: 12 } });
    expect(new Set(campaign.jobs.map(({ slurmJobId }) => slurmJobId)).size).toBe(12);
    expect(await timesRun(tenant)).toEqual(onceEach(keys));
    for (const key of keys)
      expect((await platform.log(tenant, campaignId, key, 'stdout')).body).toBe(`${key}\n`);
    await expectOnlyEpoch(tenant, epoch);
    await giveBack(tenant);
    expect(await platform.leftovers()).toEqual([]);
  });

  it.runIf(inject('fullTests'))(
    'leaves the API answering: reads go on, and writes say 503 with Retry-After within two seconds',
    async () => {
      const tenant = { virtualLabId: 'e2e', projectId: 'without-worker' };
      await platform.ensure(tenant, { tier: 'debug' });
      await platform.until(tenant, ['ready']);
      platform.kill('worker');
      const read = await platform.request('GET', platform.path(tenant));
      expect(read.status).toBe(200);
      const startedAt = performance.now();
      const write = await platform.request('PUT', platform.path({ ...tenant, projectId: 'other' }), {
        body: { tier: 'debug' },
      });
      expect(performance.now() - startedAt).toBeLessThan(2000);
      expect(write.status).toBe(503);
      expect(Number(write.headers.get('retry-after'))).toBeGreaterThan(0);
      await platform.restart('worker');
      for (const projectId of [tenant.projectId, 'other']) await giveBack({ ...tenant, projectId });
      expect(await platform.leftovers()).toEqual([]);
    },
  );
});

describe('an API that is killed', () => {
  it.runIf(inject('fullTests'))(
    'has the same campaign for who repeats a request, whether that was answered or not',
    async () => {
      const tenant = { virtualLabId: 'e2e', projectId: 'api-killed' };
      const keys = Array.from({ length: 8 }, (_, index) => `key-${index}`);
      const campaign = (key: string) => ({
        jobs: [shell('job', `echo ${key} >> ~/ran`)],
        cluster: { tier: 'debug' as const, idleTimeoutSeconds: 60 },
      });
      // One after the other, so that the first answer finds the others at every point on their way.
      const posts = keys.map(async (key, index) => {
        await sleep(index * 20);
        const path = `${platform.path(tenant)}/campaigns`;
        return platform.request<{ campaignId?: string }>('POST', path, { body: campaign(key), key });
      });
      await Promise.any(posts);
      platform.kill('api');
      const answers = await Promise.allSettled(posts);
      expect(answers.filter(({ status }) => status === 'rejected')).not.toEqual([]);
      await platform.restart('api');
      const { epoch } = await platform.cluster(tenant);
      const ids = await Promise.all(keys.map(async (key) => platform.submit(tenant, key, campaign(key))));
      const answered = answers.map((answer, index) =>
        answer.status === 'fulfilled' && answer.value.status === 202
          ? answer.value.body.campaignId
          : ids[index],
      );
      expect(ids).toEqual(answered);
      for (const campaignId of ids) {
        expect(await platform.untilCampaign(tenant, campaignId)).toMatchObject({ state: 'succeeded' });
      }
      expect(await timesRun(tenant)).toEqual(onceEach(keys));
      await expectOnlyEpoch(tenant, epoch);
      await giveBack(tenant);
      expect(await platform.leftovers()).toEqual([]);
    },
  );
});

describe('a Temporal server that is killed', () => {
  it('changes only timing: worker and API go on by themselves when it is back', async () => {
    const tenant = { virtualLabId: 'e2e', projectId: 'temporal-killed' };
    const keys = Array.from({ length: 8 }, (_, index) => `job-${index}`);
    const campaignId = await platform.submit(tenant, 'killed', {
      jobs: keys.map((key) => shell(key, `echo ${key} >> ~/ran; sleep 3; echo ${key}`)),
      cluster: { tier: 'debug', idleTimeoutSeconds: 60 },
    });
    await platform.untilCampaign(tenant, campaignId, ({ jobsByState }) => (jobsByState.running ?? 0) > 0);
    const { epoch } = await platform.cluster(tenant);
    const pids = () => [platform.processOf('api').pid, platform.processOf('worker').pid];
    const before = pids();
    platform.kill('temporal');
    const read = await platform.request('GET', platform.path(tenant));
    expect(read).toMatchObject({ status: 503, body: { type: '/problems/TemporalUnavailable' } });
    // Long enough for jobs to end while nobody looks.
    await sleep(3000);
    await platform.restart('temporal');
    const campaign = await platform.untilCampaign(tenant, campaignId);
    expect(campaign).toMatchObject({ state: 'succeeded', jobsByState: { succeeded: 8 } });
    expect(await timesRun(tenant)).toEqual(onceEach(keys));
    for (const key of keys)
      expect((await platform.log(tenant, campaignId, key, 'stdout')).body).toBe(`${key}\n`);
    await expectOnlyEpoch(tenant, epoch);
    expect(pids()).toEqual(before);
    await giveBack(tenant);
    expect(await platform.leftovers()).toEqual([]);
  });
});

describe('two tenants', () => {
  it.runIf(inject('fullTests'))('have clusters of their own at the same time', async () => {
    const tenants = ['one', 'two'].map((projectId) => ({ virtualLabId: 'e2e', projectId }));
    const cluster = { tier: 'debug' as const, idleTimeoutSeconds: 30 };
    const ids = await Promise.all(
      tenants.map(async (tenant) =>
        platform.submit(tenant, 'same-key', {
          jobs: [shell('who', 'hostname; ls /home/sim/campaigns')],
          cluster,
        }),
      ),
    );
    expect(new Set(ids).size).toBe(2);
    const logs: string[] = [];
    for (const [index, tenant] of tenants.entries()) {
      const campaignId = ids[index] ?? '';
      await platform.untilCampaign(tenant, campaignId);
      logs.push((await platform.log(tenant, campaignId, 'who', 'stdout')).body);
      expect(logs[index]).toContain(campaignId);
    }
    expect(logs[0]).not.toContain(ids[1]);
    const [one, two] = await Promise.all(tenants.map(async (tenant) => platform.cluster(tenant)));
    expect(one?.access?.address).not.toBe(two?.access?.address);
    expect(one?.access?.hostKey).not.toBe(two?.access?.hostKey);
    const foreign = await platform.request(
      'GET',
      `${platform.path(tenants[0] ?? { virtualLabId: '', projectId: '' })}/campaigns/${ids[1]}`,
    );
    expect(foreign.status).toBe(404);
    for (const tenant of tenants) await platform.request('DELETE', platform.path(tenant));
    for (const tenant of tenants) await platform.until(tenant, ['deleted']);
    expect(await platform.leftovers()).toEqual([]);
  });
});
