import { describe, expect, it } from 'vitest';
import { campaignNeedsSchema } from './campaign-needs.ts';
import { clusterSpecInputSchema, resolveClusterSpec } from './cluster-spec-input.ts';

const needs = { tasks: 10, memoryMebibytesPerTask: 1000, expectedSecondsPerJob: 60 };

function issues(
  value: unknown,
  schema = campaignNeedsSchema as typeof campaignNeedsSchema | typeof clusterSpecInputSchema,
) {
  const { error } = schema.safeParse(value);
  return error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];
}

describe('what a campaign needs', () => {
  it('is kept as it was sent, so that it can be compared with what is sent again', () => {
    expect(campaignNeedsSchema.parse(needs)).toEqual(needs);
  });

  it.each<[string, object, string]>([
    ['no time at all', { tasks: 10, memoryMebibytesPerTask: 1000 }, 'expectedSecondsPerJob: give either'],
    ['two times', { ...needs, expectedNodeHours: 1 }, 'expectedSecondsPerJob: give either'],
    [
      'more tasks in a job than there are',
      { ...needs, tasksPerJob: 11 },
      'tasksPerJob: must not exceed tasks',
    ],
    ['more jobs than a campaign has', { ...needs, tasks: 10_001 }, 'tasks: these are 10001 jobs'],
    ['no memory', { tasks: 10, expectedSecondsPerJob: 60 }, 'memoryMebibytesPerTask: '],
  ])('cannot be %s', (_, value, begins) => {
    expect(issues(value)).toEqual([expect.stringMatching(new RegExp(`^${begins}`))]);
  });
});

describe('a specification', () => {
  it('has one of tier, queues and needs', () => {
    expect(issues({ needs }, clusterSpecInputSchema)).toEqual([]);
    for (const spec of [{}, { tier: 'debug', needs }])
      expect(issues(spec, clusterSpecInputSchema)).toEqual([
        'tier: give one of `tier`, `queues` and `needs`',
      ]);
  });

  it('with needs says in them whether there is to be Lustre', () => {
    expect(issues({ needs, lustre: {} }, clusterSpecInputSchema)).toEqual([
      'lustre: is planned; say it in `needs.lustre`',
    ]);
    expect(issues({ needs: { ...needs, lustre: 'yes' } }, clusterSpecInputSchema)).toEqual([]);
  });

  it('names the path of a wrong need', () => {
    expect(issues({ needs: { ...needs, cpusPerTask: 0 } }, clusterSpecInputSchema)).toEqual([
      expect.stringMatching(/^needs\.cpusPerTask: /),
    ]);
  });

  it('is not resolved before its needs are planned', () => {
    expect(() => resolveClusterSpec(clusterSpecInputSchema.parse({ needs }))).toThrow(RangeError);
  });
});
