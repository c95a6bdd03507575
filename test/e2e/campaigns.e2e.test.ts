import { setTimeout as sleep } from 'node:timers/promises';
import { CreateTopicCommand, SNSClient } from '@aws-sdk/client-sns';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { JobView } from '../../src/domain/campaign-view.ts';
import type { BudgetView, ClusterView } from '../../src/domain/cluster-view.ts';
import type { Tenant } from '../../src/domain/ids.ts';
import type { CampaignSpecInput } from '../../src/domain/job.ts';
import { freePorts } from '../../src/dev/free-port.ts';
import type { PreflightReport } from '../../src/domain/preflight.ts';
import { costMetrics } from '../../src/workflows/cost-metrics.ts';
import { eventually, Platform } from '../support/platform.ts';
import { toldOn } from '../support/told-topics.ts';

const fullTests = inject('fullTests');

/** The pace of the product in these tests, see src/dev/product.ts. */
const BUSY_TICK_SECONDS = 2;
/** What is promised of the logs of a job that has ended. */
const LOGS_FINAL_WITHIN_SECONDS = 60;

const tenant: Tenant = { virtualLabId: 'e2e', projectId: 'campaigns' };
const cluster: CampaignSpecInput['cluster'] = { tier: 'debug', idleTimeoutSeconds: 600 };
const shell = (key: string, line: string) => ({ key, command: ['bash', '-c', line] });

let platform: Platform;
let metricsUrl: string;
/** Of the alarms of budgets. */
let topicArn: string;
beforeAll(async () => {
  const [port = 0] = await freePorts(1);
  metricsUrl = `http://127.0.0.1:${port}/metrics`;
  platform = await Platform.start(async ({ env }) => {
    topicArn = await createTopic(env);
    return { METRICS_ADDRESS: `127.0.0.1:${port}`, BUDGET_ALARM_TOPIC_ARN: topicArn };
  });
  await platform.ensure(tenant, { ...cluster });
  await platform.until(tenant, ['ready']);
});
afterAll(async () => {
  await platform?.close();
});

async function createTopic(env: Readonly<Record<string, string>>): Promise<string> {
  const { AWS_REGION: region = '', AWS_ENDPOINT_URL: endpoint = '' } = env;
  const credentials = {
    accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '',
    secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '',
  };
  const sns = new SNSClient({ region, endpoint, credentials });
  const { TopicArn = '' } = await sns.send(new CreateTopicCommand({ Name: 'budget-alarms' }));
  sns.destroy();
  return TopicArn;
}

/** The states of a campaign's jobs by their keys, once it has ended. */
async function endOf(campaignId: string, withinSeconds?: number): Promise<Record<string, string>> {
  const { jobs } = await platform.untilCampaign(tenant, campaignId, undefined, withinSeconds);
  return Object.fromEntries(jobs.map(({ key, state }) => [key, state]));
}

/** What a job printed. */
async function outputOf(campaignId: string, key: string): Promise<string> {
  const { status, body } = await platform.log(tenant, campaignId, key, 'stdout');
  expect(status).toBe(200);
  return body;
}

