import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Client, utils } from 'ssh2';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { claimLoopbackAddress, releaseLoopbackAddress } from '../../src/dev/head-node/loopback-addresses.ts';
import { asJobUser, smallCluster, startHeadNodeRig } from '../support/head-nodes.ts';
import type { HeadNodeRig } from '../support/head-nodes.ts';
import {
  isConfigured,
  listenersOn,
  listeningSockets,
  mountsNaming,
  namespaceOf,
  processesIn,
} from '../support/node-traces.ts';

let rig: HeadNodeRig;

beforeAll(async () => {
  rig = await startHeadNodeRig();
});
afterEach(async () => {
  await rig.headNodes.close();
  const left = [...(await mountsNaming(rig.stateDirectory)), ...(await readdir(rig.stateDirectory))];
  if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
});
afterAll(async () => {
  await rig.close();
});

async function submit(clusterName: string, name: string, script: string): Promise<string> {
  return asJobUser(rig, clusterName, ['sbatch', '--parsable', '--job-name', name, '--output=%x.out'], script);
}

/** `name|state` of each job in accounting, once all of them ended. */
async function finishedJobs(clusterName: string): Promise<string[]> {
  return vi.waitFor(
    async () => {
      const table = await asJobUser(rig, clusterName, ['sacct', '-anXP', '-o', 'jobname,user,state']);
      const rows = table.split('\n').filter((row) => row !== '');
      if (rows.length === 0 || rows.some((row) => /PENDING|RUNNING/.test(row)))
        throw new Error(`not yet: ${table}`);
      return rows;
    },
    { timeout: 20_000, interval: 100 },
  );
}

