import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HeadNode, SlurmControl, SlurmGateway } from '../../src/clients/slurm-gateway.ts';
import type { JobAction } from '../../src/domain/job-control.ts';
import { jobSpecSchema } from '../../src/domain/job.ts';
import { MAX_NICE } from '../../src/domain/slurm-priority.ts';
import { factsByJobKey, judge } from '../../src/domain/job-state.ts';
import { FakeSlurmGateway } from '../fakes/fake-slurm-gateway.ts';
import { type SlurmCluster, startSlurmCluster } from '../support/slurm-cluster.ts';

/** Of the queue that the jobs run in. */
const MAX_TIME_SECONDS = 3600;

interface Rig {
  readonly gateway: SlurmGateway & SlurmControl;
  readonly head: HeadNode;
  /** The same head node, as its administrator reaches it. */
  readonly admin: HeadNode;
  /** Requeues a job and holds it, as its user cannot undo. */
  holdAsRoot(jobId: string): Promise<void>;
  close(): Promise<void>;
}

const inMemory = async (): Promise<Rig> => {
  const gateway = new FakeSlurmGateway();
  gateway.maxTimeSeconds = MAX_TIME_SECONDS;
  const access = { address: 'none', port: 22, hostKey: gateway.hostKey, privateKeySecretArn: 'none' };
  return {
    gateway,
    head: { epoch: 'e1', access: { ...access, user: 'sim' } },
    admin: { epoch: 'e1', access: { ...access, user: 'ec2-user' } },
    async holdAsRoot(jobId) {
      gateway.change(jobId, { state: 'PENDING', reason: 'JobHeldAdmin' });
    },
    async close() {
      gateway.close();
    },
  };
};

const overSsh = async (): Promise<Rig> => {
  const cluster = await startSlurmCluster();
  const { gateway, head } = cluster;
  await asRoot(cluster, `scontrol update PartitionName=debug MaxTime=${MAX_TIME_SECONDS / 60}`);
  return {
    gateway,
    head,
    admin: adminOf(head),
    async holdAsRoot(jobId) {
      await asRoot(cluster, `scontrol requeue ${jobId} && scontrol hold ${jobId}`);
    },
    close: async () => cluster.close(),
  };
};

const adminOf = (head: HeadNode): HeadNode => ({ ...head, access: { ...head.access, user: 'ec2-user' } });

async function asRoot(cluster: SlurmCluster, script: string): Promise<string> {
  const { code, stdout, stderr } = await cluster.asRoot(script);
  if (code !== 0) throw new Error(stderr);
  return stdout;
}

