import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { jobSpecSchema } from '../../src/domain/job.ts';
import { OpenSsh } from '../support/openssh.ts';
import { startSlurmCluster } from '../support/slurm-cluster.ts';
import type { SlurmCluster } from '../support/slurm-cluster.ts';
import { newCampaignId } from './slurm-gateway-jobs.ts';

let cluster: SlurmCluster;
let ssh: OpenSsh;

beforeAll(async () => {
  cluster = await startSlurmCluster();
});
afterAll(async () => cluster?.close());
beforeEach(async () => {
  ssh = await OpenSsh.prepare(cluster.head.access, cluster.privateKey);
  await expectSessions(0);
});
afterEach(async () => ssh?.close());

const sessions = async () => (await cluster.gateway.observe(cluster.head, {})).interactiveSessions;

/** Seen in a look at jobs, and where only sessions are counted: beside slurmrestd. */
async function expectSessions(count: number): Promise<void> {
  await expect.poll(sessions, { timeout: 10_000 }).toBe(count);
  expect(await cluster.gateway.countSessions(cluster.head)).toBe(count);
}

/** Looks so often that what is seen is no coincidence. */
async function expectNever(count: number, looks = 20): Promise<void> {
  for (let look = 0; look < looks; look++) expect(await sessions()).toBe(count);
}

const isRunning = async (pattern: string) =>
  (await cluster.asRoot(`pgrep -fc -- '${pattern}'`)).stdout.trim();

describe('sessions on the head node', () => {
  it.each([
    ['a terminal', 'ssh', () => ['-tt', ssh.destination]],
    ['a command without a terminal', 'ssh', () => [ssh.destination, 'sleep 987']],
    ['a program that reads from its caller, as rsync and editors do', 'ssh', () => [ssh.destination, 'cat']],
    ['sftp, also while nothing is transferred', 'sftp', () => [ssh.destination]],
  ] as const)('%s counts, as long as it lasts', async (_what, client, args) => {
    const end = ssh.start(client, ...args());
    await expectSessions(1);
    await end();
    await expectSessions(0);
  });

  it.each([
    ['scp', []],
    ['scp in its older form', ['-O']],
  ])('%s counts, as long as the upload lasts', async (_what, options) => {
    const file = join(ssh.directory, 'data');
    await writeFile(file, Buffer.alloc(2_000_000));
    const end = ssh.start('scp', ...options, '-l', '800', file, `${ssh.destination}:uploaded`);
    await expectSessions(1);
    expect((await cluster.asRoot('stat -c %s /home/sim/uploaded')).stdout.trim()).not.toBe('2000000');
    await expectNever(1, 3);
    await end();
    await expectSessions(0);
  });

  it('a login of another user counts as well', async () => {
    const end = ssh.start('ssh', ssh.destination.replace('sim@', 'ec2-user@'), 'sleep 987');
    await expectSessions(1);
    await end();
    await expectSessions(0);
  });

  it('each counts once, whatever runs in it', async () => {
    ssh.start('ssh', ssh.destination, 'sleep 987 | sleep 988');
    ssh.start('ssh', '-tt', ssh.destination, 'sleep 987 & sleep 988');
    await expectSessions(2);
    await expectNever(2);
  });

  it('a shared connection counts only while something runs on it', async () => {
    const socket = join(ssh.directory, 'socket');
    ssh.start('ssh', '-M', '-S', socket, '-N', ssh.destination);
    await expect.poll(async () => isRunning('^sshd[a-z-]*: sim$'), { timeout: 10_000 }).toBe('1');
    expect(await sessions()).toBe(0);
    const end = ssh.start('ssh', '-S', socket, ssh.destination, 'cat');
    await expectSessions(1);
    await end();
    await expectSessions(0);
  });

  it('what a login left running in the background does not count once it has logged out', async () => {
    await cluster.asRoot('rm -f /tmp/left');
    ssh.start('ssh', ssh.destination, 'setsid sleep 986 >/dev/null 2>&1 </dev/null & echo $! >/tmp/left');
    await expect.poll(async () => isRunning('^sleep 986'), { timeout: 10_000 }).toBe('1');
    await expectSessions(0);
    await cluster.asRoot('pkill -f "^sleep 986"');
  });

  it('connections of our own workers do not count, neither at work nor at rest', async () => {
    const workers = [cluster.gateway, cluster.newGateway(), cluster.newGateway()];
    const over = new AbortController();
    const work = workers.map(async (worker) => {
      while (!over.signal.aborted)
        await Promise.all([worker.ping(cluster.head), worker.observe(cluster.head, {})]);
    });
    try {
      await expectNever(0, 60);
    } finally {
      over.abort();
      await Promise.all(work);
    }
    await expectNever(0, 5);
  });

  it('a submission of ours that waits for Slurm does not count, nor our work as the administrator', async () => {
    await cluster.asRoot(
      `printf '#!/bin/bash\\nsleep 2; exec /usr/bin/sbatch "$@"\\n' >/usr/local/bin/sbatch; chmod 755 /usr/local/bin/sbatch`,
    );
    try {
      const campaignId = newCampaignId();
      const jobs = [{ spec: jobSpecSchema.parse({ key: 'a', command: ['true'] }) }];
      const submitting = cluster
        .newGateway()
        .submit(cluster.head, { campaignId, jobs, defaultQueue: 'debug' });
      await expect.poll(async () => isRunning('^sleep 2'), { timeout: 10_000 }).toBe('1');
      expect(await sessions()).toBe(0);
      await submitting;
    } finally {
      await cluster.asRoot('rm -f /usr/local/bin/sbatch');
    }
    const { access } = cluster.head;
    const administrator = { ...cluster.head, access: { ...access, user: 'ec2-user' } };
    await cluster.newGateway().observe(administrator, {});
    await expectNever(0, 5);
  });

  it('are unknown, not none, where the processes of others are hidden', async () => {
    await cluster.asRoot('mount -o remount,hidepid=2 /proc');
    try {
      expect(await sessions()).toBeUndefined();
    } finally {
      await cluster.asRoot('mount -o remount,hidepid=0 /proc');
    }
  });
});
