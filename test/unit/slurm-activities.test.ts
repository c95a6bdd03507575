import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { MockActivityEnvironment } from '@temporalio/testing';
import { createReadinessActivities } from '../../src/activities/readiness.ts';
import { createSlurmActivities } from '../../src/activities/slurm.ts';
import type {
  Observation,
  ObserveRequest,
  SubmitOutcome,
  SubmitRequest,
} from '../../src/domain/slurm-requests.ts';
import { SlurmTransports } from '../../src/clients/slurm-transports.ts';
import { KnownFailure } from '../../src/domain/failures.ts';
import type { ControlOutcome } from '../../src/domain/job-control.ts';
import { jobSpecSchema } from '../../src/domain/job.ts';
import { FakeSlurmGateway } from '../fakes/fake-slurm-gateway.ts';
import { createMemoryCampaignStore } from '../fakes/memory-campaign-store.ts';
import { activityContext } from '../support/activity.ts';

const deployment = { virtualLabId: 'lab', projectId: 'project', epoch: 'e1', clusterName: 'cluster' };
const campaignId = 'a'.repeat(26);

let gateway: FakeSlurmGateway;
let context: MockActivityEnvironment;

beforeEach(() => {
  gateway = new FakeSlurmGateway();
  context = activityContext();
});

const accessOf = () => ({
  address: '10.0.0.1',
  port: 22,
  user: 'sim',
  hostKey: gateway.hostKey,
  privateKeySecretArn: 'arn:key',
});

async function setUp() {
  const campaignStore = createMemoryCampaignStore();
  const jobs = ['a', 'b', 'c'].map((key) => jobSpecSchema.parse({ key, command: ['true'] }));
  const content = await campaignStore.put(deployment, { version: 1, campaignId, jobs });
  const activities = createSlurmActivities({ gateway, control: gateway, campaignStore });
  const request: SubmitRequest = {
    ...deployment,
    access: accessOf(),
    campaignId,
    content,
    jobs: [{ jobKey: 'a' }, { jobKey: 'c' }],
    defaultQueue: 'debug',
  };
  const submit = async (changes: Partial<SubmitRequest> = {}): Promise<SubmitOutcome[]> =>
    context.run(async () => activities.submitJobs({ ...request, ...changes }));
  const observe = async (...campaigns: ObserveRequest['campaigns'][number][]): Promise<Observation> =>
    context.run(async () => activities.observeSlurm({ ...deployment, access: accessOf(), campaigns }));
  return { activities, campaignStore, submit, observe };
}

describe('submitJobs', () => {
  it('submits the named jobs of the content, and adopts them when it is repeated', async () => {
    const { submit } = await setUp();
    expect(await submit()).toEqual([
      { jobKey: 'a', status: 'submitted', jobId: '1' },
      { jobKey: 'c', status: 'submitted', jobId: '2' },
    ]);
    expect((await submit()).map(({ status }) => status)).toEqual(['adopted', 'adopted']);
  });

  it('hands the rest of an array over with its limit, and names a task that is waited for by its array', async () => {
    const { submit, campaignStore } = await setUp();
    const jobs = [
      { key: 'arr', command: ['true'], array: { indexes: '0-9', maxRunningTasks: 2 } },
      { key: 'after', command: ['true'] },
    ].map((job) => jobSpecSchema.parse(job));
    const content = await campaignStore.put(deployment, { version: 1, campaignId, jobs });
    const submitted = vi.spyOn(gateway, 'submit');
    await submit({
      content,
      jobs: [
        { jobKey: 'arr', indexes: '3-5' },
        { jobKey: 'after', dependencies: [{ key: 'arr_3', condition: 'afterok' }] },
      ],
    });
    expect(submitted.mock.lastCall?.[1].jobs).toMatchObject([
      { spec: { key: 'arr', array: { indexes: '3-5', maxRunningTasks: 2 } } },
      { spec: { key: 'after' }, dependencies: [{ key: 'arr', arrayTaskId: 3, condition: 'afterok' }] },
    ]);
  });

  it('tells the gateway whether it is the first attempt', async () => {
    const { submit } = await setUp();
    await submit();
    context = activityContext({ attempt: 2 });
    await submit();
    expect(gateway.firstAttempts).toEqual([true, false]);
  });

  it('submits nothing when the content has no such job or was changed', async () => {
    const { submit, campaignStore } = await setUp();
    await expect(submit({ jobs: [{ jobKey: 'a' }, { jobKey: 'x' }] })).rejects.toMatchObject({
      type: 'CampaignContentMissing',
    });
    for (const key of campaignStore.objects.keys()) campaignStore.objects.set(key, '{}');
    await expect(submit()).rejects.toMatchObject({ type: 'CampaignContentMissing' });
    expect((await gateway.observe({ epoch: 'e1', access: accessOf() }, {})).facts).toEqual([]);
  });
});