describe('head nodes', () => {
  it('run jobs side by side, and neither sees the jobs or files of the other', async () => {
    const [one, other] = await Promise.all([
      rig.headNodes.start(smallCluster('cluster-one')),
      rig.headNodes.start(smallCluster('cluster-Other')),
    ]);
    expect(one.address).not.toBe(other.address);
    await submit('cluster-one', 'from-one', '#!/bin/bash\nsrun hostname; touch /scratch/one /tmp/one');
    await submit('cluster-Other', 'from-other', '#!/bin/bash\nexit 3');
    expect(await finishedJobs('cluster-one')).toEqual(['from-one|sim|COMPLETED']);
    expect(await finishedJobs('cluster-Other')).toEqual(['from-other|sim|FAILED']);
    expect(await asJobUser(rig, 'cluster-one', ['cat', 'from-one.out'])).toBe('debug-st-t3-1');
    const find = ['find', '/home', '/scratch', '/tmp', '-name', '*one*', '-type', 'f'];
    const seenByOne = await rig.headNodes.exec('cluster-one', find);
    expect(seenByOne.stdout.split('\n')).toContain('/scratch/one');
    const seenByOther = await rig.headNodes.exec('cluster-Other', find);
    expect(seenByOther.stdout).toBe('');
  });

  it('take further queues and nodes while jobs run, also those of several nodes', async () => {
    const small = (maxCount: number) => ({
      name: 'debug',
      computeResources: [{ name: 't3', instanceType: 't3.micro', minCount: 1, maxCount }],
    });
    const added = {
      name: 'mem',
      computeResources: [{ name: 'm5', instanceType: 'm5.8xlarge', minCount: 1, maxCount: 1 }],
    };
    await rig.headNodes.start(smallCluster('grown', { queues: [small(1)] }));
    await submit('grown', 'before', '#!/bin/bash\nsleep 8');
    const squeue = async () => asJobUser(rig, 'grown', ['squeue', '-h', '-o', '%j %T']);
    await vi.waitFor(async () => expect(await squeue()).toBe('before RUNNING'), { timeout: 10_000 });
    await rig.headNodes.update(smallCluster('grown', { queues: [small(3), added] }));
    expect(await squeue()).toBe('before RUNNING');
    await submit('grown', 'wide', '#!/bin/bash\n#SBATCH --nodes 3\nsrun hostname | sort');
    await submit('grown', 'other', '#!/bin/bash\n#SBATCH --partition mem\nhostname');
    expect((await finishedJobs('grown')).toSorted()).toEqual([
      'before|sim|COMPLETED',
      'other|sim|COMPLETED',
      'wide|sim|COMPLETED',
    ]);
    expect(await asJobUser(rig, 'grown', ['cat', 'wide.out', 'other.out'])).toBe(
      'debug-dy-t3-1\ndebug-dy-t3-2\ndebug-st-t3-1\nmem-st-m5-1',
    );
  });

  it('have one partition for each queue and nodes named as ParallelCluster names them', async () => {
    const queues = [
      {
        name: 'debug',
        computeResources: [{ name: 't3', instanceType: 't3.micro', minCount: 1, maxCount: 2 }],
      },
      {
        name: 'mem',
        computeResources: [{ name: 'm5', instanceType: 'm5.8xlarge', maxCount: 1 }],
        maxTimeSeconds: 7200,
      },
    ];
    await rig.headNodes.start(smallCluster('queues', { queues }));
    const partitions = await asJobUser(rig, 'queues', ['sinfo', '-h', '-N', '-o', '%P %l %N %T']);
    expect(partitions.split('\n').toSorted()).toEqual([
      'debug* infinite debug-dy-t3-1 idle~',
      'debug* infinite debug-st-t3-1 idle',
      'mem 2:00:00 mem-dy-m5-1 idle~',
    ]);
  });

  it('let the admin in by key, and nobody without it', async () => {
    const key = utils.generateKeyPairSync('ed25519');
    const stranger = utils.generateKeyPairSync('ed25519');
    const { address } = await rig.headNodes.start(smallCluster('ssh', { adminPublicKey: key.public }));
    expect(await login(address, 'ec2-user', key.private)).toBe('ec2-user\n');
    await expect(login(address, 'ec2-user', stranger.private)).rejects.toThrow(
      'authentication methods failed',
    );
    await expect(login(address, 'root', key.private)).rejects.toThrow('authentication methods failed');
  });

  it('see the bound files of this machine, read-only where asked', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'head-node-bind-'));
    try {
      await writeFile(join(folder, 'data'), 'from outside');
      const binds = [{ source: folder, target: '/opt/outside', readOnly: true }];
      await rig.headNodes.start(smallCluster('binds', { binds }));
      expect(await asJobUser(rig, 'binds', ['cat', '/etc/hostname'])).toMatch(/^ip-127-0-1-\d+$/);
      const read = await rig.headNodes.exec('binds', ['cat', '/opt/outside/data']);
      expect(read.stdout).toBe('from outside');
      const write = await rig.headNodes.exec('binds', ['touch', '/opt/outside/data']);
      expect(write.stderr).toContain('Read-only file system');
    } finally {
      await rig.headNodes.stop('binds');
      await rm(folder, { recursive: true });
    }
  });

  it('are started once for the same specification, and refused for another', async () => {
    const [first, second] = await Promise.all([
      rig.headNodes.start(smallCluster('twice')),
      rig.headNodes.start(smallCluster('twice')),
    ]);
    expect(second).toEqual(first);
    await expect(rig.headNodes.start(smallCluster('twice', { adminUser: 'ubuntu' }))).rejects.toThrow(
      'head node of twice: it exists with another specification',
    );
  });

  it('run custom actions as root with their arguments as they are', async () => {
    const content = Buffer.from(
      '#!/bin/bash\n. /etc/parallelcluster/cfnconfig\nid -u; echo "$cfn_node_type|$2|$#"\n',
    );
    const [createUser] = smallCluster('actions').onNodeConfigured;
    const onNodeConfigured = [createUser, { name: 'echo.sh', content, args: ['$(id)', 'a "b" \'c\'\n'] }];
    await rig.headNodes.start(
      smallCluster('actions', {
        onNodeConfigured: onNodeConfigured.filter((action) => action !== undefined),
      }),
    );
    const log = await rig.headNodes.exec('actions', [
      'cat',
      '/var/log/parallelcluster/on-node-configured-1.log',
    ]);
    expect(log.stdout).toBe('0\nHeadNode|a "b" \'c\'\n|2\n');
  });
});

