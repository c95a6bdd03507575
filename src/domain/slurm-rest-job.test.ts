import { describe, expect, it } from 'vitest';
import { jobSpecSchema, type JobSpecInput } from './job.ts';
import { renderRestJob } from './slurm-rest-job.ts';

function rendered(job: Partial<JobSpecInput>, version: 'v0.0.38' | 'v0.0.42' = 'v0.0.42'): unknown {
  const spec = jobSpecSchema.parse({ key: 'a', command: ['true'], ...job });
  const about = { script: '#!/bin/bash', comment: 'pcp/e/c/a', defaultQueue: 'main', dependency: '' };
  return renderRestJob(spec, { version, ...about, user: 'sim', home: '/home/sim' })['job'];
}

describe('a job for slurmrestd', () => {
  it.each([
    [1, 1],
    [59, 1],
    [60, 1],
    [3601, 61],
  ])('has at least the time that it asks for, in whole minutes: %i s', (timeLimitSeconds, minutes) => {
    expect(rendered({ timeLimitSeconds }, 'v0.0.38')).toMatchObject({ time_limit: minutes });
    expect(rendered({ timeLimitSeconds })).toMatchObject({
      time_limit: { set: true, infinite: false, number: minutes },
    });
  });

  it.each([
    [{}, true],
    [{ requeueLimit: 1 }, true],
    [{ requeueLimit: 0 }, false],
  ])('is requeued by Slurm unless it may never be: %j', (job, requeue) => {
    expect(rendered(job)).toMatchObject({ requeue });
  });

  it('leaves queue, time and memory to the cluster where the job names none', () => {
    expect(rendered({})).toMatchObject({ partition: 'main', name: 'a' });
    expect(rendered({})).not.toHaveProperty('time_limit');
    expect(rendered({})).not.toHaveProperty('memory_per_node');
  });
});
