import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectAlways } from '../../test/support/properties.ts';
import { arrayOption, formatIndexes, jobArraySchema, parseIndexes } from './job-array.ts';
import { campaignSpecSchema } from './job.ts';

const command = ['true'];

function problemsOf(indexes: string): string[] {
  return (jobArraySchema.safeParse({ indexes }).error?.issues ?? []).map(({ message }) => message);
}

describe('the indexes of an array', () => {
  it.each([
    ['0', [0]],
    ['0-3', [0, 1, 2, 3]],
    ['0-10:5,7', [0, 5, 7, 10]],
    ['5,3,3-4', [3, 4, 5]],
    ['1-3%2', [1, 2, 3]],
  ])('%s are %j', (expression, indexes) => {
    expect(parseIndexes(expression)).toEqual(indexes);
  });

  it('are written so that they are read again as they were', () => {
    const someIndexes = fc.uniqueArray(fc.nat(50_000), { minLength: 1, maxLength: 200 });
    expectAlways(
      fc.property(someIndexes, (indexes) => {
        const rising = indexes.toSorted((a, b) => a - b);
        expect(parseIndexes(formatIndexes(rising))).toEqual(rising);
      }),
    );
  });

  it.each([
    ['', 'must be indexes'],
    ['1-', 'must be indexes'],
    ['a', 'must be indexes'],
    ['0-9%2', 'must be indexes'],
    ['1;rm', 'must be indexes'],
    ['1-3:0', 'must be indexes'],
    ['3-1', 'must not end before it begins'],
    ['50001', 'at most 50000'],
    ['0-10000', 'at most 10000 tasks'],
    ['0-9999,0', 'at most 10000 tasks'],
  ])('are not %j', (expression, message) => {
    expect(problemsOf(expression)).toEqual([expect.stringContaining(message)]);
  });

  it('go to Slurm in their shortest form, with the limit behind them', () => {
    expect(arrayOption({ indexes: '3,1,2,9' })).toBe('1-3,9');
    expect(arrayOption({ indexes: '0-4:2', maxRunningTasks: 4 })).toBe('0,2,4%4');
  });
});

describe('a campaign with arrays', () => {
  const issuesOf = (...jobs: unknown[]) =>
    (campaignSpecSchema.safeParse({ jobs }).error?.issues ?? []).map(
      ({ path, message }) => `${path.join('.')}: ${message}`,
    );

  it('has a key for each task, which no other job may have', () => {
    const array = { key: 'sim', command, array: { indexes: '0-9' } };
    expect(issuesOf(array, { key: 'sim_10', command })).toEqual([]);
    expect(issuesOf(array, { key: 'sim_9', command })).toEqual(['jobs.1.key: `sim_9` is used twice']);
    expect(issuesOf({ key: 'a_1', command }, { key: 'a', command, array: { indexes: '1' } })).toEqual([
      'jobs.1.key: `a_1` is used twice',
    ]);
    const long = { key: 'k'.repeat(63), command, array: { indexes: '1' } };
    expect(issuesOf(long)).toEqual([expect.stringContaining('jobs.0.key: with the index of a task')]);
  });

  it('counts each task as a job', () => {
    const arrays = [0, 1, 2].map((each) => ({ key: `a${each}`, command, array: { indexes: '0-4999' } }));
    expect(issuesOf(...arrays.slice(0, 2))).toEqual([]);
    expect(issuesOf(...arrays)).toEqual([expect.stringContaining('not 15000')]);
  });

  it('is refused in no time, however much it asks for', () => {
    const arrays = Array.from({ length: 5000 }, (_, index) => ({
      key: `a${index}`,
      command,
      array: { indexes: '0-9998:2,1-9999:2' },
    }));
    expect(issuesOf(...arrays)).toHaveLength(1);
  });

  it('can wait for a whole array or for one task, but no array for itself', () => {
    const array = { key: 'a', command, array: { indexes: '0-2' } };
    expect(
      issuesOf(array, { key: 'b', command, dependsOn: ['a', { key: 'a_1', condition: 'afterany' }] }),
    ).toEqual([]);
    expect(issuesOf(array, { key: 'b', command, dependsOn: ['a_3'] })).toEqual([
      expect.stringContaining('no job of the campaign has the key `a_3`'),
    ]);
    expect(issuesOf({ ...array, dependsOn: ['a_1'] })).toEqual([expect.stringContaining('depend on itself')]);
    expect(issuesOf({ ...array, dependsOn: ['b'] }, { key: 'b', command, dependsOn: ['a_1'] })).toEqual([
      expect.stringContaining('circle'),
    ]);
  });
});