describe('observeSlurm', () => {
  it('tells a campaign its facts once, and again only when they change', async () => {
    const { submit, observe } = await setUp();
    await submit();
    const campaign = { campaignId, since: 0 };
    const first = await observe(campaign);
    expect(first.campaigns[0]?.facts.map(({ jobKey, state }) => [jobKey, state])).toEqual([
      ['a', 'RUNNING'],
      ['c', 'RUNNING'],
    ]);
    const second = await observe({ ...campaign, told: first.campaigns[0]?.told ?? {} });
    expect(second.campaigns[0]?.facts.map(({ state }) => state)).toEqual(['COMPLETED', 'COMPLETED']);
    const third = await observe({ ...campaign, told: second.campaigns[0]?.told ?? {} });
    expect(third.campaigns).toEqual([]);
  });

  it('counts what keeps the cluster busy, also when no campaign is open', async () => {
    const { submit, observe } = await setUp();
    await submit();
    gateway.interactiveSessions = 1;
    expect(await observe()).toEqual({
      activity: { running: 2, pending: 0, stuck: 0, interactiveSessions: 1 },
      campaigns: [],
      more: false,
      runningOwn: 2,
    });
  });

  it('takes sessions that nobody can see for one', async () => {
    const { observe } = await setUp();
    gateway.interactiveSessions = undefined;
    expect((await observe()).activity).toMatchObject({ interactiveSessions: 1 });
    gateway.interactiveSessions = 0;
    expect((await observe()).activity).toMatchObject({ interactiveSessions: 0 });
  });

  it('asks accounting only while a campaign is open, from the oldest one on, and once a look', async () => {
    const { observe } = await setUp();
    await observe();
    await observe({ campaignId, since: 5000 }, { campaignId: 'b'.repeat(26), since: 4000 });
    expect(gateway.observed).toEqual([{ oneSacct: true }, { oneSacct: true, sinceSeconds: 3940 }]);
  });

  it('asks for another look at once when the gateway has left something out', async () => {
    const { observe } = await setUp();
    expect((await observe()).more).toBe(false);
    gateway.more = true;
    expect((await observe()).more).toBe(true);
  });

  it('fails when Slurm does not answer', async () => {
    const { observe } = await setUp();
    gateway.outage = new KnownFailure('SlurmUnavailable', 'down');
    await expect(observe({ campaignId, since: 0 })).rejects.toMatchObject({ type: 'SlurmUnavailable' });
  });
});

