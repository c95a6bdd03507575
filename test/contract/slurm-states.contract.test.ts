import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jobComment } from '../../src/domain/ids.ts';
import { factsByJobKey, judge, type Verdict } from '../../src/domain/job-state.ts';
import type { SlurmJobFact } from '../../src/domain/slurm-facts.ts';
import { eventually } from '../support/platform.ts';
import { callSlurm } from '../support/slurm-library.ts';
import { startSlurmCluster, type SlurmCluster } from '../support/slurm-cluster.ts';

/*
 * States as real daemons produce them, and what we make of them. Jobs are submitted past the product, because it lets
 * none fail in these ways. All of them run side by side: some of Slurm's own clocks are slow.
 */
const NODES = { low: 'debug-st-t3-1', high: 'debug-st-t3-2' } as const;

interface Case {
  /** What sbatch is given beside the name. */
  readonly options: readonly string[];
  /** What root does once the job is as wanted, in bash; `$id` is the job's. */
  readonly afterwards?: { readonly when: SlurmJobFact['state']; readonly script: string };
  readonly state: SlurmJobFact['state'];
  readonly flags?: SlurmJobFact['flags'];
  readonly verdict: Partial<Verdict>;
}

/**
 * What slurmstepd answers of a job whose processes the kernel has killed for their memory (`SIG_OOM`, slurm_protocol_defs.h,
 * 24.11). That needs cgroups, which the stand-in does not have: here slurmctld is told so by the call that ends a job.
 */
const SIG_OOM = 253;

const sleeps = '--wrap=sleep 300';

const cases: Readonly<Record<string, Case>> = {
  completed: {
    options: ['--wrap=true'],
    state: 'COMPLETED',
    verdict: { state: 'succeeded', reason: 'Exit code 0' },
  },
  failed: {
    options: ['--wrap=exit 7'],
    state: 'FAILED',
    verdict: { state: 'failed', reason: 'Exit code 7', nextStep: expect.stringContaining('stderr') },
  },
  signalled: {
    options: ['--wrap=kill -SEGV $$'],
    state: 'FAILED',
    verdict: { state: 'failed', reason: 'Ended by signal 11 (SIGSEGV)' },
  },
  'cancelled-by-root': {
    options: [sleeps],
    afterwards: { when: 'RUNNING', script: 'scancel $id' },
    state: 'CANCELLED',
    verdict: { state: 'cancelled', reason: 'Cancelled by root' },
  },
  'cancelled-by-its-user': {
    options: [sleeps],
    afterwards: { when: 'RUNNING', script: 'setpriv --reuid sim --regid sim --clear-groups scancel $id' },
    state: 'CANCELLED',
    verdict: { state: 'cancelled', reason: 'Cancelled by sim' },
  },
  suspended: {
    options: [sleeps],
    afterwards: { when: 'RUNNING', script: 'scontrol suspend $id' },
    state: 'SUSPENDED',
    verdict: { state: 'suspended' },
  },
  'requeued-and-held': {
    options: [sleeps],
    afterwards: { when: 'RUNNING', script: 'scontrol requeuehold $id' },
    state: 'PENDING',
    verdict: { state: 'pending', pendingCause: 'held' },
  },
  'special-exit': {
    options: [sleeps],
    afterwards: { when: 'RUNNING', script: 'scontrol requeuehold State=SpecialExit $id' },
    state: 'PENDING',
    flags: ['SPECIAL_EXIT'],
    verdict: { state: 'pending', pendingCause: 'held', reason: 'Requeued and held' },
  },
  'held-by-root': {
    options: ['--begin=now+1hour', sleeps],
    afterwards: { when: 'PENDING', script: 'scontrol hold $id' },
    state: 'PENDING',
    verdict: { state: 'pending', pendingCause: 'held', nextStep: expect.stringContaining('Operators') },
  },
  'begins-later': {
    options: ['--begin=now+1hour', sleeps],
    state: 'PENDING',
    verdict: { state: 'pending', pendingCause: 'time' },
  },
  'never-satisfied': {
    options: ['--dependency=afternotok:1', sleeps],
    state: 'PENDING',
    verdict: { state: 'pending', pendingCause: 'dependency', nextStep: expect.stringContaining('Cancel') },
  },
  'asks-for-too-long': {
    options: ['--time=30-0', sleeps],
    state: 'PENDING',
    verdict: {
      state: 'pending',
      pendingCause: 'impossible',
      nextStep: expect.stringContaining('timeLimitSeconds'),
    },
  },
  'timed-out': {
    options: [sleeps],
    afterwards: { when: 'RUNNING', script: 'scontrol update JobId=$id TimeLimit=0' },
    state: 'TIMEOUT',
    verdict: { state: 'timed-out', nextStep: expect.stringContaining('timeLimitSeconds') },
  },
  'out-of-memory': {
    options: [sleeps],
    afterwards: { when: 'RUNNING', script: callSlurm('slurm_complete_job', '$id', SIG_OOM) },
    state: 'OUT_OF_MEMORY',
    verdict: { state: 'failed', nextStep: expect.stringContaining('memoryMebibytesPerNode') },
  },
  'killed-for-its-memory': {
    options: ['--mem=20', '--wrap=exec python3 -c "import time; kept = str(7) * (60 << 20); time.sleep(60)"'],
    state: 'FAILED',
    verdict: { state: 'failed', reason: 'Ended by signal 9 (SIGKILL)' },
  },
  'too-late-for-its-deadline': {
    // The node is never free for it alone.
    options: ['--exclusive', '--time=1', '--deadline=now+65', sleeps],
    state: 'DEADLINE',
    verdict: {
      state: 'failed',
      reason: 'It could no longer end before its deadline',
      nextStep: expect.stringContaining('later deadline'),
    },
  },
  preempted: {
    options: ['--partition=low', '--no-requeue', sleeps],
    afterwards: {
      when: 'RUNNING',
      script: `sbatch --partition=debug --nodelist=${NODES.low} --exclusive --wrap='sleep 1' --time=1`,
    },
    state: 'PREEMPTED',
    verdict: { state: 'failed', nextStep: expect.stringContaining('again') },
  },
};

