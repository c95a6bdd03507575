import { describe, expect, it } from 'vitest';
import {
  type CampaignJob,
  cancelJob,
  jobAfterNews,
  jobAfterSubmission,
  jobAskedToRequeue,
  jobNotRequeued,
  MAX_REASON_CHARACTERS,
  mustBeCancelled,
  newJobs,
  viewOfJob,
} from './campaign-job.ts';
import { refuseUnsubmitted } from './campaign.ts';
import type { SlurmJobFact } from './slurm-facts.ts';
import { isTerminal, jobStates } from './slurm-states.ts';

const NOW = '2026-01-15T12:00:00.000Z';
const dependsOn = [{ key: 'first', condition: 'afterok' } as const];
const [waiting = expect.unreachable()] = newJobs([{ key: 'a', dependsOn }]);
const submitting: CampaignJob = { ...waiting, state: 'submitting', reason: 'Being handed to Slurm.' };
const pending = jobAfterSubmission(submitting, { status: 'submitted', jobId: '7' }, NOW);
const cancellation = { reason: 'wrong', isAsked: true };

function fact(values: Partial<SlurmJobFact>): SlurmJobFact {
  return {
    jobId: '7',
    comment: '',
    user: 'sim',
    name: '',
    partition: 'debug',
    state: 'RUNNING',
    flags: [],
    reason: 'None',
    startTime: 1,
    nodes: 'n1',
    restarts: 0,
    source: 'queue',
    ...values,
  };
}

describe('the answer to a submission', () => {
  it('is what the job becomes', () => {
    expect(pending).toEqual({
      key: 'a',
      state: 'pending',
      reason: 'Slurm has it.',
      slurmJobId: '7',
      submittedAt: NOW,
      logsComplete: false,
      dependsOn,
    });
    const refused = jobAfterSubmission(submitting, { status: 'rejected', message: 'too big' }, NOW);
    expect(refused).toMatchObject({ state: 'rejected', reason: 'Slurm refused it: too big', endedAt: NOW });
    const deferred = jobAfterSubmission(submitting, { status: 'deferred', message: 'no first' }, NOW);
    expect(deferred).toMatchObject({ state: 'waiting', reason: 'Not in Slurm yet: no first', dependsOn });
  });

  it('changes nothing when newer facts about the same Slurm job are there', () => {
    const running = jobAfterNews(submitting, fact({}), NOW);
    expect(running).toMatchObject({ state: 'running', slurmJobId: '7' });
    expect(jobAfterSubmission(running, { status: 'adopted', jobId: '7' }, NOW)).toBe(running);
  });

  it('replaces facts about an earlier Slurm job, which was lost in between', () => {
    const running = jobAfterNews(submitting, fact({ jobId: '6' }), NOW);
    const again = jobAfterSubmission(running, { status: 'submitted', jobId: '7' }, NOW);
    expect(again).toEqual(pending);
  });

  it('ends a job that was cancelled meanwhile and that Slurm does not have', () => {
    const cancelled = cancelJob(submitting, 'wrong', NOW);
    const deferred = jobAfterSubmission(cancelled, { status: 'deferred', message: 'no first' }, NOW);
    expect(deferred).toMatchObject({ state: 'cancelled', logsComplete: true });
  });

  it('is kept short', () => {
    const message = 'x'.repeat(5000);
    const { reason } = jobAfterSubmission(submitting, { status: 'rejected', message }, NOW);
    expect(reason.length).toBeLessThan(MAX_REASON_CHARACTERS + 20);
  });
});

