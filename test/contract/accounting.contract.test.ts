import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { asJobUser, smallCluster, startHeadNodeRig } from '../support/head-nodes.ts';
import type { HeadNodeRig } from '../support/head-nodes.ts';
import { atScale } from '../support/scale.ts';

/** How often a cluster is made anew. */
const EPOCHS = atScale(5, 20);
const NAME = 'pcluster-made-anew';

const spec = smallCluster(NAME, { customSlurmSettings: { AccountingStoreFlags: 'job_comment' } });

let rig: HeadNodeRig;

beforeAll(async () => {
  rig = await startHeadNodeRig();
});
afterEach(async () => rig.headNodes.close());
afterAll(async () => rig?.close());

async function asRoot(script: string): Promise<string> {
  return (await rig.headNodes.exec(NAME, ['bash', '-c', script])).stdout.trim();
}

async function submit(comment: string, script: string): Promise<void> {
  await asJobUser(rig, NAME, ['sbatch', '--parsable', '--comment', comment, '--wrap', script]);
}

/** `comment|state` of every job of every epoch, in the order of their submission. */
async function accounting(): Promise<string[]> {
  const options = ['-anXP', '--duplicates', '-S', 'now-1days', '-o', 'submit,comment,state'];
  const rows = (await asJobUser(rig, NAME, ['sacct', ...options])).split('\n').filter((row) => row !== '');
  return rows.toSorted().map((row) => row.slice(row.indexOf('|') + 1));
}

async function untilAccountingHas(rows: readonly string[]): Promise<void> {
  await vi.waitFor(async () => expect(await accounting()).toEqual(rows), { timeout: 60_000, interval: 200 });
}

/** What a daemon of Slurm said that must not happen to a cluster that is made anew. */
const complaints = async () => asRoot("grep -hiE 'mismatch|fatal' /var/log/slurm/*.log || true");

describe('accounting of a cluster name', () => {
  it(
    'keeps the jobs of every epoch readable, and is never taken for that of another cluster',
    { timeout: 600_000 },
    async () => {
      const expected: string[] = [];
      const clusterIds = new Set<string>();
      for (let epoch = 1; epoch <= EPOCHS; epoch++) {
        await rig.headNodes.start(spec);
        // Ids of jobs begin at 1 again.
        await submit(`epoch-${epoch}`, 'true');
        expected.push(`epoch-${epoch}|COMPLETED`);
        await untilAccountingHas(expected);
        expect(await complaints()).toBe('');
        clusterIds.add(await asRoot('cat /var/spool/slurmctld/clustername'));
        await rig.headNodes.stop(NAME);
      }
      expect(clusterIds.size).toBe(1);
    },
  );

  it('ends what ran when the power failed only when the next epoch begins', async () => {
    await rig.headNodes.start(spec);
    await submit('cut-off', 'sleep 600');
    await untilAccountingHas(['|RUNNING']);
    await rig.headNodes.kill(NAME);
    await rig.headNodes.stop(NAME);
    await rig.headNodes.start(spec);
    await submit('next', 'true');
    await untilAccountingHas(['|CANCELLED', 'next|COMPLETED']);
    expect(await complaints()).toBe('');
  });

  it('is gone when its head nodes are closed for good', async () => {
    await rig.headNodes.start(spec);
    await submit('old', 'true');
    await untilAccountingHas(['old|COMPLETED']);
    await rig.headNodes.close();
    await rig.headNodes.start(spec);
    expect(await accounting()).toEqual([]);
  });
});

/** Runs a script as root inside the node of the database. */
async function inDatabaseNode(script: string): Promise<void> {
  const namespaces = ['--target', String(rig.database.pid), '--mount', '--pid', '--ipc', '--uts'];
  await execa('nsenter', [...namespaces, '--', 'bash', '-c', script], { stdin: 'ignore' });
}

const waysToBeAway: Readonly<Record<string, { readonly begin: string; readonly end: string }>> = {
  'stands still': { begin: 'pkill -STOP mariadbd', end: 'pkill -CONT mariadbd' },
  'dies and is started again': {
    begin: 'tr "\\0" "\\n" </proc/$(pgrep mariadbd)/cmdline >/tmp/mariadbd; pkill -KILL mariadbd',
    end: 'mapfile -t argv </tmp/mariadbd; setsid "${argv[@]}" </dev/null >>/var/log/mariadbd.log 2>&1 &',
  },
};

describe.each(Object.entries(waysToBeAway))('a database that %s', (_way, { begin, end }) => {
  it.runIf(inject('fullTests'))('fails no job, and accounting has all of them afterwards', async () => {
    await rig.headNodes.start(spec);
    await submit('before', 'true');
    await submit('through', 'sleep 8');
    await untilAccountingHas(['before|COMPLETED', '|RUNNING']);
    await inDatabaseNode(begin);
    try {
      for (const name of ['during-1', 'during-2']) await submit(name, 'true');
      const states = async () => asJobUser(rig, NAME, ['squeue', '-h', '--states=all', '-o', '%k %T']);
      await vi.waitFor(
        async () =>
          expect((await states()).split('\n').toSorted()).toEqual(
            ['before', 'during-1', 'during-2', 'through'].map((name) => `${name} COMPLETED`),
          ),
        { timeout: 60_000, interval: 200 },
      );
    } finally {
      await inDatabaseNode(end);
    }
    const all = ['before', 'through', 'during-1', 'during-2'].map((name) => `${name}|COMPLETED`);
    await vi.waitFor(async () => expect((await accounting()).toSorted()).toEqual(all.toSorted()), {
      timeout: 90_000,
      interval: 500,
    });
    expect(await complaints()).toBe('');
  });
});
