import { describe, expect, it } from 'vitest';
import { clusterSpecInputSchema, resolveClusterSpec } from './cluster-spec-input.ts';
import { jobSpecSchema } from './job.ts';
import { demandsOf, neverAllowed } from './queue-demands.ts';

const computeResources = [
  { name: 'a', instanceType: 'c7a.large', maxCount: 3 },
  { name: 'b', instanceType: 'c7a.xlarge', maxCount: 2 },
];
const spec = resolveClusterSpec(
  clusterSpecInputSchema.parse({
    queues: [
      { name: 'short', computeResources, maxTimeSeconds: 3600 },
      { name: 'small', computeResources, maxNodesPerJob: 2 },
    ],
  }),
);

function problem(...jobs: Readonly<Record<string, unknown>>[]) {
  const parsed = jobs.map((job, index) =>
    jobSpecSchema.parse({ key: `k${index}`, command: ['true'], tasks: job['nodes'], ...job }),
  );
  return neverAllowed(spec, demandsOf(parsed));
}

describe('what a queue never allows', () => {
  it.each([
    [{ timeLimitSeconds: 3601 }, 'jobs.1.timeLimitSeconds', 'the queue `short` gives a job 3600 s at most'],
    [{ nodes: 6 }, 'jobs.1.nodes', 'the queue `short` has 5 nodes at most, not 6'],
    [{ queue: 'small', nodes: 3 }, 'jobs.1.nodes', 'the queue `small` gives a job 2 nodes at most, not 3'],
  ])('is named with the job’s field: %j', (job, path, reason) => {
    const found = problem({ timeLimitSeconds: 60 }, job, { nodes: 2 });
    expect(found).toMatchObject({ path, reason: expect.stringContaining(reason) as unknown });
    expect(found?.reason).toContain('`k1`');
  });

  it('is nothing that is within its limits, nor anything where it has none', () => {
    expect(
      problem(
        { timeLimitSeconds: 3600, nodes: 5 },
        { queue: 'small', timeLimitSeconds: 999_999, nodes: 2 },
        { queue: 'absent', nodes: 900 },
      ),
    ).toBeUndefined();
  });

  it('takes no more room than two numbers for each queue, however many jobs there are', () => {
    const jobs = Array.from({ length: 1000 }, (_, index) =>
      jobSpecSchema.parse({ key: `k${index}`, command: ['true'], timeLimitSeconds: index + 1 }),
    );
    expect(demandsOf(jobs)).toEqual([{ index: 999, jobKey: 'k999', field: 'timeLimitSeconds', value: 1000 }]);
  });
});