describe.each([
  ['in memory', inMemory],
  ['over SSH', overSsh],
])('actions at jobs of Slurm %s', (_name, start) => {
  const campaignId = 'q'.repeat(26);
  let rig: Rig;
  beforeAll(async () => {
    rig = await start();
  });
  afterAll(async () => rig?.close());

  const factOf = async (jobKey: string) => {
    const { facts } = await rig.gateway.observe(rig.head, {});
    return factsByJobKey(facts, { epoch: rig.head.epoch, campaignId }).get(jobKey);
  };

  async function runningJob(key: string) {
    const spec = jobSpecSchema.parse({
      key,
      command: ['sleep', '300'],
      timeLimitSeconds: 1200,
      memoryMebibytesPerNode: 10,
    });
    await rig.gateway.submit(rig.head, { campaignId, jobs: [{ spec }], defaultQueue: 'debug' });
    await expect.poll(async () => (await factOf(key))?.state, { timeout: 20_000 }).toBe('RUNNING');
    return (await factOf(key))?.jobId ?? '';
  }

  const act = async (action: JobAction, jobKey: string, { restarts = 0, head = rig.head } = {}) => {
    const [outcome] = await rig.gateway.control(head, { campaignId, action, jobs: [{ jobKey, restarts }] });
    return outcome;
  };

  it('requeue a job once, however often they are repeated', async () => {
    await runningJob('again');
    const done = { jobKey: 'again', status: 'done' };
    expect(await act({ kind: 'requeue' }, 'again')).toEqual(done);
    expect(await act({ kind: 'requeue' }, 'again')).toEqual(done);
    expect(await factOf('again')).toMatchObject({ restarts: 1 });
    const reason = async () => {
      const fact = await factOf('again');
      return fact && judge(fact).reason;
    };
    await expect.poll(reason, { timeout: 20_000 }).toContain('requeued it and starts it again after a pause');
  });

  it('hold a job that is requeued, and release it', async () => {
    await runningJob('held');
    await act({ kind: 'requeue' }, 'held');
    expect(await act({ kind: 'hold' }, 'held')).toMatchObject({ status: 'done' });
    await expect.poll(async () => (await factOf('held'))?.reason).toBe('JobHeldUser');
    expect(await act({ kind: 'release' }, 'held')).toMatchObject({ status: 'done' });
    expect((await factOf('held'))?.reason).not.toBe('JobHeldUser');
  });

  it('lower a time limit, and raise one only for the administrator', async () => {
    await runningJob('limited');
    const limit = (timeLimitSeconds: number) => ({ kind: 'time-limit', timeLimitSeconds }) as const;
    expect(await act(limit(600), 'limited')).toMatchObject({ status: 'done' });
    expect(await act(limit(1800), 'limited')).toMatchObject({
      status: 'refused',
      message: expect.stringContaining('Access/permission denied'),
    });
    expect(await act(limit(1800), 'limited', { head: rig.admin })).toMatchObject({ status: 'done' });
  });

  it('set no time limit beyond that of the queue, not even for the administrator, whom Slurm would let', async () => {
    await runningJob('endless');
    const action = { kind: 'time-limit', timeLimitSeconds: MAX_TIME_SECONDS + 1 } as const;
    for (const head of [rig.head, rig.admin]) {
      const message = expect.stringContaining('The queue debug allows 60 minutes') as unknown;
      expect(await act(action, 'endless', { head })).toEqual({
        jobKey: 'endless',
        status: 'refused',
        message,
      });
    }
    const most = { kind: 'time-limit', timeLimitSeconds: MAX_TIME_SECONDS } as const;
    expect(await act(most, 'endless', { head: rig.admin })).toMatchObject({ status: 'done' });
  });

  it('hold no job that runs: it would run on', async () => {
    await runningJob('runs');
    for (const head of [rig.head, rig.admin])
      expect(await act({ kind: 'hold' }, 'runs', { head })).toMatchObject({
        status: 'refused',
        message: expect.stringContaining('It has its nodes already'),
      });
  });

  it('release what an administrator holds only for an administrator', async () => {
    await rig.holdAsRoot(await runningJob('special'));
    await expect.poll(async () => (await factOf('special'))?.reason).toBe('JobHeldAdmin');
    expect(await act({ kind: 'release' }, 'special')).toMatchObject({ status: 'refused' });
    expect(await act({ kind: 'release' }, 'special', { head: rig.admin })).toMatchObject({ status: 'done' });
    expect((await factOf('special'))?.reason).not.toBe('JobHeldAdmin');
  });

  it('make a job nicer than others, and less nice only for the administrator', async () => {
    await runningJob('nice');
    expect(await act({ kind: 'nice', nice: 100 }, 'nice')).toMatchObject({ status: 'done' });
    const preferred = { kind: 'nice', nice: -100 } as const;
    expect(await act(preferred, 'nice')).toMatchObject({
      status: 'refused',
      message: expect.stringContaining('Access/permission denied'),
    });
    expect(await act(preferred, 'nice', { head: rig.admin })).toMatchObject({ status: 'done' });
  });

  it('say that there is no live job of a key', async () => {
    await runningJob('ends');
    await rig.gateway.cancel(rig.head, { campaignId, jobKeys: ['ends'] });
    await sleep(100);
    for (const key of ['ends', 'never'])
      await expect.poll(async () => act({ kind: 'hold' }, key)).toEqual({ jobKey: key, status: 'absent' });
  });
});