describe('news of a job', () => {
  it('keep what is to be done about it', () => {
    const job = { ...pending, cancellation };
    expect(jobAfterNews(job, fact({}), NOW)).toMatchObject({ state: 'running', dependsOn, cancellation });
  });

  it('change nothing when they are of an older Slurm job, whether it ended or was lost', () => {
    for (const old of [
      fact({ jobId: '6', state: 'FAILED' }),
      fact({ jobId: '8', state: 'COMPLETED' }),
      fact({ jobId: '6', source: 'ledger' }),
    ])
      expect(jobAfterNews(pending, old, NOW)).toBe(pending);
  });

  it('that Slurm lost it let it wait again, as if it had never been there', () => {
    const running = jobAfterNews(pending, fact({}), NOW);
    expect(jobAfterNews(running, fact({ source: 'ledger' }), NOW)).toEqual({
      key: 'a',
      state: 'waiting',
      reason: 'Slurm lost it (job 7) when its controller stopped: it is submitted again.',
      logsComplete: false,
      dependsOn,
    });
  });

  it('that Slurm lost it end it if it was cancelled', () => {
    const lost = jobAfterNews({ ...pending, cancellation }, fact({ source: 'ledger' }), NOW);
    expect(lost).toMatchObject({ state: 'cancelled', endedAt: NOW, logsComplete: true });
    expect(lost).not.toHaveProperty('slurmJobId');
  });

  it('that Slurm lost it change nothing once it has ended', () => {
    const ended = jobAfterNews(pending, fact({ state: 'COMPLETED', exitCode: 0 }), NOW);
    expect(jobAfterNews(ended, fact({ source: 'ledger' }), NOW)).toBe(ended);
  });

  it('of a state that nobody knows end nothing', () => {
    expect(jobAfterNews(pending, fact({ state: undefined }), NOW).state).toBe('unknown');
  });
});

describe('a job that is to end', () => {
  it.each(jobStates)('ends at once only if it waits, and stays as it is if it has ended: %s', (state) => {
    const job: CampaignJob = { ...pending, state };
    const cancelled = cancelJob(job, 'wrong', NOW);
    const hasEnded = isTerminal(state);
    expect(cancelled === job).toBe(hasEnded);
    expect(cancelled.state).toBe(state === 'waiting' ? 'cancelled' : state);
    expect(mustBeCancelled(cancelled)).toBe(!hasEnded && state !== 'waiting');
  });

  it('is no matter for Slurm before Slurm has it, nor after Slurm was told', () => {
    expect(mustBeCancelled(cancelJob(submitting, 'wrong', NOW))).toBe(false);
    expect(mustBeCancelled({ ...pending, cancellation })).toBe(false);
    expect(mustBeCancelled(cancelJob({ ...pending, cancellation }, 'again', NOW))).toBe(true);
  });
});

it('shows of a job only what concerns everybody', () => {
  const view = viewOfJob({ ...pending, cancellation });
  expect(view).not.toHaveProperty('dependsOn');
  expect(view).not.toHaveProperty('cancellation');
  expect(viewOfJob(jobAskedToRequeue(pending))).not.toHaveProperty('requeuesAsked');
});

