import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { JobSpecInput } from '../../src/domain/job.ts';
import { startSlurmCluster, type SlurmCluster } from '../support/slurm-cluster.ts';
import { gatewayJobs } from './slurm-gateway-jobs.ts';

const NODE = 'debug-st-t3-1';
const OTHER_NODE = 'debug-st-t3-2';
/** Where the stand-in keeps the disk of a node. */
const DISK = `/var/spool/slurmd/${NODE}/disk`;
const PATIENCE = { timeout: 60_000, interval: 200 } as const;

let cluster: SlurmCluster;
const jobs = gatewayJobs(() => cluster);

beforeAll(async () => {
  cluster = await startSlurmCluster();
});
afterAll(async () => cluster?.close());
afterEach(async () => cluster.asSim('scancel', '--user=sim'));

async function asRoot(script: string): Promise<string> {
  const { code, stdout, stderr } = await cluster.asRoot(script);
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
}

/** What a job has written into a file of its user's home; empty while there is none. */
const written = async (name: string) => asRoot(`cat /home/sim/${name} 2>/dev/null || true`);
const foldersOnDisk = async () => asRoot(`ls -A ${DISK}`);

/** Submits a script to the one node that these tests look at, past the product. */
async function submitHere(script: string, ...options: string[]): Promise<string> {
  const common = ['--parsable', `--nodelist=${NODE}`, '--mem=10', '--output=/dev/null'];
  return cluster.asSim('sbatch', ...common, ...options, `--wrap=${script}`);
}

async function runHere(script: string, ...options: string[]): Promise<void> {
  await submitHere(script, '--wait', ...options);
}

describe('the folder of a job on its node', () => {
  beforeEach(async () => {
    await asRoot('rm -f /home/sim/out*');
    await expect.poll(foldersOnDisk, PATIENCE).toBe('');
  });

  it('is its TMPDIR, which only its user may enter, and is gone when it has ended', async () => {
    await runHere('stat -c "%U %a" $TMPDIR >out; mktemp >>out; mkdir -m 0 $TMPDIR/closed');
    const [modes, file] = (await written('out')).split('\n');
    expect(modes).toBe('sim 700');
    expect(file).toMatch(/^\/var\/lib\/parallelcluster-provisioner\/job-\d+\/tmp\./);
    await expect.poll(foldersOnDisk, PATIENCE).toBe('');
  });

  it('is gone after the job was cancelled', async () => {
    const id = await submitHere('touch $TMPDIR/file; echo started >out; sleep 300');
    await expect.poll(async () => written('out'), PATIENCE).toBe('started');
    expect(await foldersOnDisk()).toBe(`job-${id}`);
    await cluster.asSim('scancel', id);
    await expect.poll(foldersOnDisk, PATIENCE).toBe('');
  });

  it('is a new one after a requeue', async () => {
    const id = await submitHere(
      'ls -A $TMPDIR >>out; touch $TMPDIR/of-run-${SLURM_RESTART_COUNT:-0}; echo run >>out; sleep 300',
      '--requeue',
    );
    await expect.poll(async () => written('out'), PATIENCE).toBe('run');
    await asRoot(`scontrol requeue ${id}`);
    await expect.poll(async () => written('out'), PATIENCE).toBe('run\nrun');
    expect(await asRoot(`ls -A ${DISK}/job-${id}`)).toBe('of-run-1');
    await cluster.asSim('scancel', id);
  });

  it('is one on each node, under the same name', async () => {
    await cluster.asSim(
      'sbatch',
      '--wait',
      '--nodes=2',
      '--output=/dev/null',
      '--mem=10',
      '--wrap=srun bash -c "touch \\$TMPDIR/\\$SLURM_PROCID; echo \\$SLURMD_NODENAME \\$TMPDIR \\$(ls \\$TMPDIR)" | sort >out',
    );
    const lines = (await written('out')).split('\n').map((line) => line.split(' '));
    expect(lines.map(([node, , ...files]) => [node, ...files])).toEqual([
      [NODE, '0'],
      [OTHER_NODE, '1'],
    ]);
    expect(new Set(lines.map(([, folder]) => folder)).size).toBe(1);
  });

  it('is given up for the job’s sake when it cannot be made', async () => {
    // Not even root makes a folder on a disk that is mounted read-only.
    const enter = `nsenter --mount --target $(pgrep -f "slurmd -D -b -N ${NODE}" | head -n 1)`;
    const disk = '/var/lib/parallelcluster-provisioner';
    await asRoot(`${enter} mount -o remount,ro,bind ${disk}`);
    try {
      await runHere('echo $TMPDIR >out');
      // Slurm's own.
      expect(await written('out')).toBe('/tmp');
      expect(await asRoot(`sinfo --noheader --nodes=${NODE} --format=%T`)).toMatch(/^(idle|completing)$/);
    } finally {
      await asRoot(`${enter} mount -o remount,rw,bind ${disk}`);
    }
  });
});

describe('what a job leaves running', () => {
  /** A process that has left the job's tree, so that Slurm without cgroups does not find it. */
  const daemon = (seconds: number) => `(setsid bash -c "sleep ${seconds} & disown" &) ; sleep 0.5;`;
  const running = async (seconds: number) => asRoot(`pgrep -cf "^sleep ${seconds}$" || true`);

  it('is ended with it, and nothing of another job on the node, nor of a login', async () => {
    const other = await submitHere(`${daemon(7001)} sleep 300`);
    await expect.poll(async () => running(7001), PATIENCE).toBe('1');
    await asRoot(
      'setsid setpriv --reuid sim --regid sim --clear-groups sleep 7003 </dev/null >/dev/null 2>&1 &',
    );
    const otherFolder = await foldersOnDisk();
    expect(otherFolder).toBe(`job-${other}`);

    const id = await submitHere(`${daemon(7002)} sleep 300`);
    await expect.poll(async () => running(7002), PATIENCE).toBe('1');
    await cluster.asSim('scancel', id);
    await expect.poll(async () => running(7002), PATIENCE).toBe('0');
    await expect.poll(foldersOnDisk, PATIENCE).toBe(otherFolder);
    expect(await running(7001)).toBe('1');
    expect(await running(7003)).toBe('1');

    await cluster.asSim('scancel', other);
    await expect.poll(async () => running(7001), PATIENCE).toBe('0');
    expect(await running(7003)).toBe('1');
    await asRoot('pkill -f "^sleep 7003$"');
  });
});