describe('the jobs of a campaign', () => {
  it('start when those that they depend on have ended as asked, and never otherwise', async () => {
    const note = (key: string) => `echo ${key} >> ~/order`;
    const campaignId = await platform.submit(tenant, 'dependencies', {
      jobs: [
        { ...shell('collect', `${note('collect')}; cat ~/order`), dependsOn: ['sim-1', 'sim-2'] },
        { ...shell('sim-1', note('sim-1')), dependsOn: ['prepare'] },
        { ...shell('sim-2', `sleep 1; ${note('sim-2')}`), dependsOn: ['prepare'] },
        shell('prepare', `sleep 1; ${note('prepare')}`),
        shell('breaks', 'exit 3'),
        { ...shell('never', note('never')), dependsOn: ['breaks'] },
        { ...shell('nor-this', note('nor-this')), dependsOn: ['never'] },
        { ...shell('mends', note('mends')), dependsOn: [{ key: 'breaks', condition: 'afternotok' }] },
        { ...shell('tidies', 'true'), dependsOn: [{ key: 'breaks', condition: 'afterany' }] },
      ],
    });
    expect(await endOf(campaignId)).toEqual({
      prepare: 'succeeded',
      'sim-1': 'succeeded',
      'sim-2': 'succeeded',
      collect: 'succeeded',
      breaks: 'failed',
      never: 'cancelled',
      'nor-this': 'cancelled',
      mends: 'succeeded',
      tidies: 'succeeded',
    });
    const order = (await outputOf(campaignId, 'collect'))
      .trim()
      .split('\n')
      .filter((key) => key !== 'mends');
    expect(order).toEqual(['prepare', 'sim-1', 'sim-2', 'collect']);
  });

  it('can be an array, of which only failed tasks are tried again, and another campaign waits for the retry', async () => {
    const line =
      'echo task $SLURM_ARRAY_TASK_ID in $(basename $PWD); [ $SLURM_ARRAY_TASK_ID != 2 ] || [ -e ~/mended ]';
    const campaignId = await platform.submit(tenant, 'array', {
      jobs: [
        { ...shell('sim', line), array: { indexes: '0-2', maxRunningTasks: 2 } },
        { ...shell('collect', 'touch ~/mended'), dependsOn: [{ key: 'sim', condition: 'afterany' }] },
        { ...shell('publish', 'true'), dependsOn: ['sim'] },
      ],
    });
    expect(await endOf(campaignId)).toEqual({
      sim_0: 'succeeded',
      sim_1: 'succeeded',
      sim_2: 'failed',
      collect: 'succeeded',
      publish: 'cancelled',
    });
    expect(await outputOf(campaignId, 'sim_1')).toBe('task 1 in sim_1\n');
    const retry = await platform.persist(async () =>
      platform.request<{ campaignId: string }>(
        'POST',
        `${platform.path(tenant)}/campaigns/${campaignId}/retries`,
        { key: 'array-again' },
      ),
    );
    expect(retry.status).toBe(202);
    const after = await platform.submit(tenant, 'after-the-retry', {
      dependsOn: [{ campaignId: retry.body.campaignId }],
      jobs: [shell('last', 'true')],
    });
    expect(await endOf(after)).toEqual({ last: 'succeeded' });
    expect(await endOf(retry.body.campaignId)).toEqual({ sim_2: 'succeeded', publish: 'succeeded' });
    expect(await outputOf(retry.body.campaignId, 'sim_2')).toBe('task 2 in sim_2\n');
  });

  it('are cancelled one by one or all together, whether they run or wait', async () => {
    const campaignId = await platform.submit(tenant, 'cancelled', {
      jobs: [
        shell('one', 'sleep 300'),
        shell('other', 'sleep 300'),
        { ...shell('after', 'true'), dependsOn: ['other'] },
      ],
    });
    const campaign = `${platform.path(tenant)}/campaigns/${campaignId}`;
    await platform.untilCampaign(tenant, campaignId, ({ jobsByState }) => jobsByState.running === 2);
    const one = await platform.persist(async () => platform.request('DELETE', `${campaign}/jobs/one`));
    expect(one.status).toBe(202);
    await platform.untilCampaign(tenant, campaignId, ({ jobsByState }) => jobsByState.cancelled === 1);
    const all = await platform.persist(async () => platform.request('DELETE', campaign));
    expect(all.status).toBe(202);
    expect(await endOf(campaignId)).toEqual({ one: 'cancelled', other: 'cancelled', after: 'cancelled' });
    expect((await platform.campaign(tenant, campaignId)).state).toBe('cancelled');
    expect((await platform.request('DELETE', campaign)).status).toBe(200);
  });

  it('show their end within one look at Slurm and two seconds', async () => {
    const seconds = [3, 4, 5, 6, 7];
    const campaignId = await platform.submit(tenant, 'ends', {
      jobs: seconds.map((duration) => shell(`job-${duration}`, `sleep ${duration}`)),
    });
    const delays = await Promise.all(
      seconds.map(async (duration) => {
        const path = `${platform.path(tenant)}/campaigns/${campaignId}/jobs/job-${duration}`;
        const { body } = await eventually(
          async () => platform.request<{ state: string; endedAt?: string }>('GET', path),
          (answer) => answer.body.state === 'succeeded',
          60,
        );
        return (Date.now() - Date.parse(body.endedAt ?? '')) / 1000;
      }),
    );
    // Slurm counts whole seconds: the end can be almost one second later than it says.
    expect(Math.max(...delays)).toBeLessThan(BUSY_TICK_SECONDS + 2 + 1);
    // A campaign ends when the logs of all its jobs are whole.
    const { endedAt, jobs } = await platform.untilCampaign(tenant, campaignId);
    const lastEnd = Math.max(...jobs.map((job) => Date.parse(job.endedAt ?? '')));
    expect((Date.parse(endedAt ?? '') - lastEnd) / 1000).toBeLessThan(LOGS_FINAL_WITHIN_SECONDS);
  });

  it('can be read while they run', async () => {
    const campaignId = await platform.submit(tenant, 'live', {
      jobs: [shell('talks', 'echo first; while [ ! -e ~/enough ]; do sleep 0.2; done; echo last')],
    });
    const path = `${platform.path(tenant)}/campaigns/${campaignId}/jobs/talks/logs/stdout`;
    await eventually(
      async () => platform.request<string>('GET', path),
      ({ status, body }) => status === 200 && body.includes('first'),
      60,
    );
    // What it wrote can be there before the next look shows that it runs.
    await platform.untilCampaign(tenant, campaignId, ({ jobsByState }) => jobsByState.running === 1);
    await endOf(await platform.submit(tenant, 'enough', { jobs: [shell('enough', 'touch ~/enough')] }));
    expect(await endOf(campaignId)).toEqual({ talks: 'succeeded' });
    expect(await outputOf(campaignId, 'talks')).toBe('first\nlast\n');
  });
});

