import { describe, expect, it } from 'vitest';
import type { JobView } from './campaign-view.ts';
import { betterFact, classifyActivity, factsByJobKey, jobAfterFact, judge } from './job-state.ts';
import type { SlurmJobFact } from './slurm-facts.ts';
import { isTerminal, slurmStateFlags } from './slurm-states.ts';

const now = '2026-11-22T18:00:00.000Z';

function fact(changes: Partial<SlurmJobFact> = {}): SlurmJobFact {
  return {
    jobId: '7',
    comment: 'pcp/e1/c1/k1',
    user: 'sim',
    name: 'n',
    partition: 'main',
    state: 'RUNNING',
    flags: [],
    reason: '',
    submitTime: 1000,
    startTime: 1010,
    nodes: 'n1',
    restarts: 0,
    source: 'queue',
    ...changes,
  };
}

const previous: JobView = {
  key: 'k1',
  state: 'running',
  reason: 'Running',
  slurmJobId: '7',
  submittedAt: '1970-01-01T00:16:40.000Z',
  logsComplete: false,
};

describe('the state of a job', () => {
  it.each([
    ['PENDING', 'pending'],
    ['RUNNING', 'running'],
    ['SUSPENDED', 'suspended'],
    ['COMPLETED', 'succeeded'],
    ['CANCELLED', 'cancelled'],
    ['FAILED', 'failed'],
    ['TIMEOUT', 'timed-out'],
    ['NODE_FAIL', 'failed'],
    ['PREEMPTED', 'failed'],
    ['BOOT_FAIL', 'failed'],
    ['DEADLINE', 'failed'],
    ['OUT_OF_MEMORY', 'failed'],
  ] as const)('is %s in Slurm: %s here', (state, expected) => {
    expect(judge(fact({ state })).state).toBe(expected);
  });

  it.each(
    slurmStateFlags.filter(
      (flag) => flag !== 'REVOKED' && flag !== 'RECONFIG_FAIL' && flag !== 'RESIZING' && flag !== 'SIGNALING',
    ),
  )('is not an end while %s is set', (flag) => {
    expect(isTerminal(judge(fact({ state: 'FAILED', flags: [flag] })).state)).toBe(false);
  });

  it('is unknown, and no end, when Slurm uses a word that we do not know', () => {
    expect(judge(fact({ state: undefined })).state).toBe('unknown');
  });

  it('is pending while a failed node’s job waits to run again', () => {
    const requeued = fact({ state: 'PENDING', reason: 'BeginTime', restarts: 1 });
    expect(jobAfterFact(previous, requeued, now)).toMatchObject({ state: 'pending', restarts: 1 });
  });
});

describe('the reason', () => {
  it.each([
    [{ state: 'FAILED', exitCode: 3 }, 'Exit code 3'],
    [{ state: 'FAILED', exitCode: 0, signal: 11 }, 'Ended by signal 11 (SIGSEGV)'],
    [{ state: 'FAILED', exitCode: 137 }, 'Exit code 137, as a shell reports signal 9 (SIGKILL)'],
    [{ state: 'FAILED', reason: 'JobLaunchFailure', exitCode: 0 }, 'Failed: JobLaunchFailure'],
    [{ state: 'TIMEOUT' }, 'Its time limit was reached'],
    [{ state: 'OUT_OF_MEMORY', signal: 125 }, 'It used more memory than it had asked for and was killed'],
    [{ state: 'CANCELLED', startTime: undefined }, 'Cancelled before it started'],
    [
      { state: 'CANCELLED', reason: 'DependencyNeverSatisfied' },
      'A job that it depends on did not end as required',
    ],
    [{ state: 'PENDING', reason: 'Resources' }, 'Waiting for free nodes (Resources)'],
    [{ state: 'PENDING', reason: 'BeginTime' }, 'Waiting for its earliest start time (BeginTime)'],
    [
      { state: 'PENDING', reason: 'BeginTime', restarts: 1 },
      'Slurm requeued it and starts it again after a pause, of two minutes by default (BeginTime)',
    ],
    [
      { state: 'PENDING', reason: 'Priority', restarts: 1 },
      'Waiting behind jobs of higher priority (Priority)',
    ],
    [
      { state: 'PENDING', reason: 'launch failed requeued held' },
      'It could not be launched, was requeued and is held (launch failed requeued held)',
    ],
    [
      { state: 'PENDING', reason: 'ReqNodeNotAvail, UnavailableNodes:n[1-2]' },
      'Nodes that it needs are not available (ReqNodeNotAvail, UnavailableNodes:n[1-2])',
    ],
    [
      { state: 'PENDING', reason: 'AssocGrpCpuLimit' },
      'Waiting because a limit of its account is reached (AssocGrpCpuLimit)',
    ],
    [{ state: 'PENDING', reason: 'SomethingNew' }, 'Waiting (SomethingNew)'],
    [{ state: 'PENDING', reason: '' }, 'Waiting to be scheduled'],
  ] satisfies [Partial<SlurmJobFact>, string][])('of %j is "%s"', (changes, reason) => {
    expect(judge(fact(changes)).reason).toBe(reason);
  });
});

