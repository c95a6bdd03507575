import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HeadNode, SlurmControl, SlurmGateway } from '../../src/clients/slurm-gateway.ts';
import type { JobAction } from '../../src/domain/job-control.ts';
import { jobSpecSchema } from '../../src/domain/job.ts';
import { factsByJobKey } from '../../src/domain/job-state.ts';
import { FakeSlurmGateway } from '../fakes/fake-slurm-gateway.ts';
import { startSlurmCluster } from '../support/slurm-cluster.ts';

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
  return {
    gateway,
    head,
    admin: { ...head, access: { ...head.access, user: 'ec2-user' } },
    async holdAsRoot(jobId) {
      const { code, stderr } = await cluster.asRoot(`scontrol requeue ${jobId} && scontrol hold ${jobId}`);
      if (code !== 0) throw new Error(stderr);
    },
    close: async () => cluster.close(),
  };
};

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

  it('release what an administrator holds only for an administrator', async () => {
    await rig.holdAsRoot(await runningJob('special'));
    await expect.poll(async () => (await factOf('special'))?.reason).toBe('JobHeldAdmin');
    expect(await act({ kind: 'release' }, 'special')).toMatchObject({ status: 'refused' });
    expect(await act({ kind: 'release' }, 'special', { head: rig.admin })).toMatchObject({ status: 'done' });
    expect((await factOf('special'))?.reason).not.toBe('JobHeldAdmin');
  });

  it('change how nice a job is', async () => {
    await runningJob('nice');
    expect(await act({ kind: 'nice', nice: 100 }, 'nice')).toMatchObject({ status: 'done' });
  });

  it('say that there is no live job of a key', async () => {
    await runningJob('ends');
    await rig.gateway.cancel(rig.head, { campaignId, jobKeys: ['ends'] });
    await sleep(100);
    for (const key of ['ends', 'never'])
      await expect.poll(async () => act({ kind: 'hold' }, key)).toEqual({ jobKey: key, status: 'absent' });
  });
});
