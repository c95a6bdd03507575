import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectAlways } from '../../test/support/properties.ts';
import { countWaitingForOthers, endUnmeetable, nextBatch, orderOf } from './campaign-dependencies.ts';
import { type CampaignJob, newJobs } from './campaign-job.ts';
import { jobsOfPlan, planOf } from './campaign-plan.ts';
import { type DependencyCondition, dependencyConditions } from './dependencies.ts';
import { isTerminal, type JobState } from './slurm-states.ts';

const NOW = '2026-01-15T12:00:00.000Z';
const LIMITS = { jobs: 100, dependencies: 5000 };
const none: ReadonlySet<string> = new Set();

function job(key: string, state: JobState, ...on: readonly (readonly [string, DependencyCondition])[]) {
  const dependsOn = on.map(([other, condition]) => ({ key: other, condition }));
  const base: CampaignJob = { key, state, reason: '', logsComplete: false };
  return dependsOn.length > 0 ? { ...base, dependsOn } : base;
}

function batchOf(jobs: readonly CampaignJob[], limits = LIMITS, deferred = none) {
  return nextBatch(jobs, orderOf(jobs), deferred, limits);
}

describe('the next jobs for Slurm', () => {
  it('name what Slurm is to wait for: what it has, and what comes before in the same batch', () => {
    const jobs = [
      job('c', 'waiting', ['a', 'afterok'], ['b', 'afterany'], ['done', 'afterok']),
      job('a', 'running'),
      job('b', 'waiting'),
      job('done', 'succeeded'),
    ];
    expect(batchOf(jobs)).toEqual([
      { jobKey: 'b' },
      {
        jobKey: 'c',
        dependencies: [
          { key: 'a', condition: 'afterok' },
          { key: 'b', condition: 'afterany' },
        ],
      },
    ]);
  });

  it('leave out those whose dependencies are not in Slurm, and those that were deferred', () => {
    const jobs = [
      job('a', 'waiting'),
      job('b', 'waiting', ['a', 'afterok']),
      job('c', 'waiting', ['b', 'afterany']),
      job('d', 'waiting'),
    ];
    expect(batchOf(jobs, LIMITS, new Set(['b']))).toEqual([{ jobKey: 'a' }, { jobKey: 'd' }]);
  });

  it('are limited in number, and in the number of their dependencies', () => {
    const roots = Array.from({ length: 10 }, (_, index) => job(`root-${index}`, 'running'));
    const wide = ['x', 'y', 'z'].map((key) =>
      job(key, 'waiting', ...roots.map((root) => [root.key, 'afterok'] as const)),
    );
    const jobs = [...roots, ...wide];
    expect(batchOf(jobs, { jobs: 2, dependencies: 100 })).toHaveLength(2);
    expect(batchOf(jobs, { jobs: 100, dependencies: 25 })).toHaveLength(2);
    expect(batchOf(jobs, { jobs: 100, dependencies: 5 })).toHaveLength(1);
  });
});

const ends: readonly JobState[] = ['succeeded', 'failed', 'cancelled', 'timed-out', 'rejected'];

describe('a dependency that has ended', () => {
  it.each(dependencyConditions.flatMap((condition) => ends.map((end) => [condition, end] as const)))(
    '%s of one that is %s is over, or ends the job',
    (condition, end) => {
      const isMet = condition === 'afterany' || (condition === 'afterok') === (end === 'succeeded');
      const jobs = [job('a', end), job('b', 'waiting', ['a', condition])];
      expect(batchOf(jobs)).toEqual(isMet ? [{ jobKey: 'b' }] : []);
      const state = endUnmeetable(jobs, orderOf(jobs), NOW).map((one) => one.state);
      expect(state).toEqual([end, isMet ? 'waiting' : 'cancelled']);
    },
  );

  it('ends a whole chain at once, in whatever order the caller has it', () => {
    const jobs = [
      job('d', 'waiting', ['c', 'afternotok']),
      job('c', 'waiting', ['b', 'afterok']),
      job('b', 'submitting', ['a', 'afterok']),
      job('a', 'failed'),
    ];
    const after = endUnmeetable(jobs, orderOf(jobs), NOW);
    expect(after.map(({ state }) => state)).toEqual(['waiting', 'cancelled', 'cancelled', 'failed']);
    expect(after[1]).toMatchObject({
      reason: 'Never submitted: `b` ended as cancelled, and it was to start only if that succeeds.',
      endedAt: NOW,
      logsComplete: true,
    });
  });

  it('leaves alone what Slurm has', () => {
    const jobs = [job('a', 'failed'), job('b', 'pending', ['a', 'afterok'])];
    expect(endUnmeetable(jobs, orderOf(jobs), NOW)).toBe(jobs);
  });
});

it('jobs that wait for others are counted as long as neither has ended', () => {
  const jobs = [
    job('a', 'running'),
    job('b', 'pending', ['a', 'afterok']),
    job('c', 'pending', ['done', 'afterok']),
    job('d', 'succeeded', ['a', 'afterok']),
    job('done', 'succeeded'),
  ];
  expect(countWaitingForOthers(jobs)).toBe(1);
});

const graphs = fc.array(
  fc.record({
    outcome: fc.constantFrom<JobState>('succeeded', 'failed'),
    on: fc.array(fc.tuple(fc.nat(20), fc.constantFrom(...dependencyConditions)), { maxLength: 4 }),
  }),
  { maxLength: 20 },
);