describe('the view after a look', () => {
  it('tells ids, times, nodes and how the job ended', () => {
    const ended = fact({ state: 'FAILED', exitCode: 3, endTime: 1070, source: 'accounting', restarts: 2 });
    expect(jobAfterFact(previous, ended, now)).toEqual({
      key: 'k1',
      state: 'failed',
      reason: 'Exit code 3',
      nextStep: 'Read its stderr and stdout, mend the job and submit it again.',
      slurmJobId: '7',
      slurmState: 'FAILED',
      exitCode: 3,
      submittedAt: '1970-01-01T00:16:40.000Z',
      startedAt: '1970-01-01T00:16:50.000Z',
      endedAt: '1970-01-01T00:17:50.000Z',
      nodes: 'n1',
      restarts: 2,
      logsComplete: false,
    });
  });

  it('names a signal and not the meaningless exit code beside it', () => {
    const view = jobAfterFact(previous, fact({ state: 'FAILED', exitCode: 0, signal: 9, endTime: 1 }), now);
    expect(view).toMatchObject({ signal: 9 });
    expect(view).not.toHaveProperty('exitCode');
  });

  it('keeps the state of a job that left the queue before accounting knows it', () => {
    expect(jobAfterFact(previous, undefined, now)).toMatchObject({ state: 'running', slurmJobId: '7' });
  });

  it('does not believe accounting alone that a job runs', () => {
    const stale = fact({ source: 'accounting', state: 'RUNNING' });
    expect(jobAfterFact({ ...previous, state: 'pending' }, stale, now).state).toBe('pending');
  });

  it('keeps the reason that the queue gave for an end when accounting has forgotten it', () => {
    const cancelled = fact({ state: 'CANCELLED', reason: 'DependencyNeverSatisfied', startTime: undefined });
    const ended = jobAfterFact(previous, cancelled, now);
    const later = jobAfterFact(ended, { ...cancelled, source: 'accounting', reason: '' }, now);
    expect(later.reason).toBe('A job that it depends on did not end as required');
    const requeued = fact({ source: 'accounting', state: 'COMPLETED', exitCode: 0, endTime: 1 });
    expect(jobAfterFact(ended, requeued, now)).toMatchObject({ state: 'succeeded', reason: 'Exit code 0' });
  });

  it('is waiting again when Slurm lost the job, unless it is another job by now, or has ended', () => {
    const lost = fact({ source: 'ledger', state: undefined, submitTime: undefined });
    const waiting = jobAfterFact({ ...previous, startedAt: now, nodes: 'n1' }, lost, now);
    expect(waiting).toEqual({
      key: 'k1',
      state: 'waiting',
      reason: 'Slurm lost the job 7, which it had accepted: it is submitted again',
      logsComplete: false,
    });
    expect(jobAfterFact(waiting, lost, now)).toBe(waiting);
    const another: JobView = { ...previous, slurmJobId: '8' };
    expect(jobAfterFact(another, lost, now)).toBe(another);
    const ended: JobView = { ...previous, state: 'succeeded' };
    expect(jobAfterFact(ended, lost, now)).toBe(ended);
  });

  it('leaves a job that has ended as it is when nothing shows it any more', () => {
    const ended: JobView = { ...previous, state: 'succeeded', reason: 'Exit code 0' };
    expect(jobAfterFact(ended, undefined, now)).toBe(ended);
  });
});

describe('of two facts about one job', () => {
  const ended = fact({ source: 'accounting', state: 'COMPLETED', endTime: 1020, comment: '' });

  it('an end that accounting saw after the run began beats a queue that still shows it running', () => {
    expect(betterFact(fact(), ended)).toMatchObject({ state: 'COMPLETED', comment: 'pcp/e1/c1/k1' });
  });

  it.each([
    ['the job was requeued since', fact({ state: 'PENDING', startTime: undefined, restarts: 1 })],
    ['the job runs again', fact({ startTime: 1030 })],
    ['the job was started again within the same second', fact({ startTime: 1020, restarts: 1 })],
    ['its processes are still being ended', fact({ flags: ['COMPLETING'] })],
    ['the queue shows an end itself', fact({ state: 'FAILED', exitCode: 1 })],
    ['the id was used again', fact({ submitTime: 5000, startTime: undefined })],
  ])('the queue’s counts when %s', (_when, queue) => {
    expect(betterFact(queue, ended)).toBe(queue);
  });
});

