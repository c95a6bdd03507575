import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { classifyActivity, factsByJobKey, jobAfterFact } from '../../src/domain/job-state.ts';
import { jobComment } from '../../src/domain/ids.ts';
import { callSlurm } from '../support/slurm-library.ts';
import { startSlurmCluster, type SlurmCluster } from '../support/slurm-cluster.ts';

/*
 * Nodes as ParallelCluster has them: powered down until a job wants them, and again when they were idle. What the
 * head node's EC2 makes of them is in cloud-nodes.sh.
 */
const BOOT_SECONDS = 3;
/** A minute of ParallelCluster: how long idle nodes run on, and failed ones are left alone. */
const MINUTE_SECONDS = 4;
/** JOB_RECONFIG_FAIL of slurm.h, 24.11. */
const RECONFIG_FAIL = 2 ** 17;

const campaignId = 'c'.repeat(26);
const PATIENCE = { timeout: 60_000, interval: 200 } as const;

describe('nodes of the cloud', () => {
  let cluster: SlurmCluster;
  /** Where jobs go, so that they do not disturb each other: a node for each test. */
  const node = (number: number) => `debug-dy-t3-${number}`;

  beforeAll(async () => {
    cluster = await startSlurmCluster({
      dynamicNodes: 8,
      scaledownIdleTimeMinutes: 1,
      cloud: { bootSeconds: BOOT_SECONDS, minuteSeconds: MINUTE_SECONDS, maxInstances: 4 },
      customSlurmSettings: { ResumeTimeout: 10 },
    });
    await inject({ 'debug-dy-t3-2': 'never-boots', 'debug-dy-t3-3': 'InsufficientInstanceCapacity' });
  });
  afterAll(async () => cluster?.close());

  async function inject(faults: Readonly<Record<string, string>>): Promise<void> {
    const lines = Object.entries(faults).map(([pattern, fault]) => `${pattern} ${fault}`);
    await asRoot(
      `printf '%s\\n' ${lines.map((line) => `'${line}'`).join(' ')} >/var/lib/stand-in-ec2/faults`,
    );
  }

  async function asRoot(script: string): Promise<string> {
    const { code, stdout, stderr } = await cluster.asRoot(script);
    if (code !== 0) throw new Error(stderr);
    return stdout.trim();
  }

  async function submit(key: string, ...options: string[]): Promise<string> {
    const comment = jobComment({ epoch: cluster.head.epoch, campaignId, jobKey: key });
    const small = ['--mem=10', '--output=/dev/null', '--time=5', `--comment=${comment}`];
    return cluster.asSim('sbatch', '--parsable', ...small, ...options);
  }

  const facts = async () =>
    (await cluster.gateway.observe(cluster.head, { sinceSeconds: Date.now() / 1000 - 3600 })).facts;

  /** A job as its campaign shows it. */
  async function viewOf(key: string) {
    const fact = factsByJobKey(await facts(), { epoch: cluster.head.epoch, campaignId }).get(key);
    const waiting = { key, state: 'waiting', reason: '', logsComplete: false } as const;
    return jobAfterFact(waiting, fact, new Date().toISOString());
  }

  const stateOf = async (name: string) => asRoot(`sinfo -h -N -n ${name} -O StateComplete:80 | head -n 1`);

  it('are powered down, yet seen, and nothing runs for them', async () => {
    expect(await stateOf(node(8))).toBe('idle+cloud+powered_down');
    expect((await cluster.gateway.ping(cluster.head)).partitions).toEqual([
      { name: 'debug', availability: 'up', nodes: 8 },
    ]);
    expect((await cluster.asRoot(`pgrep -fa 'slurmd.*${node(8)}$'`)).stdout).toBe('');
  });

  it.concurrent(
    'start for a job, which is said of it until it runs, and go when they were idle',
    async ({ expect }) => {
      const id = await submit('wakes', `--nodelist=${node(1)}`, '--wrap=hostname >woken; sleep 3');
      const starting = { state: 'pending', pendingCause: 'node-booting', reason: 'Its nodes are booting' };
      await expect.poll(async () => viewOf('wakes'), PATIENCE).toMatchObject(starting);
      await expect.poll(async () => stateOf(node(1)), PATIENCE).toMatch(/\+powering_up/);
      expect(
        await asRoot(`squeue -h -j ${id} --json | tr -d ' \\n' | grep -o '"job_state":\\[[^]]*'`),
      ).toContain('"job_state":["RUNNING","CONFIGURING","POWER_UP_NODE"');
      await expect.poll(async () => viewOf('wakes'), PATIENCE).toMatchObject({ state: 'running' });
      await expect
        .poll(async () => viewOf('wakes'), PATIENCE)
        .toMatchObject({ state: 'succeeded', restarts: 0 });
      expect(await asRoot('cat /home/sim/woken')).toBe(node(1));
      await expect.poll(async () => stateOf(node(1)), PATIENCE).toMatch(/\+powering_down/);
      await expect.poll(async () => stateOf(node(1)), PATIENCE).toBe('idle+cloud+powered_down');
      expect((await cluster.asRoot(`pgrep -fa 'slurmd.*${node(1)}$'`)).stdout).toBe('');
    },
  );

  it.concurrent(
    'that do not boot end a job that may not be requeued, and are asked again later',
    async ({ expect }) => {
      const options = [`--nodelist=${node(2)}`, '--wrap=true'];
      await submit('never-boots', '--no-requeue', ...options);
      await submit('never-boots-requeued', '--requeue', ...options);
      await expect
        .poll(async () => viewOf('never-boots'), PATIENCE)
        .toMatchObject({
          state: 'failed',
          slurmState: 'NODE_FAIL',
          reason: 'A node of it failed, or did not start',
          nextStep: expect.stringContaining('again'),
        });
      await expect
        .poll(async () => viewOf('never-boots-requeued'), PATIENCE)
        .toMatchObject({ state: 'pending', restarts: 1 });
      await inject({ 'debug-dy-t3-3': 'InsufficientInstanceCapacity' });
      await expect
        .poll(async () => viewOf('never-boots-requeued'), PATIENCE)
        .toMatchObject({ state: 'succeeded', restarts: 1 });
    },
  );

  it.concurrent('that EC2 does not have leave a job waiting for capacity', async ({ expect }) => {
    await submit('no-capacity', `--nodelist=${node(3)}`, '--requeue', '--wrap=true');
    await expect
      .poll(async () => viewOf('no-capacity'), PATIENCE)
      .toMatchObject({
        state: 'pending',
        pendingCause: 'capacity',
        reason: expect.stringContaining('EC2 has no such instances left'),
        restarts: 1,
      });
    expect(await stateOf(node(3))).toMatch(/^down\+cloud/);
  });

  it.concurrent('whose boot is given up by who asked for it end a job as BOOT_FAIL', async ({ expect }) => {
    const id = await submit('boot-fails', `--nodelist=${node(4)}`, '--no-requeue', '--wrap=true');
    await expect.poll(async () => (await viewOf('boot-fails')).pendingCause, PATIENCE).toBe('node-booting');
    await cluster.asRoot(callSlurm('slurm_requeue', id, RECONFIG_FAIL));
    await expect
      .poll(async () => viewOf('boot-fails'), PATIENCE)
      .toMatchObject({
        state: 'failed',
        slurmState: 'BOOT_FAIL',
        reason: 'Its nodes could not be started',
        nextStep: expect.stringContaining('again'),
      });
  });
});