describe('the environment of a job', () => {
  it('has the module command, also when the submitter passes no environment', async () => {
    await runHere('bash -c "module load null; module list 2>out"', '--export=NIL', '--chdir=/home/sim');
    expect(await written('out')).toContain('1) null');
  });

  it('has the modules of the cluster’s shared configuration, for the service’s jobs as well', async () => {
    await asRoot(
      `mkdir -p /home/shared/modulefiles/lab
       printf '#%%Module\\nsetenv LAB_TOOL from-the-lab\\n' >/home/shared/modulefiles/lab/tool`,
    );
    await jobs.submit({
      key: 'a',
      modules: ['lab/tool'],
      command: ['bash', '-c', 'echo $LAB_TOOL >~/out-lab'],
    });
    expect(await jobs.endOf('a')).toMatchObject({ state: 'succeeded' });
    expect(await written('out-lab')).toBe('from-the-lab');
    await runHere(
      'bash -c "module load lab/tool; echo \\$LAB_TOOL" >out-lab',
      '--export=NIL',
      '--chdir=/home/sim',
    );
    expect(await written('out-lab')).toBe('from-the-lab');
  });

  it('lets the caller’s own TMPDIR be', async () => {
    const environment = { TMPDIR: '/home/sim' };
    await jobs.submit({ key: 'a', environment, command: ['bash', '-c', 'echo $TMPDIR >~/out-own'] });
    await jobs.endOf('a');
    expect(await written('out-own')).toBe('/home/sim');
  });

  it('has PMI-2 for parallel programs that name no MPI, over both nodes', async () => {
    expect(await asRoot('scontrol show config')).toMatch(/^MpiDefault\s+= pmi2$/m);
    await cluster.asSim(
      'sbatch',
      '--wait',
      '--nodes=2',
      '--ntasks=2',
      '--mem=10',
      '--output=out-mpi',
      '--wrap=srun bash -c "echo \\$PMI_RANK of \\$PMI_SIZE on \\$SLURMD_NODENAME" | sort',
    );
    expect(await written('out-mpi')).toBe(`0 of 2 on ${NODE}\n1 of 2 on ${OTHER_NODE}`);
  });
});

describe('memory is scheduled', () => {
  const asking = (key: string, memoryMebibytesPerNode: number): JobSpecInput => ({
    key,
    memoryMebibytesPerNode,
    command: ['sleep', '300'],
  });

  it('so that jobs that exceed a node’s together do not run on it at once', async () => {
    const keys = ['a', 'b', 'c'];
    await jobs.submit(...keys.map((key) => asking(key, 9000)));
    const views = async () => Promise.all(keys.map(jobs.viewOf));
    const states = async () => (await views()).map(({ state }) => state).toSorted();
    // One on each of the two nodes, although each node has processors for all.
    await expect.poll(states, PATIENCE).toEqual(['pending', 'running', 'running']);
    await sleep(3000);
    expect(await states()).toEqual(['pending', 'running', 'running']);
    expect((await views()).find(({ state }) => state === 'pending')).toMatchObject({
      pendingCause: 'resources',
      reason: expect.stringContaining('Waiting for free nodes') as unknown,
    });
    const first = (await views()).find(({ state }) => state === 'running');
    await cluster.asSim('scancel', first?.slurmJobId ?? '');
    await expect.poll(states, PATIENCE).toEqual(['cancelled', 'running', 'running']);
  });

  it('so that a job is refused that asks for more than any node has', async () => {
    const [answer] = await jobs.submit(asking('a', 17_000));
    expect(answer).toMatchObject({
      status: 'rejected',
      message: expect.stringContaining('Memory specification can not be satisfied') as unknown,
    });
  });
});

describe('a prolog that fails', () => {
  const drainedNodes = async () => asRoot('sinfo --noheader --Node --states=drained --format=%N');
  const BROKEN = '/opt/slurm/etc/scripts/prolog.d/10_broken';

  it('is told in plain words with the next step while the job waits, which then runs', async () => {
    await expect.poll(async () => asRoot('squeue --noheader'), PATIENCE).toBe('');
    await asRoot(`printf '#!/bin/bash\\nexit 1\\n' >${BROKEN}; chmod 755 ${BROKEN}`);
    try {
      await jobs.submit({ key: 'a', command: ['true'], nodes: 2 });
      await expect
        .poll(async () => jobs.viewOf('a'), PATIENCE)
        .toMatchObject({
          state: 'pending',
          pendingCause: 'node-unavailable',
          reason: expect.stringContaining('a prolog failed') as unknown,
          nextStep: expect.stringContaining('State=RESUME') as unknown,
        });
    } finally {
      await asRoot(`rm ${BROKEN}`);
    }
    await expect.poll(drainedNodes, PATIENCE).not.toBe('');
    for (const node of (await drainedNodes()).split('\n')) {
      await asRoot(`scontrol update NodeName=${node} State=RESUME`);
    }
    expect(await jobs.endOf('a')).toMatchObject({ state: 'succeeded' });
  });
});