const OUTAGE_SECONDS = 600;
/** A look takes 60 s at most and is repeated once, see src/workflows/policies.ts. */
const BLIND_WITHIN_SECONDS = 100;

// Blindness on a real head node is also in test/contract/slurm-exactly-once.contract.test.ts, what it means in test/workflows.
describe.runIf(fullTests)('a head node of which a part stands still', () => {
  const all = ['slurmctld', 'slurmdbd', 'sshd'];

  it.each([all, ['slurmctld'], ['slurmdbd'], ['sshd']].map((names) => [names]))(
    `changes no state of a job, and the cluster says since when we are blind: %j, for ${OUTAGE_SECONDS} s`,
    async (names) => {
      const campaignId = await platform.submit(tenant, `outage-${names.join('-')}`, {
        jobs: [shell('brief', 'sleep 3'), shell('long', `sleep ${OUTAGE_SECONDS + 5}`)],
      });
      const running = await platform.untilCampaign(
        tenant,
        campaignId,
        ({ jobsByState }) => jobsByState.running === 2,
      );
      await platform.signalHeadNode(tenant, 'STOP', names);
      const stoppedAt = Date.now();
      const isOver = ({ blindSince }: ClusterView) =>
        blindSince !== undefined && Date.now() - stoppedAt > OUTAGE_SECONDS * 1000;
      const seen = new Set<string>();
      try {
        const blind = await eventually(
          async () => {
            const { jobs } = await platform.campaign(tenant, campaignId);
            for (const { state } of jobs) seen.add(state);
            return platform.cluster(tenant);
          },
          isOver,
          OUTAGE_SECONDS + BLIND_WITHIN_SECONDS,
        );
        expect(blind.state).toBe('ready');
        const sinceSeconds = (Date.parse(blind.blindSince ?? '') - stoppedAt) / 1000;
        expect(Math.abs(sinceSeconds)).toBeLessThan(BUSY_TICK_SECONDS + 2);
      } finally {
        await platform.signalHeadNode(tenant, 'CONT', names);
      }
      expect([...seen]).toEqual(['running']);
      expect(await endOf(campaignId, 180)).toEqual({ brief: 'succeeded', long: 'succeeded' });
      const idsOf = (jobs: readonly JobView[]) => jobs.map(({ slurmJobId }) => slurmJobId);
      const { jobs } = await platform.campaign(tenant, campaignId);
      expect(idsOf(jobs)).toEqual(idsOf(running.jobs));
      expect((await platform.cluster(tenant)).blindSince).toBeUndefined();
    },
    (OUTAGE_SECONDS + BLIND_WITHIN_SECONDS) * 1000 + 300_000,
  );
});