describe('the end of a head node', () => {
  it('can come in order, since each daemon is a child of process 1 and not of a shell in between', async () => {
    await rig.headNodes.start(smallCluster('children'));
    const children = await rig.headNodes.exec('children', ['ps', '--ppid', '1', '-o', 'comm=']);
    expect(children.stdout.trim().split('\n').toSorted()).toEqual([
      'munged',
      'slurmctld',
      'slurmd',
      'slurmd',
      'slurmdbd',
      'sshd',
    ]);
  });

  it('by stopping leaves no process, listener, address or folder, and its accounting until all are closed', async () => {
    const node = await rig.headNodes.start(smallCluster('stopped'));
    const namespace = await namespaceOf(node.pid);
    expect(await isConfigured(node.address)).toBe(true);
    expect(await listenersOn(node.address)).toEqual(expect.arrayContaining([22, 6817, 6819, 7000]));
    await rig.headNodes.stop('stopped');
    await rig.headNodes.stop('stopped');
    expect(await processesIn(namespace)).toEqual([]);
    expect(await listenersOn(node.address)).toEqual([]);
    expect(await isConfigured(node.address)).toBe(false);
    expect(existsSync(node.directory)).toBe(false);
    expect(rig.headNodes.list()).toEqual([]);
    expect(await accountingDatabases()).toHaveLength(1);
    await rig.headNodes.close();
    await rig.headNodes.close();
    expect(await accountingDatabases()).toEqual([]);
  });

  it('by SIGKILL to its process 1 leaves no process, mount or listener, and it can start again', async () => {
    const spec = smallCluster('killed');
    const node = await rig.headNodes.start(spec);
    await submit('killed', 'long', '#!/bin/bash\n#SBATCH --no-requeue\nsleep 600');
    await submit('killed', 'short', '#!/bin/bash\ntrue');
    // slurmctld saves its state every 5 s; what it accepted since is lost with it.
    await asJobUser(rig, 'killed', ['sleep', '7']);
    const namespace = await namespaceOf(node.pid);
    process.kill(node.pid, 'SIGKILL');
    await vi.waitFor(async () => expect(await processesIn(namespace)).toEqual([]), { timeout: 2000 });
    expect(await mountsNaming(node.directory)).toEqual([]);
    expect(await listenersOn(node.address)).toEqual([]);
    expect(rig.headNodes.list()).toEqual([]);

    const again = await rig.headNodes.start(spec);
    expect(again.address).toBe(node.address);
    expect(await finishedJobs('killed')).toEqual(['long|sim|NODE_FAIL', 'short|sim|COMPLETED']);
  });

  it.runIf(inject('fullTests'))(
    'by SIGKILL loses no node: those that ran come back with it, and one that had failed can be asked again',
    async () => {
      const computeResources = [{ name: 't3', instanceType: 't3.micro', maxCount: 3 }];
      const spec = smallCluster('nodes-back', { queues: [{ name: 'debug', computeResources }] });
      const { pid } = await rig.headNodes.start(spec);
      const asRoot = async (script: string) =>
        (await rig.headNodes.exec('nodes-back', ['bash', '-c', script])).stdout;
      const states = async () => (await asRoot(`sinfo -h -N -o '%N %T'`)).trim().split('\n');
      await asRoot(`echo 'debug-dy-t3-1 InsufficientInstanceCapacity' >/var/lib/stand-in-ec2/faults`);
      for (const number of [1, 2]) {
        const wish = `#!/bin/bash\n#SBATCH --no-requeue --nodelist=debug-dy-t3-${number}\ntrue`;
        await submit('nodes-back', `on-${number}`, wish);
      }
      expect(await finishedJobs('nodes-back')).toEqual(['on-1|sim|NODE_FAIL', 'on-2|sim|COMPLETED']);
      expect(await states()).toEqual([
        expect.stringContaining('debug-dy-t3-1 down'),
        'debug-dy-t3-2 idle',
        'debug-dy-t3-3 idle~',
      ]);
      // slurmctld saves its state every 5 s.
      await asJobUser(rig, 'nodes-back', ['sleep', '7']);
      process.kill(pid, 'SIGKILL');
      await vi.waitFor(() => expect(rig.headNodes.list()).toEqual([]), { timeout: 2000 });

      await rig.headNodes.start(spec);
      expect(await states()).toContain('debug-dy-t3-2 idle');
      await vi.waitFor(async () => expect(await states()).toContain('debug-dy-t3-1 idle~'), {
        timeout: 20_000,
      });
    },
  );

  it("comes when a custom action fails, with the action's output, and leaves nothing", async () => {
    const content = Buffer.from('#!/bin/bash\necho "cannot reach the file system"\nexit 7\n');
    const attempt = rig.headNodes.start(
      smallCluster('refused', { onNodeConfigured: [{ name: 'mount.sh', content, args: [] }] }),
    );
    await expect(attempt).rejects.toThrow(
      /head node of refused: OnNodeConfigured script mount\.sh ended with exit code 7:\ncannot reach the file system/,
    );
    expect(existsSync(join(rig.stateDirectory, 'refused'))).toBe(false);
    expect(rig.headNodes.list()).toEqual([]);
    await rig.headNodes.close();
    expect(await accountingDatabases()).toEqual([]);
  });

  it('comes when it is stopped while a custom action still runs', async () => {
    const content = Buffer.from('#!/bin/bash\nsleep 600\n');
    const spec = smallCluster('endless', { onNodeConfigured: [{ name: 'endless.sh', content, args: [] }] });
    const log = join(rig.stateDirectory, 'endless', 'log', 'parallelcluster', 'on-node-configured-0.log');
    const stopWhenItRuns = async (): Promise<void> => {
      try {
        await vi.waitFor(() => expect(existsSync(log)).toBe(true), { timeout: 20_000, interval: 50 });
      } finally {
        await rig.headNodes.stop('endless');
      }
    };
    const [attempt] = await Promise.allSettled([rig.headNodes.start(spec), stopWhenItRuns()]);
    expect(attempt).toMatchObject({
      status: 'rejected',
      reason: { message: expect.stringContaining('head node of endless: stopped before it was ready') },
    });
    expect(existsSync(join(rig.stateDirectory, 'endless'))).toBe(false);
  });

  it('comes at once when another program has one of its ports', async () => {
    const spec = smallCluster('port');
    const { address } = await rig.headNodes.start(spec);
    await rig.headNodes.kill('port');
    const server = createServer().listen(22, address);
    try {
      await once(server, 'listening');
      await expect(rig.headNodes.start(spec)).rejects.toThrow('head node of port: port 22 is taken');
    } finally {
      server.close();
    }
  });

  it('comes with the death of its owner, even while it starts, and its address is given to the next', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'head-node-owner-'));
    const script = fileURLToPath(new URL('../support/head-node-owner.ts', import.meta.url));
    const owner = spawn(process.execPath, [script, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
    const given: string[] = [];
    try {
      const { pids, addresses } = await ownedBy(owner.stdout);
      const namespaces = await Promise.all(pids.map(namespaceOf));
      const socketsThere = async () =>
        (await Promise.all(addresses.map(listeningSockets))).flat().map(({ inode }) => inode);
      const sockets = await socketsThere();
      expect(sockets.length).toBeGreaterThan(1);
      owner.kill('SIGKILL');
      await once(owner, 'exit');
      await vi.waitFor(
        async () => {
          expect((await Promise.all(namespaces.map(processesIn))).flat()).toEqual([]);
          expect(await mountsNaming(directory)).toEqual([]);
          expect((await socketsThere()).filter((inode) => sockets.includes(inode))).toEqual([]);
        },
        // At once on an idle machine; the kernel takes namespaces apart when it has time.
        { timeout: 15_000 },
      );
      // The next is whoever asks: this test, or another file's, whose head node then listens there.
      const isGiven = async () =>
        given.some((address) => addresses.includes(address)) || (await socketsThere()).length > 0;
      while (given.length < MOST_ADDRESSES && !(await isGiven())) given.push(await claimLoopbackAddress());
      expect(await isGiven()).toBe(true);
    } finally {
      for (const address of given) await releaseLoopbackAddress(address);
      owner.kill('SIGKILL');
      await rm(directory, { recursive: true });
    }
  });
});

/** More than all files of tests have at a time. */
const MOST_ADDRESSES = 50;

async function ownedBy(output: NodeJS.ReadableStream): Promise<{ pids: number[]; addresses: string[] }> {
  for await (const line of createInterface({ input: output })) return JSON.parse(line);
  throw new Error('the owner ended without a word');
}

async function accountingDatabases(): Promise<string[]> {
  const names = await readdir(join(rig.database.directory, 'upper', 'var', 'lib', 'mysql'));
  return names.filter((name) => name.startsWith('slurm_'));
}

/** Logs in and answers what `whoami` says. */
function login(host: string, username: string, privateKey: string): Promise<string> {
  const client = new Client();
  return new Promise<string>((resolve, reject) => {
    client.on('error', reject);
    client.on('ready', () =>
      client.exec('whoami', (error, channel) => {
        if (error !== undefined) return reject(error);
        let output = '';
        channel.on('data', (chunk: Buffer) => (output += chunk.toString()));
        channel.on('close', () => resolve(output));
      }),
    );
    client.connect({ host, username, privateKey });
  }).finally(() => client.end());
}
