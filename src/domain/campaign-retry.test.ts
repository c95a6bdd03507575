import { describe, expect, it } from 'vitest';
import { jobsToRetry } from './campaign-retry.ts';
import type { JobView } from './campaign-view.ts';
import { campaignSpecSchema, type JobSpecInput } from './job.ts';
import { identitiesOf, type JobArray } from './job-array.ts';
import type { JobState } from './slurm-states.ts';

const command = ['true'];

/** As Slurm writes them, with how many may run at a time. */
function indexesOf({ indexes, maxRunningTasks }: JobArray): string {
  return maxRunningTasks === undefined ? indexes : `${indexes}%${maxRunningTasks}`;
}

/** Keys of what is tried again, of arrays with their indexes, and what each waits for. */
function retried(
  jobs: readonly JobSpecInput[],
  states: Readonly<Record<string, JobState>>,
  jobKeys?: string[],
): string[] {
  const specs = campaignSpecSchema.parse({ jobs }).jobs;
  const views = specs.flatMap(identitiesOf).map((identity): JobView => ({
    ...identity,
    state: states[identity.key] ?? 'succeeded',
    reason: '',
    logsComplete: true,
  }));
  return jobsToRetry(specs, views, { ...(jobKeys && { jobKeys }) }).map(({ key, array, dependsOn }) =>
    [key, array && indexesOf(array), ...dependsOn.map((on) => `after ${on.key}`)].filter(Boolean).join(' '),
  );
}

const array = { key: 'a', command, array: { indexes: '0-4', maxRunningTasks: 2 } };

describe('a retry', () => {
  it('is of jobs that did not succeed, and of the failed tasks of arrays only', () => {
    const jobs = [array, { key: 'b', command }, { key: 'c', command }, { key: 'd', command }];
    const states = { a_1: 'failed', a_4: 'timed-out', b: 'rejected', c: 'cancelled' } as const;
    expect(retried(jobs, states)).toEqual(['a 1,4%2', 'b', 'c']);
  });

  it('leaves out dependencies that were met, and keeps those on what is tried again', () => {
    const jobs = [
      { key: 'ok', command },
      array,
      { key: 'last', command, dependsOn: ['ok', 'a', 'a_0', { key: 'a_3', condition: 'afterany' as const }] },
    ];
    expect(retried(jobs, { a_3: 'failed', last: 'cancelled' })).toEqual(['a 3%2', 'last after a after a_3']);
  });

  it('leaves jobs alone that run, and those that could not start without them', () => {
    const jobs = [
      { key: 'runs', command },
      { key: 'waits', command, dependsOn: ['runs'] },
      { key: 'last', command, dependsOn: ['waits'] },
      { key: 'bad', command },
    ];
    const states = { runs: 'running', waits: 'cancelled', last: 'cancelled', bad: 'failed' } as const;
    expect(retried(jobs, states)).toEqual(['bad']);
  });

  it('does not start what was only to start after a failure that did not come', () => {
    const jobs = [
      { key: 'ok', command },
      { key: 'rescue', command, dependsOn: [{ key: 'ok', condition: 'afternotok' as const }] },
    ];
    expect(() => retried(jobs, { rescue: 'cancelled' })).toThrow('No job of the campaign');
  });

  it('can be of some jobs, an array standing for its tasks', () => {
    const jobs = [array, { key: 'b', command }];
    const states = { a_1: 'failed', a_2: 'failed', b: 'failed' } as const;
    expect(retried(jobs, states, ['a_2', 'b'])).toEqual(['a 2%2', 'b']);
    expect(retried(jobs, states, ['a'])).toEqual(['a 1-2%2']);
  });

  it.each<[string, string[], string]>([
    ['a job that does not exist', ['nobody'], 'no job `nobody`'],
    ['a job that succeeded', ['ok'], '`ok` is succeeded'],
    ['a job that runs', ['runs'], '`runs` is running'],
    ['a job that could not start', ['waits'], '`bad` has not ended as it needs'],
    ['an array without failed tasks', ['a'], 'No job of the campaign'],
  ])('of %s is refused', (_, jobKeys, message) => {
    const jobs = [
      array,
      { key: 'ok', command },
      { key: 'runs', command },
      { key: 'bad', command },
      { key: 'waits', command, dependsOn: ['bad'] },
    ];
    const states = { runs: 'running', bad: 'failed', waits: 'cancelled' } as const;
    expect(() => retried(jobs, states, jobKeys)).toThrow(message);
  });
});