describe('a job that Slurm requeued', () => {
  const limited: CampaignJob = { ...pending, requeueLimit: 2 };

  it('goes on within its limit, and is to be cancelled beyond it', () => {
    expect(mustBeCancelled(jobAfterNews(limited, fact({ restarts: 2 }), NOW))).toBe(false);
    const beyond = jobAfterNews(limited, fact({ restarts: 3 }), NOW);
    expect(mustBeCancelled(beyond)).toBe(true);
    expect(jobAfterNews(beyond, fact({ state: 'CANCELLED', restarts: 3 }), NOW)).toMatchObject({
      state: 'failed',
      reason: 'Slurm requeued it 3 times by itself, which is more than its requeueLimit of 2.',
    });
  });

  it('may be requeued by its users as often as they like: only what Slurm did by itself counts', () => {
    let job = limited;
    for (let restarts = 0; restarts < 5; restarts++) {
      // Asked for twice before it happens.
      job = jobAfterNews(jobAskedToRequeue(jobAskedToRequeue(job)), fact({ restarts: restarts + 1 }), NOW);
      expect(mustBeCancelled(job)).toBe(false);
    }
    const within = jobAfterNews(job, fact({ restarts: 7 }), NOW);
    expect(mustBeCancelled(within)).toBe(false);
    const beyond = jobAfterNews(within, fact({ restarts: 8 }), NOW);
    expect(beyond.cancellation?.reason).toContain('requeued it 3 times by itself');
  });

  it('counts what was asked for and did not happen, or was asked of a job that Slurm has lost', () => {
    const asked = jobAskedToRequeue(limited);
    const refused = jobNotRequeued(asked, 0);
    expect(refused).toEqual(limited);
    expect(mustBeCancelled(jobAfterNews(asked, fact({ restarts: 3 }), NOW))).toBe(false);
    expect(mustBeCancelled(jobAfterNews(refused, fact({ restarts: 3 }), NOW))).toBe(true);
    const lost = jobAfterNews(asked, fact({ source: 'ledger' }), NOW);
    expect(lost).not.toHaveProperty('requeuesAsked');
    expect(lost).toHaveProperty('requeueLimit');
  });

  it('is not spared by a requeue that was asked for and has not happened yet', () => {
    const asked = jobAskedToRequeue({ ...limited, restarts: 3 });
    expect(jobAfterNews(asked, fact({ restarts: 3 }), NOW).cancellation?.reason).toContain(
      '3 times by itself',
    );
  });

  it('is not cancelled where nobody counts, or when it ended by itself meanwhile', () => {
    expect(mustBeCancelled(jobAfterNews(pending, fact({ restarts: 99 }), NOW))).toBe(false);
    const ended = jobAfterNews(limited, fact({ state: 'COMPLETED', exitCode: 0, restarts: 3 }), NOW);
    expect(ended).toMatchObject({ state: 'succeeded' });
  });
});

it('a job that ended because somebody cancelled it says why', () => {
  const doomed = cancelJob(pending, 'wrong morphology', NOW);
  expect(jobAfterNews(doomed, fact({ state: 'CANCELLED' }), NOW)).toMatchObject({
    state: 'cancelled',
    reason: 'Cancelled: wrong morphology',
  });
});

describe('a job that Slurm refused, which it shows as one that failed', () => {
  const shown = fact({
    state: 'FAILED',
    reason: 'BadConstraints',
    signal: 1,
    submitTime: 7,
    startTime: 7,
    endTime: 7,
    nodes: '',
  });

  it('stays refused, with the words of the answer, whichever comes first', () => {
    const answer = { status: 'rejected', message: 'Memory specification can not be satisfied' } as const;
    const answered = jobAfterSubmission(submitting, answer, NOW);
    const words = {
      state: 'rejected',
      reason: 'Slurm refused it: Memory specification can not be satisfied',
      nextStep: expect.stringContaining('Submit it again') as unknown,
    };
    expect(answered).toMatchObject(words);
    expect(jobAfterNews(answered, shown, NOW)).toMatchObject(words);
    const seen = jobAfterNews(submitting, shown, NOW);
    expect(seen).toMatchObject({ state: 'rejected' });
    expect(jobAfterSubmission(seen, answer, NOW)).toMatchObject(words);
  });

  it('never ran: it has no start, no exit code and no signal, also as accounting has it', () => {
    const inAccounting = fact({
      ...shown,
      startTime: undefined,
      signal: undefined,
      exitCode: 1,
      source: 'accounting',
    });
    for (const each of [shown, inAccounting]) {
      const seen = jobAfterNews(submitting, each, NOW);
      expect(seen.state).toBe('rejected');
      expect(Object.keys(seen)).not.toContain('startedAt');
      expect([seen.exitCode, seen.signal]).toEqual([undefined, undefined]);
    }
  });

  it('is not one whose submission failed for good although Slurm has it: what Slurm says counts', () => {
    const [given = expect.unreachable()] = refuseUnsubmitted(
      [submitting],
      { message: 'no answer', nextStep: 'Ask again.' },
      NOW,
    );
    expect(given).toMatchObject({ state: 'rejected', nextStep: 'Ask again.' });
    expect(jobAfterNews(given, fact({}), NOW)).toMatchObject({ state: 'running', slurmJobId: '7' });
  });

  it('is not one that failed at once on a node', () => {
    expect(jobAfterNews(submitting, { ...shown, nodes: 'n1' }, NOW).state).toBe('failed');
  });
});