describe('controlJobs', () => {
  const DENIED = 'Access/permission denied for job 7';
  const action = { kind: 'release' } as const;
  const jobs = ['mine', 'special', 'odd'].map((jobKey) => ({ jobKey, restarts: 0 }));
  const answers: Readonly<Record<string, ControlOutcome>> = {
    mine: { jobKey: 'mine', status: 'done' },
    special: { jobKey: 'special', status: 'refused', message: DENIED },
    odd: { jobKey: 'odd', status: 'refused', message: 'Job is in the way' },
  };

  /** Who asked for which jobs, beside what became of them. */
  async function control({ asAdmin }: { readonly asAdmin: boolean }) {
    const asked: [string, string[]][] = [];
    const activities = createSlurmActivities({
      gateway,
      campaignStore: createMemoryCampaignStore(),
      control: {
        async control({ access: { user } }, request) {
          asked.push([user, request.jobs.map(({ jobKey }) => jobKey)]);
          return request.jobs.map(({ jobKey }) =>
            user === 'ec2-user' ? { jobKey, status: 'done' } : (answers[jobKey] ?? expect.unreachable()),
          );
        },
      },
    });
    const admin = asAdmin ? { adminAccess: { ...accessOf(), user: 'ec2-user' } } : {};
    const request = { ...deployment, access: accessOf(), ...admin, campaignId, action, jobs };
    const outcomes = await context.run(async () => activities.controlJobs(request));
    return { asked, outcomes };
  }

  it('has the administrator do what only administrators may, and nothing else that Slurm refused', async () => {
    const { asked, outcomes } = await control({ asAdmin: true });
    expect(asked).toEqual([
      ['sim', ['mine', 'special', 'odd']],
      ['ec2-user', ['special']],
    ]);
    expect(outcomes).toEqual([answers['mine'], { jobKey: 'special', status: 'done' }, answers['odd']]);
  });

  it('says what Slurm said where no administrator can be reached', async () => {
    const { asked, outcomes } = await control({ asAdmin: false });
    expect(asked).toHaveLength(1);
    expect(outcomes).toEqual(Object.values(answers));
  });
});

describe('cancelJobs and disconnect', () => {
  it('cancel everything of ours and forget the deployment', async () => {
    const { submit, observe, activities } = await setUp();
    await submit();
    await context.run(async () => activities.cancelJobs({ ...deployment, access: accessOf() }));
    expect((await observe()).activity).toMatchObject({ running: 0, pending: 0 });
    await activities.disconnect(deployment);
    expect(gateway.disconnected).toEqual(['e1']);
  });
});