const PATIENCE = { timeout: 90_000, interval: 500 } as const;

describe('what Slurm says of a job', () => {
  let cluster: SlurmCluster;
  const campaignId = 's'.repeat(26);
  const ids = new Map<string, string>();

  beforeAll(async () => {
    cluster = await startSlurmCluster({
      customSlurmSettings: {
        PreemptType: 'preempt/partition_prio',
        PreemptMode: 'REQUEUE',
        // Slurm's own way to limit memory without cgroups; no ParallelCluster uses it.
        JobAcctGatherParams: 'OverMemoryKill',
        JobAcctGatherFrequency: 1,
      },
    });
    const { code, stderr } = await cluster.asRoot(
      `scontrol update PartitionName=debug PriorityTier=10 PreemptMode=OFF &&
       scontrol create PartitionName=low Nodes=${NODES.low} PriorityTier=1 PreemptMode=CANCEL State=UP`,
    );
    if (code !== 0) throw new Error(stderr);
    // The first job of all ends at once: what depends on its failure can never run.
    for (const [name, { options }] of Object.entries(cases)) {
      const place = options.some((option) => option.startsWith('--partition'))
        ? []
        : [`--nodelist=${NODES.high}`];
      const comment = jobComment({ epoch: cluster.head.epoch, campaignId, jobKey: name });
      const small = ['--mem=10', '--overcommit', '--output=/dev/null', ...place];
      const all = options.includes('--time=30-0') ? small : [...small, '--time=5'];
      ids.set(name, await cluster.asSim('sbatch', '--parsable', `--comment=${comment}`, ...all, ...options));
    }
  });
  afterAll(async () => cluster?.close());

  const factOf = async (name: string) => {
    const { facts } = await cluster.gateway.observe(cluster.head, { sinceSeconds: Date.now() / 1000 - 3600 });
    return factsByJobKey(facts, { epoch: cluster.head.epoch, campaignId }).get(name);
  };

  const seen = async (name: string) => {
    const fact = await factOf(name);
    return fact && { state: fact.state, flags: fact.flags, verdict: judge(fact) };
  };

  /** Does to a job what it is to be seen after. */
  async function treat(name: string, { when, script }: NonNullable<Case['afterwards']>): Promise<void> {
    await eventually(
      async () => seen(name),
      (fact) => fact?.state === when && fact?.flags.length === 0,
      PATIENCE.timeout / 1000,
    );
    const { code, stderr } = await cluster.asRoot(script.replaceAll('$id', ids.get(name) ?? ''));
    if (code !== 0) throw new Error(stderr);
  }

  it.concurrent.for(Object.entries(cases))(
    'is understood: %s',
    { timeout: 120_000 },
    async ([name, { afterwards, options: _options, ...wanted }], { expect }) => {
      if (afterwards) await treat(name, afterwards);
      await expect.poll(async () => seen(name), PATIENCE).toMatchObject(wanted);
    },
  );

  it('is understood when a node fails: the end of one job, and a requeue of another', async () => {
    for (const [name, requeue] of [
      ['node-failed', '--no-requeue'],
      ['node-failed-requeued', '--requeue'],
    ] as const) {
      const comment = jobComment({ epoch: cluster.head.epoch, campaignId, jobKey: name });
      const options = [
        '--mem=10',
        `--nodelist=${NODES.low}`,
        '--output=/dev/null',
        `--comment=${comment}`,
        requeue,
      ];
      await cluster.asSim('sbatch', '--parsable', ...options, sleeps);
      await expect.poll(async () => (await factOf(name))?.state, { timeout: 30_000 }).toBe('RUNNING');
    }
    await cluster.asRoot(`scontrol update NodeName=${NODES.low} State=DOWN Reason=test`);
    try {
      await expect
        .poll(async () => (await factOf('node-failed'))?.state, { timeout: 30_000 })
        .toBe('NODE_FAIL');
      const failed = await factOf('node-failed');
      expect(failed && judge(failed)).toMatchObject({
        state: 'failed',
        reason: 'A node of it failed, or did not start',
        nextStep: expect.stringContaining('again'),
      });
      await expect.poll(async () => (await factOf('node-failed-requeued'))?.restarts).toBe(1);
      const requeued = await factOf('node-failed-requeued');
      expect(requeued && judge(requeued).state).toBe('pending');
    } finally {
      await cluster.asRoot(`scontrol update NodeName=${NODES.low} State=RESUME`);
    }
  }, 120_000);

  it('is understood when EC2 does not start the nodes that a job waits for', async () => {
    const comment = jobComment({ epoch: cluster.head.epoch, campaignId, jobKey: 'no-capacity' });
    // As ParallelCluster marks a node for which EC2 had no instance.
    const reason = '(Code:InsufficientInstanceCapacity)Failure when resuming nodes';
    await cluster.asRoot(`scontrol update NodeName=${NODES.low} State=DRAIN Reason='${reason}'`);
    try {
      const options = ['--mem=10', `--nodelist=${NODES.low}`, `--comment=${comment}`];
      await cluster.asSim('sbatch', '--parsable', ...options, sleeps);
      const verdict = async () => {
        const fact = await factOf('no-capacity');
        return fact && judge(fact);
      };
      await expect.poll(verdict, { timeout: 30_000 }).toMatchObject({
        state: 'pending',
        pendingCause: 'capacity',
        reason: expect.stringContaining('EC2 has no such instances left'),
      });
    } finally {
      await cluster.asRoot(`scontrol update NodeName=${NODES.low} State=RESUME`);
    }
  }, 120_000);
});