/** How often each job of a campaign ran, by what it wrote, and how many Slurm jobs accounting knows of each. */
async function timesRun(campaignId: string, round: number) {
  const { epoch } = await platform.cluster(tenant);
  const comments = `pcp/${epoch}/${campaignId}/`;
  const accounting =
    'sacct --noheader --allocations --duplicates --parsable2 --starttime=now-1day --format=Comment';
  const counting = await platform.submit(tenant, `count-${round}`, {
    jobs: [
      shell('ran', `cat ~/ran-${round}`),
      shell('known', `sleep 3; ${accounting} | grep -F ${comments}`),
    ],
  });
  expect(await endOf(counting)).toEqual({ ran: 'succeeded', known: 'succeeded' });
  const keyOf = (line: string) => line.slice(line.lastIndexOf('/') + 1);
  const count = (text: string) =>
    Object.fromEntries(
      [...Map.groupBy(text.trim().split('\n'), keyOf)].map(([key, all]) => [key, all.length]),
    );
  return { ran: count(await outputOf(counting, 'ran')), known: count(await outputOf(counting, 'known')) };
}

// A round of the same without Temporal is in test/contract/slurm-exactly-once.contract.test.ts.
describe.runIf(fullTests)('a worker that is killed at random moments while jobs are submitted', () => {
  const rounds = 20;
  const jobCount = 200;
  // Milliseconds from one moment to the next: within the submission, which takes some seconds, and soon after it.
  const pauses = fc.sample(fc.array(fc.integer({ min: 50, max: 1500 }), { minLength: 2, maxLength: 2 }), {
    seed: 4,
    numRuns: rounds,
  });

  it.each(pauses.map((moments, index) => [index + 1, moments] as const))(
    'leaves every key exactly one job (round %i, after %j ms)',
    async (round, moments) => {
      const keys = Array.from({ length: jobCount }, (_, index) => `job-${index}`);
      const campaignId = await platform.submit(tenant, `round-${round}`, {
        jobs: keys.map((key) => shell(key, `echo ${key} >> ~/ran-${round}`)),
      });
      for (const pauseMilliseconds of moments) {
        await sleep(pauseMilliseconds);
        platform.kill('worker');
        await platform.restart('worker');
      }
      const ends = await endOf(campaignId, 240);
      expect(Object.values(ends).filter((state) => state !== 'succeeded')).toEqual([]);
      const onceEach = Object.fromEntries(keys.map((key) => [key, 1]));
      expect(await timesRun(campaignId, round)).toEqual({ ran: onceEach, known: onceEach });
    },
  );
});