it('every job of any graph is submitted once or ended, each after those that it depends on', () => {
  expectAlways(
    fc.property(graphs, (graph) => {
      const planned = graph.map(({ on }, index) => {
        const others = new Map(on.filter(([other]) => other < index));
        const dependsOn = [...others].map(([other, condition]) => ({ key: `job-${other}`, condition }));
        return { key: `job-${index}`, dependsOn };
      });
      let jobs = newJobs(jobsOfPlan(planOf(planned.toReversed())));
      const order = orderOf(jobs);
      const submitted: string[] = [];
      for (let round = 0; jobs.some(({ state }) => !isTerminal(state)); round++) {
        expect(round).toBeLessThanOrEqual(2 * graph.length);
        jobs = endUnmeetable(jobs, order, NOW);
        const batch = nextBatch(jobs, order, none, { jobs: 3, dependencies: 5 });
        for (const { jobKey, dependencies = [] } of batch) {
          for (const { key } of dependencies) expect(submitted).toContain(key);
          submitted.push(jobKey);
        }
        // Every second round, what Slurm has ends; a job whose dependency is not met is ended by Slurm.
        const inBatch = new Set(batch.map(({ jobKey }) => jobKey));
        jobs = jobs.map((one) => {
          if (inBatch.has(one.key)) return { ...one, state: 'pending' };
          const outcome = graph[Number(one.key.slice(4))]?.outcome ?? 'failed';
          return one.state === 'pending' && round % 2 === 1 ? { ...one, state: outcome } : one;
        });
      }
      expect(new Set(submitted).size).toBe(submitted.length);
    }),
  );
});

describe('arrays', () => {
  const tasks = (states: readonly JobState[], ...on: readonly (readonly [string, DependencyCondition])[]) =>
    states.map((state, index): CampaignJob => ({
      ...job(`a_${index}`, state, ...on),
      arrayKey: 'a',
      arrayTaskId: index,
    }));

  it('are one submission of the tasks that are still wanted', () => {
    const jobs = tasks(['waiting', 'cancelled', 'submitting', 'waiting']);
    expect(batchOf(jobs)).toEqual([{ jobKey: 'a', indexes: '0,2-3' }]);
    expect(batchOf(tasks(['running', 'succeeded']))).toEqual([]);
  });

  it('are waited for as a whole, or one task of them', () => {
    const jobs = [
      ...tasks(['running', 'succeeded']),
      job('all', 'waiting', ['a', 'afterok']),
      job('one', 'waiting', ['a_1', 'afterok']),
      job('running', 'waiting', ['a_0', 'afterok']),
    ];
    expect(batchOf(jobs)).toEqual([
      { jobKey: 'all', dependencies: [{ key: 'a', condition: 'afterok' }] },
      { jobKey: 'one' },
      { jobKey: 'running', dependencies: [{ key: 'a_0', condition: 'afterok' }] },
    ]);
  });

  it('come before what waits for one of their tasks, in the same batch', () => {
    const jobs = [job('one', 'waiting', ['a_1', 'afterok']), ...tasks(['waiting', 'waiting'])];
    expect(orderOf(jobs)).toEqual(['a', 'one']);
    expect(batchOf(jobs)).toEqual([
      { jobKey: 'a', indexes: '0-1' },
      { jobKey: 'one', dependencies: [{ key: 'a_1', condition: 'afterok' }] },
    ]);
  });

  it.each<[DependencyCondition, readonly JobState[], 'cancelled' | 'waiting']>([
    ['afterok', ['succeeded', 'failed'], 'cancelled'],
    ['afterok', ['succeeded', 'succeeded'], 'waiting'],
    ['afternotok', ['succeeded', 'failed'], 'waiting'],
    ['afternotok', ['succeeded', 'succeeded'], 'cancelled'],
    ['afterany', ['cancelled', 'failed'], 'waiting'],
    ['afterok', ['failed', 'running'], 'waiting'],
  ])('that end leave what is to start %s of %j %s', (condition, states, expected) => {
    const jobs = [...tasks(states), job('b', 'waiting', ['a', condition])];
    const after = endUnmeetable(jobs, orderOf(jobs), NOW);
    expect(after.at(-1)?.state).toBe(expected);
  });

  it('whose dependency cannot be met end with all of their tasks, and so does what waits for one of these', () => {
    const jobs = [
      job('first', 'failed'),
      ...tasks(['waiting', 'waiting'], ['first', 'afterok']),
      job('last', 'waiting', ['a_1', 'afterok']),
    ];
    const after = endUnmeetable(jobs, orderOf(jobs), NOW);
    expect(after.map(({ state }) => state)).toEqual(['failed', 'cancelled', 'cancelled', 'cancelled']);
    expect(after[2]?.reason).toBe(
      'Never submitted: `first` ended as failed, and it was to start only if that succeeds.',
    );
    const all = [...tasks(['succeeded', 'failed']), job('b', 'waiting', ['a', 'afterok'])];
    expect(endUnmeetable(all, orderOf(all), NOW).at(-1)?.reason).toBe(
      'Never submitted: of the 2 tasks of `a` 1 succeeded, and it was to start only if that succeeds.',
    );
  });
});