describe('checkReadiness', () => {
  const request = { ...deployment, address: '10.0.0.1', privateKeySecretArn: 'arn:key', queues: ['debug'] };
  const check = async (changes: { hostKey?: string; queues?: string[] } = {}) => {
    const { checkReadiness } = createReadinessActivities({
      gateway,
      files: gateway,
      jobUser: 'sim',
      pollSeconds: 0.01,
      capacityPatienceSeconds: 0.1,
    });
    return context.run(async () => checkReadiness({ ...request, ...changes }));
  };

  it('pins the host key and returns the access once a smoke job has completed', async () => {
    expect(await check()).toEqual(accessOf());
    const { facts } = await gateway.observe({ epoch: 'e1', access: accessOf() }, {});
    expect(facts).toMatchObject([
      { comment: 'pcp/e1/readiness/smoke-1', state: 'COMPLETED', partition: 'debug' },
    ]);
  });

  describe('where there is to be a REST API', () => {
    const slurmApi = {
      trust: 'epoch-key',
      jobsOver: 'slurmrestd',
      signingKeySecretArn: 'arn:signing',
    } as const;
    let rest: FakeSlurmGateway;
    beforeEach(() => {
      rest = new FakeSlurmGateway();
    });
    const checkBoth = async (jobsOver: 'ssh' | 'slurmrestd') => {
      const { checkReadiness } = createReadinessActivities({
        gateway: new SlurmTransports({ ssh: gateway, rest }),
        files: gateway,
        jobUser: 'sim',
        pollSeconds: 0.01,
      });
      return context.run(async () => checkReadiness({ ...request, slurmApi: { ...slurmApi, jobsOver } }));
    };
    const jobsOf = async (of: FakeSlurmGateway) =>
      (await of.observe({ epoch: 'e1', access: accessOf() }, {})).facts.length;

    it('pins its certificate, and runs the smoke job over what jobs go over', async () => {
      const certificateSha256 = gateway.certificateSha256;
      const pinned = { ...slurmApi, port: 6820, certificateSha256 };
      expect(await checkBoth('slurmrestd')).toEqual({ ...accessOf(), slurmApi: pinned });
      expect([await jobsOf(gateway), await jobsOf(rest)]).toEqual([0, 1]);
      expect(await checkBoth('ssh')).toMatchObject({ slurmApi: { jobsOver: 'ssh', certificateSha256 } });
      expect([await jobsOf(gateway), await jobsOf(rest)]).toEqual([1, 1]);
    });

    it('is not ready before it has a certificate and answers a token, whatever jobs go over', async () => {
      rest.outage = new KnownFailure('HeadNodeUnreachable', 'nothing listens');
      for (const jobsOver of ['ssh', 'slurmrestd'] as const)
        await expect(checkBoth(jobsOver)).rejects.toMatchObject({
          type: 'ClusterNotReady',
          message: 'nothing listens',
        });
      rest.outage = undefined;
      gateway.certificateSha256 = undefined;
      await expect(checkBoth('ssh')).rejects.toMatchObject({ type: 'ClusterNotReady' });
      expect(await jobsOf(gateway)).toBe(0);
    });

    it('says so when Slurm refuses the token', async () => {
      rest.outage = new KnownFailure('SlurmTokenRefused', 'Authentication failure');
      await expect(checkBoth('ssh')).rejects.toMatchObject({ type: 'SlurmTokenRefused' });
    });
  });

  it('goes on with the smoke job of an earlier attempt', async () => {
    await check();
    await check();
    expect((await gateway.observe({ epoch: 'e1', access: accessOf() }, {})).facts).toHaveLength(1);
  });

  it('tries another smoke job after one that failed', async () => {
    await gateway.submit(
      { epoch: 'e1', access: accessOf() },
      {
        campaignId: 'readiness',
        jobs: [{ spec: jobSpecSchema.parse({ key: 'smoke-1', command: ['sh', '-c', 'exit 1'] }) }],
        defaultQueue: 'debug',
      },
    );
    await expect(check()).rejects.toMatchObject({
      type: 'ClusterNotReady',
      message: 'The smoke job smoke-1 ended as failed: Exit code 1',
    });
    await expect(check()).resolves.toEqual(accessOf());
  });

  it.each([
    ['InsufficientInstanceCapacity', 'InsufficientCapacity', /EC2 has no such instances left/],
    ['VcpuLimitExceeded', 'QuotaExceeded', /quota of vCPUs/],
  ] as const)('can never be ready while EC2 starts no node (%s)', async (nodeProblem, type, message) => {
    gateway.nodeProblem = nodeProblem;
    await expect(check()).rejects.toMatchObject({ type, message: expect.stringMatching(message) as unknown });
  });

  it('is ready when EC2 has a node after all', async () => {
    gateway.nodeProblem = 'InsufficientInstanceCapacity';
    setTimeout(() => (gateway.nodeProblem = undefined), 50);
    await expect(check()).resolves.toEqual(accessOf());
  });

  it('is not ready while Slurm does not answer, and keeps Slurm’s words', async () => {
    gateway.outage = new KnownFailure('SlurmUnavailable', 'scontrol: slurmctld is DOWN');
    await expect(check()).rejects.toMatchObject({
      type: 'ClusterNotReady',
      message: 'scontrol: slurmctld is DOWN',
    });
  });

  it('is not ready while a queue is missing, down or without nodes', async () => {
    await expect(check({ queues: ['debug', 'big'] })).rejects.toMatchObject({ type: 'ClusterNotReady' });
    gateway.partitions = [{ name: 'debug', availability: 'inact', nodes: 2 }];
    await expect(check()).rejects.toMatchObject({ type: 'ClusterNotReady' });
    gateway.partitions = [{ name: 'debug', availability: 'up', nodes: 0 }];
    await expect(check()).rejects.toMatchObject({ type: 'ClusterNotReady' });
  });

  it('is not ready where accounting drops the comments that tell our jobs apart', async () => {
    gateway.storesComments = false;
    await expect(check()).rejects.toMatchObject({
      message: expect.stringContaining('job_comment') as unknown,
    });
  });

  it('takes another host key than the pinned one for what it is, not for "not yet"', async () => {
    await expect(check({ hostKey: 'ssh-ed25519 AAAAother' })).rejects.toMatchObject({
      type: 'HostKeyMismatch',
    });
  });

  it('keeps the host key that an earlier attempt has trusted', async () => {
    context = activityContext({ heartbeatDetails: { hostKey: 'ssh-ed25519 AAAAtrusted' } });
    await expect(check()).rejects.toMatchObject({ type: 'HostKeyMismatch' });
  });
});