describe('a cluster whose nodes power down', () => {
  let cluster: SlurmCluster;
  beforeAll(async () => {
    cluster = await startSlurmCluster({
      dynamicNodes: 3,
      scaledownIdleTimeMinutes: 1,
      cloud: { bootSeconds: 0, minuteSeconds: MINUTE_SECONDS, maxInstances: 1 },
    });
  });
  afterAll(async () => cluster?.close());

  const activity = async () => {
    const { facts: jobs, interactiveSessions } = await cluster.gateway.observe(cluster.head, {});
    return classifyActivity(jobs, interactiveSessions ?? 0);
  };
  const IDLE = { running: 0, pending: 0, stuck: 0, interactiveSessions: 0 };

  it('is idle as soon as its jobs ended, whatever its nodes do, and busy while nodes start', async () => {
    await cluster.asSim('sbatch', '--wrap=sleep 2');
    expect(await activity()).toMatchObject({ pending: 1 });
    await expect.poll(activity, PATIENCE).toMatchObject({ running: 1 });
    await expect.poll(activity, PATIENCE).toEqual(IDLE);
    const states = async () => (await cluster.asRoot('sinfo -h -N -O StateComplete:80')).stdout;
    await expect.poll(states, PATIENCE).toContain('powering_down');
    expect(await activity()).toEqual(IDLE);
  });

  it('has no capacity for more nodes than may run', async () => {
    const all = await cluster.asSim('sbatch', '--parsable', '--nodes=2', '--no-requeue', '--wrap=true');
    const end = async () =>
      (await cluster.asRoot(`squeue -h -t all -j ${all} -o '%T'; sinfo -h -N -O Reason:80`)).stdout;
    await expect.poll(end, PATIENCE).toMatch(/NODE_FAIL[^]*\(Code:InsufficientInstanceCapacity\)/);
  });
});