describe('the facts of a campaign', () => {
  it('are those that carry its epoch and id in their comments, one for each key', () => {
    const facts = [
      fact({ jobId: '1', comment: 'pcp/e1/c1/k1' }),
      fact({ jobId: '2', comment: 'pcp/e1/c1/k2' }),
      fact({ jobId: '3', comment: 'pcp/e1/c2/k1' }),
      fact({ jobId: '4', comment: 'pcp/e0/c1/k1' }),
      fact({ jobId: '5', comment: 'somebody else’s' }),
    ];
    const found = factsByJobKey(facts, { epoch: 'e1', campaignId: 'c1' });
    expect([...found].map(([key, { jobId }]) => [key, jobId])).toEqual([
      ['k1', '1'],
      ['k2', '2'],
    ]);
  });

  it('say that a job was lost only while nothing else is known of its key', () => {
    const lost = fact({ source: 'ledger', state: undefined, submitTime: undefined });
    const campaign = { epoch: 'e1', campaignId: 'c1' };
    expect(factsByJobKey([lost], campaign).get('k1')).toBe(lost);
    const ended = fact({ jobId: '8', source: 'accounting', state: 'FAILED', submitTime: undefined });
    for (const facts of [
      [lost, ended],
      [ended, lost],
    ]) {
      expect(factsByJobKey(facts, campaign).get('k1')?.jobId).toBe('8');
    }
  });

  it('join queue and accounting', () => {
    const facts = [fact(), fact({ source: 'accounting', state: 'COMPLETED', endTime: 1020 })];
    expect(factsByJobKey(facts, { epoch: 'e1', campaignId: 'c1' }).get('k1')?.state).toBe('COMPLETED');
  });

  it('prefer the younger of two jobs that ended, whatever the order', () => {
    const older = fact({ jobId: '9', source: 'accounting', state: 'FAILED', submitTime: 900, endTime: 950 });
    const younger = fact({ jobId: '5', source: 'accounting', state: 'COMPLETED', endTime: 1100 });
    for (const facts of [
      [older, younger],
      [younger, older],
    ]) {
      expect(factsByJobKey(facts, { epoch: 'e1', campaignId: 'c1' }).get('k1')?.jobId).toBe('5');
    }
  });

  it('are of one epoch: another one has the same campaign and the same ids', () => {
    const facts = [fact({ comment: 'pcp/e0/c1/k1' })];
    expect([...factsByJobKey(facts, { epoch: 'e1', campaignId: 'c1' })]).toEqual([]);
  });

  it('prefer a live job to one that ended, whatever the order', () => {
    const lost = fact({
      jobId: '5',
      source: 'accounting',
      state: 'CANCELLED',
      submitTime: 900,
      endTime: 2000,
    });
    const again = fact({ jobId: '9', submitTime: 1500 });
    for (const facts of [
      [lost, again],
      [again, lost],
    ]) {
      expect(factsByJobKey(facts, { epoch: 'e1', campaignId: 'c1' }).get('k1')?.jobId).toBe('9');
    }
  });
});

it('who cancelled a job is told by accounting, while the queue still shows it too', () => {
  const queue = fact({ state: 'CANCELLED', endTime: 1050 });
  const accounting = fact({ ...queue, source: 'accounting', cancelledBy: 0 });
  expect(betterFact(queue, accounting)).toEqual({ ...queue, cancelledBy: 0 });
  expect(judge(betterFact(queue, accounting)).reason).toBe('Cancelled by root');
  expect(judge({ ...accounting, cancelledBy: 2000, startTime: undefined }).reason).toBe(
    'Cancelled by user 2000 before it started',
  );
  expect(betterFact(queue, { ...accounting, endTime: 1040 })).toEqual(queue);
});

describe('what keeps a cluster busy', () => {
  it('is counted over everybody’s jobs in the queue', () => {
    const facts = [
      fact({ user: 'somebody' }),
      fact({ state: 'SUSPENDED' }),
      fact({ state: 'RUNNING', flags: ['CONFIGURING'] }),
      fact({ state: 'RUNNING', flags: ['COMPLETING'] }),
      fact({ state: undefined }),
      fact({ state: 'PENDING', reason: 'Priority' }),
      fact({ state: 'PENDING', reason: 'SomethingNew' }),
      fact({ state: 'COMPLETED' }),
    ];
    expect(classifyActivity(facts, 2)).toEqual({ running: 5, pending: 2, stuck: 0, interactiveSessions: 2 });
  });

  it.each([
    'DependencyNeverSatisfied',
    'JobHeldUser',
    'JobHeldAdmin',
    'PartitionTimeLimit',
    'PartitionNodeLimit',
    'BadConstraints',
    'QOSMaxCpuPerJobLimit',
    'job_requeued_in_held_state',
  ])('is no job that waits for ever: %s', (reason) => {
    expect(classifyActivity([fact({ state: 'PENDING', reason })], 0)).toMatchObject({ pending: 0, stuck: 1 });
  });

  it.each(['REQUEUE_HOLD', 'SPECIAL_EXIT', 'RESV_DEL_HOLD'] as const)(
    'is no job that is held after a requeue, whatever reason Slurm names: %s',
    (flag) => {
      const held = fact({ state: 'PENDING', flags: [flag], reason: 'Priority' });
      expect(classifyActivity([held], 0)).toMatchObject({ pending: 0, stuck: 1 });
    },
  );

  it('is no job that only accounting believes to run', () => {
    expect(classifyActivity([fact({ source: 'accounting' })], 0).running).toBe(0);
  });
});
