import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectAlways } from '../../test/support/properties.ts';
import {
  countByState,
  describeProgress,
  isComplete,
  loseJobs,
  newCampaignSnapshot,
  outcome,
  renderCampaignDetails,
  renderCampaignView,
  unsubmitted,
} from './campaign.ts';
import type { CampaignJob } from './campaign-job.ts';
import type { CampaignSnapshot } from './campaign-snapshot.ts';
import type { JobView } from './campaign-view.ts';
import { failureOf } from './failures.ts';
import { isTerminal, type JobState, jobStates } from './slurm-states.ts';

const NOW = '2026-01-15T12:00:00.000Z';
const tenant = { virtualLabId: 'lab', projectId: 'cortex' };
const campaignId = 'mfrggzdfmztwq2lknnwg23tpou';
const content = { bucket: 'control', key: 'campaigns/c.json', sha256: 'abc' };

function jobsIn(...states: JobState[]): JobView[] {
  return states.map((state, index) => ({ key: `job-${index}`, state, reason: state, logsComplete: false }));
}

const jobLists: fc.Arbitrary<JobView[]> = fc.array(
  fc.record({
    key: fc.uuid(),
    state: fc.constantFrom(...jobStates),
    reason: fc.string(),
    logsComplete: fc.boolean(),
  }),
);

describe('a campaign that was just accepted', () => {
  it('has every job in the order of its keys, none of them in Slurm', () => {
    const snapshot = newCampaignSnapshot(['b', 'a'], NOW);
    expect(snapshot).toMatchObject({
      state: 'waiting-for-cluster',
      acceptedAt: NOW,
      since: NOW,
      sequence: 0,
    });
    expect(snapshot.jobs.map(({ key }) => key)).toEqual(['b', 'a']);
    expect(unsubmitted(snapshot.jobs)).toEqual(snapshot.jobs);
    expect(isComplete(snapshot.jobs)).toBe(false);
  });
});

describe('the jobs of a campaign', () => {
  it('are each counted once, and states without jobs are left out', () => {
    expectAlways(
      fc.property(jobLists, (jobs) => {
        const counts = countByState(jobs);
        expect(Object.values(counts).reduce((sum, count) => sum + count, 0)).toBe(jobs.length);
        for (const [state, count] of Object.entries(counts)) {
          expect(count).toBe(jobs.filter((job) => job.state === state).length);
          expect(count).toBeGreaterThan(0);
        }
      }),
    );
  });

  it('are unsubmitted as long as Slurm has not answered for them', () => {
    const states = unsubmitted(jobsIn(...jobStates)).map(({ state }) => state);
    expect(states).toEqual(['waiting', 'submitting']);
  });

  it('are complete when each has ended and its logs are there', () => {
    expectAlways(
      fc.property(jobLists, (jobs) => {
        const open = jobs.filter((job) => !isTerminal(job.state) || !job.logsComplete);
        expect(isComplete(jobs)).toBe(open.length === 0);
      }),
    );
  });
});

describe('the outcome of a campaign', () => {
  it.each<[JobState[], string]>([
    [['succeeded', 'succeeded'], 'succeeded'],
    [['succeeded', 'failed'], 'failed'],
    [['succeeded', 'timed-out'], 'failed'],
    [['succeeded', 'rejected'], 'failed'],
    [['succeeded', 'cancelled'], 'cancelled'],
    [['cancelled', 'failed'], 'failed'],
  ])('of jobs that are %j is %s', (states, expected) => {
    expect(outcome(jobsIn(...states))).toBe(expected);
    expect(outcome(jobsIn(...states.toReversed()))).toBe(expected);
  });
});

it('a campaign that was cancelled as a whole is cancelled, unless its jobs had all ended by themselves', () => {
  expect(outcome(jobsIn('failed', 'cancelled', 'succeeded'), true)).toBe('cancelled');
  expect(outcome(jobsIn('failed', 'succeeded'), true)).toBe('failed');
  expect(outcome(jobsIn('succeeded'), true)).toBe('succeeded');
});

