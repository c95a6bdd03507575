import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Dependency, dependencyIssues, dependsOnSchema, submissionOrder } from './dependencies.ts';

function job(key: string, ...on: string[]) {
  const dependsOn = on.map((each): Dependency => ({ key: each, condition: 'afterok' }));
  return { key, dependsOn };
}

describe('the dependencies of a job', () => {
  it('are on success unless told otherwise', () => {
    expect(
      dependsOnSchema.parse(['prepare', { key: 'a' }, { key: 'cleanup', condition: 'afterany' }]),
    ).toEqual([
      { key: 'prepare', condition: 'afterok' },
      { key: 'a', condition: 'afterok' },
      { key: 'cleanup', condition: 'afterany' },
    ]);
  });

  it.each([[['a b']], [[{ key: 'a', condition: 'after' }]], [[{ key: 'a', type: 'afterok' }]]])(
    'are not %j',
    (dependsOn) => {
      expect(dependsOnSchema.safeParse(dependsOn).success).toBe(false);
    },
  );
});

describe('the dependencies of a campaign', () => {
  it.each([
    ['a job that does not exist', [job('a', 'b')], [0, 'dependsOn', 0], 'no job of the campaign'],
    ['the job itself', [job('a'), job('b', 'a', 'b')], [1, 'dependsOn', 1], 'depend on itself'],
    ['the same job twice', [job('a'), job('b', 'a', 'a')], [1, 'dependsOn', 1], 'given twice'],
    ['a circle', [job('x'), job('a', 'x', 'b'), job('b', 'a')], [1, 'dependsOn', 1], 'circle'],
  ])('are refused on %s, naming the place', (_, jobs, path, message) => {
    const issues = dependencyIssues(jobs);
    expect(issues.map((issue) => issue.path)).toEqual([path]);
    expect(issues[0]?.message).toContain(message);
  });

  it('may fan out and in again, in whatever order the jobs are listed', () => {
    const jobs = [
      job('collect', 'sim-1', 'sim-2'),
      job('sim-1', 'prepare'),
      job('sim-2', 'prepare'),
      job('prepare'),
    ];
    expect(dependencyIssues(jobs)).toEqual([]);
    expect(submissionOrder(jobs).map(({ key }) => key)).toEqual(['prepare', 'sim-1', 'sim-2', 'collect']);
  });

  it('leave the order of jobs as it is where it fits', () => {
    expect(submissionOrder([job('b'), job('a')]).map(({ key }) => key)).toEqual(['b', 'a']);
  });

  it('give every job once and after those that it depends on, for any graph without circles', () => {
    const graph = fc
      .integer({ min: 1, max: 30 })
      .chain((size) =>
        fc.tuple(
          fc.array(fc.uniqueArray(fc.nat(size - 1), { maxLength: 4 }), { minLength: size, maxLength: size }),
          fc.shuffledSubarray([...Array(size).keys()], { minLength: size }),
        ),
      );
    fc.assert(
      fc.property(graph, ([edges, listing]) => {
        const jobs = listing.map((index) =>
          job(`j${index}`, ...(edges[index] ?? []).filter((on) => on < index).map((on) => `j${on}`)),
        );
        const place = new Map(submissionOrder(jobs).map(({ key }, index) => [key, index]));
        expect(place.size).toBe(jobs.length);
        for (const { key, dependsOn } of jobs) {
          for (const dependency of dependsOn) {
            expect(place.get(dependency.key)).toBeLessThan(place.get(key) ?? -1);
          }
        }
      }),
    );
  });

  it('of ten thousand jobs are checked without delay for a request', () => {
    const jobs = Array.from({ length: 10_000 }, (_, index) =>
      job(`j${index}`, ...(index === 0 ? [] : [`j${index - 1}`])),
    );
    expect(dependencyIssues(jobs.toReversed())).toEqual([]);
  });
});
