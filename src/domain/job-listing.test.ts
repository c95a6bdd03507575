import { describe, expect, it } from 'vitest';
import { jobComment, newEpochId } from './ids.ts';
import { jobListingSchema, listingOf } from './job-listing.ts';
import type { SlurmJobFact } from './slurm-facts.ts';

const BEGIN = Date.parse('2026-11-25T08:00:00Z') / 1000;
const epoch = newEpochId(BEGIN * 1000, '0a1b2');
const observedAt = '2026-11-25T12:00:00.000Z';
const campaignId = 'mfrggzdfmztwq2lknnwg23tpou';

function fact(jobId: string, own: Partial<SlurmJobFact> = {}): SlurmJobFact {
  return {
    jobId,
    comment: '',
    user: 'sim',
    name: 'wrap',
    partition: 'debug',
    state: 'RUNNING',
    flags: [],
    reason: '',
    submitTime: BEGIN + 60,
    nodes: '',
    restarts: 0,
    source: 'queue',
    ...own,
  };
}

const ended = (jobId: string, own: Partial<SlurmJobFact> = {}) =>
  fact(jobId, {
    state: 'COMPLETED',
    source: 'accounting',
    exitCode: 0,
    startTime: BEGIN + 61,
    endTime: BEGIN + 90,
    ...own,
  });

const list = (facts: readonly SlurmJobFact[], maxJobs?: number) =>
  listingOf(facts, { epoch, observedAt, ...(maxJobs !== undefined && { maxJobs }) });

describe('a listing of Slurm’s jobs', () => {
  it('has jobs of every user, with state and reason in the words that campaigns use', () => {
    const { jobs } = list([
      fact('2', { user: 'ec2-user', state: 'PENDING', reason: 'Resources', name: 'theirs' }),
      ended('1', { exitCode: 3, state: 'FAILED', nodes: 'n1' }),
    ]);
    expect(jobs).toMatchObject([
      {
        slurmJobId: '1',
        state: 'failed',
        reason: 'Exit code 3',
        exitCode: 3,
        nodes: 'n1',
        startedAt: '2026-11-25T08:01:01.000Z',
        endedAt: '2026-11-25T08:01:30.000Z',
      },
      {
        slurmJobId: '2',
        user: 'ec2-user',
        name: 'theirs',
        queue: 'debug',
        state: 'pending',
        pendingCause: expect.any(String) as unknown,
        submittedAt: '2026-11-25T08:01:00.000Z',
      },
    ]);
    expect(jobs[1]?.reason).not.toBe('');
    expect(jobListingSchema.parse(list([fact('1')]))).toEqual(list([fact('1')]));
  });

  it('says whose campaign a job is of, and of nobody else’s comment', () => {
    const comments = [
      jobComment({ epoch, campaignId, jobKey: 'a' }),
      jobComment({ epoch: 'another', campaignId, jobKey: 'a' }),
      jobComment({ epoch, campaignId: 'smoke', jobKey: 'a' }),
      'pcp/x',
    ];
    const { jobs } = list(comments.map((comment, index) => fact(`${index + 1}`, { comment })));
    expect(jobs[0]).toMatchObject({ campaignId, jobKey: 'a' });
    for (const job of jobs.slice(1)) expect(Object.keys(job)).not.toContain('campaignId');
  });

  it('leaves out jobs of earlier deployments, which share the accounting, and those that Slurm lost', () => {
    const { jobs } = list([
      ended('1', { submitTime: BEGIN - 60 }),
      ended('2'),
      fact('3', { source: 'ledger', state: undefined }),
    ]);
    expect(jobs.map(({ slurmJobId }) => slurmJobId)).toEqual(['2']);
  });

  it('shows a job once that queue and accounting know, and one of an id that was used again beside the other', () => {
    const { jobs } = list([fact('7', { submitTime: BEGIN + 500 }), ended('7'), fact('8'), ended('8')]);
    expect(jobs.map(({ slurmJobId, submittedAt }) => `${slurmJobId} ${submittedAt}`)).toEqual([
      '7 2026-11-25T08:01:00.000Z',
      '7 2026-11-25T08:08:20.000Z',
      '8 2026-11-25T08:01:00.000Z',
    ]);
  });

  it('does not call a job running of which only accounting says so', () => {
    const [job] = list([ended('1', { state: 'RUNNING', source: 'accounting' })]).jobs;
    expect(job).toMatchObject({
      state: 'unknown',
      reason: expect.stringContaining('no longer shows') as unknown,
    });
  });

  it('lists the tasks of an array one after the other, each with the key of its own', () => {
    const task = (index: number) =>
      fact(`9_${index}`, { arrayTaskId: index, comment: jobComment({ epoch, campaignId, jobKey: 'sim' }) });
    const { jobs } = list([fact('10'), task(10), task(2), fact('3')]);
    expect(jobs.map(({ slurmJobId, jobKey }) => [slurmJobId, jobKey])).toEqual([
      ['3', undefined],
      ['9_2', 'sim_2'],
      ['9_10', 'sim_10'],
      ['10', undefined],
    ]);
  });

  it('keeps what lives and then the youngest, where there is no room for all', () => {
    const facts = ['2', '3', '4', '10', '11'].map((jobId) => ended(jobId));
    const { jobs, omittedJobs } = list([fact('1'), ...facts], 3);
    expect(jobs.map(({ slurmJobId }) => slurmJobId)).toEqual(['1', '10', '11']);
    expect(omittedJobs).toBe(3);
    const full = list(
      ['1', '2', '3'].map((jobId) => fact(jobId)),
      2,
    );
    expect(full.jobs).toHaveLength(2);
  });

  it('has room for 10,000 jobs in a few megabytes', () => {
    const facts = Array.from({ length: 10_001 }, (_, index) => ended(`${index}`, { name: 'x'.repeat(5000) }));
    const listing = list(facts);
    expect([listing.jobs.length, listing.omittedJobs]).toEqual([10_000, 1]);
    expect(JSON.stringify(listing).length).toBeLessThan(8 * 1024 * 1024);
  });
});