describe('what a project spends', () => {
  const budgetPath = () => platform.path(tenant).replace(/cluster$/, 'budget');
  const setBudget = async (limitUsd: number) =>
    platform.persist(async () =>
      platform.request<BudgetView>('PUT', budgetPath(), { body: { limitUsd, by: 'Ada', reason: 'tested' } }),
    );

  it('is in the view, the search attribute, the usage and the metrics; at 100 % of its budget new work is refused', async () => {
    const { cost: before } = await platform.cluster(tenant);
    expect(before?.ratePerHourUsd).toBeGreaterThan(0.19);
    expect(await platform.hourlyCostUsd(tenant)).toBeGreaterThan(0.19);
    const campaignId = await platform.submit(tenant, 'costs', { jobs: [shell('costs', 'sleep 6')] });
    await endOf(campaignId);
    const grown = await eventually(
      async () => platform.cluster(tenant),
      ({ cost }) => (cost?.thisMonthUsd ?? 0) > (before?.thisMonthUsd ?? 0),
      30,
    );
    const spentUsd = grown.cost?.thisMonthUsd ?? 0;
    const { perCampaign } = await eventually(
      async () => platform.usage(tenant),
      ({ perCampaign: all }) => all.some((each) => each.campaignId === campaignId && (each.costUsd ?? 0) > 0),
      30,
    );
    const used = perCampaign.find((each) => each.campaignId === campaignId);
    expect(used).not.toHaveProperty('unpricedAllocations');
    const { jobs } = await platform.campaignUsage(tenant, campaignId);
    expect(jobs).toMatchObject([{ jobKey: 'costs', costUsd: used?.costUsd }]);
    expect(used?.costUsd).toBeLessThan(spentUsd);

    // The view rounds.
    const { status, body } = await setBudget(spentUsd * 0.95);
    expect({ status, body }).toMatchObject({ status: 200, body: { level: 'exhausted' } });
    const refused = await platform.request<{ type: string }>('POST', `${platform.path(tenant)}/campaigns`, {
      body: { jobs: [shell('more', 'true')] },
      key: 'refused',
    });
    expect({ status: refused.status, type: refused.body.type.split('/').at(-1) }).toEqual({
      status: 409,
      type: 'BudgetExhausted',
    });
    const told = await eventually(
      async () => (await toldOn(topicArn, platform.stack.env['AWS_ENDPOINT_URL'] ?? '')).at(-1),
      (last) => last !== undefined,
      30,
    );
    expect(told?.subject).toBe(`Budget exhausted: ${tenant.virtualLabId}/${tenant.projectId}`);
    const metrics = await (await fetch(metricsUrl)).text();
    const ofTenant = metrics.split('\n').filter((line) => line.includes('project_id="campaigns"'));
    expect(ofTenant.map((line) => line.replace(/\{.*/, ''))).toEqual(
      expect.arrayContaining(Object.values(costMetrics).map(({ name }) => name)),
    );

    expect((await setBudget(1000)).body.level).toBe('ok');
    await endOf(await platform.submit(tenant, 'raised', { jobs: [shell('raised', 'true')] }));
    const taken = await platform.persist(async () => platform.request('DELETE', budgetPath()));
    expect(taken.status).toBe(200);
  });
});

describe('a cluster that a campaign asks for by its needs', () => {
  it('is planned, runs the jobs, and is found again by the same needs', async () => {
    const planned: Tenant = { ...tenant, projectId: 'planned' };
    const needs = {
      tasks: 4,
      memoryMebibytesPerTask: 1000,
      expectedSecondsPerJob: 60,
      deadlineSeconds: 3600,
    };
    const jobs = [1, 2, 3, 4].map((n) => shell(`task-${n}`, 'true'));
    const campaignId = await platform.submit(planned, 'by-needs', { cluster: { needs }, jobs });
    const view = await platform.until(planned, ['ready']);
    expect(view).toMatchObject({
      spec: { tier: 'custom', queues: [{ name: 'plan' }] },
      plan: { needs },
      estimate: { region: 'us-east-1', idleUsdPerHour: expect.any(Number) },
    });
    const { state } = await platform.untilCampaign(planned, campaignId);
    expect(state).toBe('succeeded');
    const again = await platform.ensure(planned, { needs });
    expect([again.status, again.body.epoch]).toEqual([200, view.epoch]);
  });
});

describe('a cluster that is changed', () => {
  const more = {
    name: 'more',
    computeResources: [{ name: 'nodes', instanceType: 't3.micro', maxCount: 2 }],
  };
  /** By zones of the pool: a type that EC2 has only in the other one. */
  const onlyElsewhere: Readonly<Record<string, string>> = {
    'us-east-1a': 'trn1.32xlarge',
    'us-east-1b': 'vt1.3xlarge',
  };

  it('gets a queue that a campaign needs, while jobs of another one run on', async () => {
    const running = await platform.submit(tenant, 'runs-on', { jobs: [shell('long', 'sleep 8; echo done')] });
    await platform.untilCampaign(tenant, running, ({ jobsByState }) => jobsByState.running === 1);
    const { epoch } = await platform.cluster(tenant);
    const needing = await platform.submit(tenant, 'needs-more', {
      cluster: { queues: [more] },
      jobs: [{ ...shell('elsewhere', 'echo $SLURM_JOB_PARTITION'), queue: 'more' }],
    });
    expect(await endOf(needing)).toEqual({ elsewhere: 'succeeded' });
    expect(await outputOf(needing, 'elsewhere')).toBe('more\n');
    expect(await endOf(running)).toEqual({ long: 'succeeded' });
    expect(await outputOf(running, 'long')).toBe('done\n');
    const view = await platform.cluster(tenant);
    expect(view).toMatchObject({ epoch, update: { mode: 'in-place', state: 'done' } });
    expect(view.spec?.queues.map(({ name }) => name)).toEqual(['debug', 'more']);
  });

  it('is made in a zone that has its nodes, and made anew for other ones after its jobs', async () => {
    const changing = { ...tenant, projectId: 'changing' };
    const path = `${platform.path(changing)}?dryRun=true`;
    const { body } = await platform.request<{ preflight: PreflightReport }>('PUT', path, {
      body: { queues: [more] },
    });
    const first = body.preflight.place?.availabilityZone ?? '';
    const [resource] = more.computeResources;
    const scarce = { ...more, computeResources: [{ ...resource, instanceType: onlyElsewhere[first] }] };
    await platform.ensure(changing, { queues: [scarce], idleTimeoutSeconds: 600 });
    const { epoch, tries } = await platform.until(changing, ['ready']);
    expect(tries).toMatchObject([{ availabilityZone: first, failure: { type: 'PreflightFailed' } }]);
    expect(tries?.[0]?.epoch).not.toBe(epoch);
    const jobs = [{ ...shell('first', 'sleep 5; echo kept > ~/kept') }];
    const before = await platform.submit(changing, 'before', { jobs });
    const queues = [{ ...more, computeResources: [{ ...resource, instanceType: 't3.small' }] }];
    const patch = async (query = '') =>
      platform.request<{ outcome: string; plan: { mode: string } }>(
        'PATCH',
        `${platform.path(changing)}${query}`,
        { body: { queues } },
      );
    expect((await patch('?dryRun=true')).body).toMatchObject({
      outcome: 'planned',
      plan: { mode: 'after-drain' },
    });
    expect(await patch()).toMatchObject({ status: 202, body: { outcome: 'accepted' } });
    const after = await platform.submit(changing, 'after', { jobs: [shell('second', 'cat ~/kept')] });
    expect((await platform.untilCampaign(changing, before)).state).toBe('succeeded');
    expect((await platform.untilCampaign(changing, after)).state).toBe('succeeded');
    expect((await platform.log(changing, after, 'second', 'stdout')).body).toBe('kept\n');
    const view = await platform.cluster(changing);
    expect(view.epoch).not.toBe(epoch);
    expect(view).toMatchObject({ update: { state: 'done' }, spec: { queues } });
  });
});