describe('what a campaign says that it is doing', () => {
  const target = {
    deployment: { ...tenant, epoch: 'e1', clusterName: 'pcluster-lab-cortex' },
    access: { address: '10.0.0.1', port: 22, user: 'sim', hostKey: 'k', privateKeySecretArn: 'arn:secret' },
    logs: { logGroupName: '/pcp/lab/cortex', epoch: 'e1' },
    defaultQueue: 'debug',
  };
  const accepted = newCampaignSnapshot([], NOW);

  it('is waiting until there is a cluster', () => {
    expect(describeProgress(accepted)).toEqual({
      state: 'waiting-for-cluster',
      message: 'Accepted; waiting until the cluster is ready.',
    });
  });

  it.each<[JobState[], string, string]>([
    [['waiting', 'submitting', 'running'], 'submitting', 'Being handed to Slurm: 2 jobs.'],
    [['pending', 'succeeded'], 'running', 'All jobs were handed to Slurm.'],
    [['rejected', 'running'], 'running', 'Not all jobs could be handed to Slurm.'],
  ])('follows from its jobs: %j', (states, state, message) => {
    expect(describeProgress({ ...accepted, target, jobs: jobsIn(...states) })).toEqual({ state, message });
  });

  it('is waiting for the campaigns that it depends on, and names them', () => {
    const dependsOn = ['c1', 'c2'].map((campaignId) => ({ campaignId, condition: 'afterok' as const }));
    expect(describeProgress({ ...accepted, target, jobs: jobsIn('waiting'), dependsOn })).toEqual({
      state: 'waiting-for-campaigns',
      message: 'Waiting until these campaigns c1, c2 have ended.',
    });
  });

  it('names how many jobs wait for others, and how many are being cancelled and why', () => {
    const cancellation = { reason: 'wrong parameters', isAsked: true };
    const jobs: CampaignJob[] = [
      { key: 'a', state: 'running', reason: '', logsComplete: false, cancellation },
      {
        key: 'b',
        state: 'pending',
        reason: '',
        logsComplete: false,
        dependsOn: [{ key: 'a', condition: 'afterany' }],
      },
    ];
    expect(describeProgress({ ...accepted, target, jobs }).message).toBe(
      'All jobs were handed to Slurm. Waiting for others to end: 1 job. Being cancelled: 1 job (wrong parameters).',
    );
    const whole = { ...accepted, target, jobs, cancellation: { reason: 'wrong parameters' } };
    expect(describeProgress(whole).message).toContain('The campaign as a whole was cancelled.');
  });
});

describe('jobs whose cluster is gone', () => {
  it('have all ended, and none of what was seen before is lost', () => {
    expectAlways(
      fc.property(jobLists, (jobs) => {
        const lost = loseJobs(jobs, 'it was idle', NOW);
        expect(isComplete(lost)).toBe(true);
        expect(lost.map(({ key }) => key)).toEqual(jobs.map(({ key }) => key));
        for (const [index, job] of jobs.entries()) {
          const end = { state: 'cancelled', endedAt: NOW };
          const before = { ...job, logsComplete: true };
          expect(lost[index]).toMatchObject(isTerminal(job.state) ? before : end);
        }
      }),
    );
  });

  it('were never submitted, or their end was not seen: each says which, and why', () => {
    const [waiting, ...others] = loseJobs(jobsIn('waiting', 'submitting', 'running'), 'it was idle', NOW);
    expect(waiting?.reason).toBe('Never submitted: it was idle');
    for (const { reason } of others)
      expect(reason).toMatch(/before the end of the job was seen: it was idle$/);
  });

  it('say so when what they wrote could not be copied any more', () => {
    const jobs = jobsIn('waiting', 'submitting', 'pending', 'running', 'succeeded');
    const problems = loseJobs(jobs, 'it was idle', NOW).map(({ logsProblem }) => logsProblem);
    const missing = 'The cluster went before everything that the job wrote was copied: it was idle';
    expect(problems).toEqual([undefined, missing, missing, missing, missing]);
    const copied = jobs.map((job) => ({ ...job, state: 'succeeded' as const, logsComplete: true }));
    expect(loseJobs(copied, 'it was idle', NOW)).toEqual(copied);
  });
});

describe('what a campaign shows', () => {
  const running: CampaignSnapshot = {
    ...newCampaignSnapshot(['a', 'b'], NOW),
    state: 'running',
    message: 'All jobs were handed to Slurm.',
    jobs: jobsIn('running', 'succeeded'),
    target: {
      deployment: { ...tenant, epoch: 'e1', clusterName: 'pcluster-lab-cortex' },
      access: { address: '10.0.0.1', port: 22, user: 'sim', hostKey: 'k', privateKeySecretArn: 'arn:secret' },
      logs: { logGroupName: '/pcp/lab/cortex', epoch: 'e1' },
      defaultQueue: 'debug',
    },
  };

  it('is everything but its jobs and how its head node is reached', () => {
    expect(renderCampaignView(tenant, campaignId, content, running, NOW)).toEqual({
      version: 1,
      ...tenant,
      campaignId,
      state: 'running',
      since: NOW,
      message: 'All jobs were handed to Slurm.',
      observedAt: NOW,
      acceptedAt: NOW,
      jobCount: 2,
      jobsByState: { running: 1, succeeded: 1 },
      content,
      logs: { logGroupName: '/pcp/lab/cortex', epoch: 'e1' },
    });
  });

  it('to an operator is also why it ended and what to do', () => {
    const failure = failureOf('StackCreateFailed', 'no capacity');
    const ended = { ...running, state: 'cancelled' as const, endedAt: NOW, failure };
    const view = renderCampaignView(tenant, campaignId, content, ended, NOW);
    expect(view).toMatchObject({ endedAt: NOW, failure });
    expect(renderCampaignDetails(view).split('\n')).toEqual([
      `## Campaign ${campaignId}: cancelled`,
      'All jobs were handed to Slurm.',
      '',
      `- **since** ${NOW}`,
      '- **jobs** 2 (1 running, 1 succeeded)',
      `- **logs** \`/pcp/lab/cortex\`, streams \`e1/${campaignId}/…\``,
      '',
      '### StackCreateFailed',
      'no capacity',
      '',
      `**Next step:** ${failure.nextStep}`,
    ]);
  });
});