describe('actions at jobs of a real Slurm', () => {
  const campaignId = 'r'.repeat(26);
  let cluster: SlurmCluster;
  beforeAll(async () => {
    cluster = await startSlurmCluster();
  });
  afterAll(async () => cluster?.close());

  /** Jobs that each need the whole cluster, one after the other: those of one batch are submitted side by side. */
  async function submit(...keys: string[]) {
    for (const key of keys) {
      const size = { nodes: 2, tasks: 16, memoryMebibytesPerNode: 10, timeLimitSeconds: 600 };
      const spec = jobSpecSchema.parse({ key, command: ['sleep', '300'], ...size });
      await cluster.gateway.submit(cluster.head, { campaignId, jobs: [{ spec }], defaultQueue: 'debug' });
    }
  }

  const act = async (action: JobAction, jobKey: string, head = cluster.head) => {
    const [outcome] = await cluster.gateway.control(head, {
      campaignId,
      action,
      jobs: [{ jobKey, restarts: 0 }],
    });
    return outcome;
  };
  const squeue = async (format: string) => {
    const lines = await asRoot(cluster, `squeue --noheader --sort=i --format='%j ${format}'`);
    return new Map(
      lines
        .trim()
        .split('\n')
        .map((line): [string, string] => {
          const [name = '', value = ''] = line.split(' ');
          return [name, value];
        }),
    );
  };

  it('change in which order they start, by nice values of either sign', async () => {
    await submit('blocker', 'first', 'second', 'third', 'fourth');
    await expect.poll(async () => (await squeue('%T')).get('blocker'), { timeout: 20_000 }).toBe('RUNNING');
    expect(await act({ kind: 'nice', nice: 100_000 }, 'first')).toMatchObject({ status: 'done' });
    const admin = adminOf(cluster.head);
    expect(await act({ kind: 'nice', nice: -7 }, 'third', admin)).toMatchObject({ status: 'done' });

    const priorities = await squeue('%Q');
    const base = Number(priorities.get('second'));
    expect([...priorities]).toEqual([
      ['blocker', String(base)],
      ['first', String(base - 100_000)],
      ['second', String(base)],
      ['third', String(base + 7)],
      ['fourth', String(base)],
    ]);

    const started = ['blocker'];
    for (let next = 0; next < 4; next++) {
      await cluster.gateway.cancel(cluster.head, { campaignId, jobKeys: [started.at(-1) ?? ''] });
      const running = async () => [...(await squeue('%T'))].find(([, state]) => state === 'RUNNING')?.[0];
      await expect
        .poll(async () => started.includes((await running()) ?? 'blocker'), { timeout: 20_000 })
        .toBe(false);
      started.push((await running()) ?? '');
    }
    expect(started.slice(1)).toEqual(['third', 'second', 'fourth', 'first']);
    await cluster.gateway.cancel(cluster.head, { campaignId });
  });

  it('know nice values to the ends of their range', async () => {
    await submit('in-the-way', 'last', 'foremost');
    await act({ kind: 'nice', nice: MAX_NICE }, 'last');
    await act({ kind: 'nice', nice: -MAX_NICE }, 'foremost', adminOf(cluster.head));
    const priorities = await squeue('%Q');
    expect(priorities.get('last')).toBe('3');
    expect(priorities.get('foremost')).toBe(String(2 ** 32 - 3));
  });

  it('requeue no job that is never to be requeued', async () => {
    await cluster.gateway.cancel(cluster.head, { campaignId });
    const spec = jobSpecSchema.parse({ key: 'once', command: ['sleep', '300'], requeueLimit: 0 });
    await cluster.gateway.submit(cluster.head, { campaignId, jobs: [{ spec }], defaultQueue: 'debug' });
    expect(await act({ kind: 'requeue' }, 'once', adminOf(cluster.head))).toMatchObject({
      status: 'refused',
    });
    await cluster.gateway.cancel(cluster.head, { campaignId });
  });

  it.each([
    ['30', 1800],
    ['1:30:00', 5400],
    ['2-03:00:00', 183_600],
  ])('know the longest time of a queue as Slurm writes it: %s', async (maxTime, maxSeconds) => {
    await asRoot(cluster, `scontrol update PartitionName=debug MaxTime=${maxTime}`);
    await submit('limited');
    const limit = (timeLimitSeconds: number) => ({ kind: 'time-limit', timeLimitSeconds }) as const;
    const admin = adminOf(cluster.head);
    expect(await act(limit(maxSeconds + 60), 'limited', admin)).toMatchObject({ status: 'refused' });
    expect(await act(limit(maxSeconds), 'limited', admin)).toMatchObject({ status: 'done' });
    await asRoot(cluster, 'scontrol update PartitionName=debug MaxTime=UNLIMITED');
    expect(await act(limit(maxSeconds + 59), 'limited', admin)).toMatchObject({ status: 'done' });
    // As sbatch: to whole minutes, and never to less than was asked for.
    const squeuedLimit = await asRoot(cluster, `squeue --noheader --name=limited --Format=TimeLimit`);
    expect(squeuedLimit.trim()).toBe(inSlurmsWords(maxSeconds + 60));
  });
});

/** `[days-]hours:minutes:seconds`, without hours that are 0. */
function inSlurmsWords(seconds: number): string {
  const days = Math.floor(seconds / 86_400);
  const [hours, minutes] = [Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  const two = (n: number) => String(n).padStart(2, '0');
  if (days > 0) return `${days}-${two(hours)}:${two(minutes)}:00`;
  return hours > 0 ? `${hours}:${two(minutes)}:00` : `${minutes}:00`;
}
