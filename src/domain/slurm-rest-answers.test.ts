import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { SlurmOutputError } from './slurm-output.ts';
import {
  parseAccountingJobs,
  parseHeldBack,
  parseQueueJobs,
  parseRestErrors,
  parseRestPartitions,
  parseRestPing,
  parseSubmittedJobId,
} from './slurm-rest-answers.ts';
import { judgeRestAnswer, judgeSubmission } from './slurm-rest-errors.ts';
import { negotiateRestVersion } from './slurm-rest-versions.ts';

const answerSchema = z.object({ status: z.number(), body: z.unknown() });

/** An answer as a real slurmrestd gave it. */
function recorded(generation: '22.05' | '24.11', name: string) {
  const url = new URL(`../../test/fixtures/slurm-rest/${generation}/${name}.json`, import.meta.url);
  return answerSchema.parse(JSON.parse(readFileSync(url, 'utf8')));
}

function verdictOn(generation: '22.05' | '24.11', name: string) {
  const { status, body } = recorded(generation, name);
  return judgeRestAnswer(status, parseRestErrors(body))?.type;
}

function submissionVerdictOn(generation: '22.05' | '24.11', name: string) {
  const { status, body } = recorded(generation, name);
  return judgeSubmission(status, parseRestErrors(body));
}

const ended = ({ jobId, state, exitCode, signal }: ReturnType<typeof parseQueueJobs>[number]) =>
  `${jobId} ${state} ${exitCode ?? '-'} ${signal ?? '-'}`;

describe('jobs in the queue', () => {
  it('are the same facts from both generations of numbers and states', () => {
    expect(parseQueueJobs(recorded('22.05', 'jobs').body).map(ended)).toEqual([
      '1 FAILED 3 -',
      '2 COMPLETED 0 -',
      '3 CANCELLED 0 -',
      '4 FAILED 0 11',
      '5 RUNNING - -',
      '6 RUNNING - -',
    ]);
    expect(parseQueueJobs(recorded('24.11', 'jobs').body).map(ended)).toEqual([
      '2 FAILED 3 -',
      '3 FAILED 0 11',
      '6 PENDING - -',
      '10 RUNNING - -',
      '12 TIMEOUT 0 15',
      '15 RUNNING - -',
    ]);
  });

  it('have no times that Slurm only expects', () => {
    const [pending] = parseQueueJobs(recorded('24.11', 'jobs').body).filter(({ jobId }) => jobId === '6');
    expect(pending).toMatchObject({ reason: 'DependencyNeverSatisfied', comment: 'key-never', user: 'sim' });
    expect(pending).not.toHaveProperty('startTime');
    expect(pending).not.toHaveProperty('endTime');
  });

  it('keep every flag of a node that boots', () => {
    const booting = parseQueueJobs(recorded('24.11', 'jobs').body).find(({ jobId }) => jobId === '15');
    expect(booting).toMatchObject({ state: 'RUNNING', flags: ['CONFIGURING', 'POWER_UP_NODE'] });
  });

  it('are never taken from an answer of another form', () => {
    expect(() => parseQueueJobs({})).toThrow(SlurmOutputError);
    expect(() => parseQueueJobs({ jobs: [{ job_id: 'x' }] })).toThrow(SlurmOutputError);
  });
});

describe('jobs in accounting', () => {
  it('have no exit code where 22.05 says 0 of a job that failed', () => {
    expect(parseAccountingJobs(recorded('22.05', 'accounting').body).map(ended)).toEqual([
      '1 FAILED - -',
      '2 COMPLETED 0 -',
      '3 CANCELLED 0 -',
      '4 FAILED 0 11',
      '5 PENDING - -',
      '6 PENDING - -',
    ]);
  });

  it('have their comment, exit code and signal in 24.11', () => {
    const jobs = parseAccountingJobs(recorded('24.11', 'accounting').body);
    expect(jobs.map((job) => `${ended(job)} ${job.comment} ${job.user}`)).toEqual([
      '1 COMPLETED 0 - key-ok sim',
      '2 FAILED 3 - key-fail3 sim',
      '3 FAILED 0 11 key-segv sim',
    ]);
  });
});

describe('what else is asked', () => {
  it('is read from both generations', () => {
    expect(parseRestPing(recorded('22.05', 'ping').body)).toBe(true);
    expect(parseRestPing(recorded('24.11', 'ping').body)).toBe(true);
    expect(parseRestPartitions(recorded('22.05', 'partitions').body)).toEqual([
      { name: 'debug', availability: 'up', nodes: 2 },
    ]);
    const partition = { name: 'q', nodes: { total: 3 }, partition: { state: ['UP'] } };
    expect(parseRestPartitions({ partitions: [partition] })).toEqual([
      { name: 'q', availability: 'up', nodes: 3 },
    ]);
    expect(parseHeldBack(recorded('22.05', 'diag').body)).toBe(0);
    expect(parseSubmittedJobId(recorded('22.05', 'submit').body)).toBe('5');
    expect(parseSubmittedJobId(recorded('24.11', 'submit').body)).toBe('17');
  });

  it('is asked in the newest version that both sides speak', () => {
    expect(negotiateRestVersion(recorded('22.05', 'openapi').body)).toBe('v0.0.38');
    expect(negotiateRestVersion(recorded('24.11', 'openapi').body)).toBe('v0.0.42');
    const paths = ['v0.0.40', 'v0.0.42', 'v0.0.41'].flatMap((version) => [
      [`/slurm/${version}/jobs/`, {}],
      [`/slurmdb/${version}/jobs/`, {}],
    ]);
    expect(negotiateRestVersion({ paths: Object.fromEntries(paths) as unknown })).toBe('v0.0.42');
    expect(negotiateRestVersion({ paths: { '/slurm/v0.0.36/jobs': {}, '/slurmdb/v0.0.36/jobs': {} } })).toBe(
      undefined,
    );
    expect(negotiateRestVersion('nothing')).toBe(undefined);
  });
});

describe('an answer that is none', () => {
  it.each([
    ['24.11', 'jobs-bad-token', 'SlurmTokenRefused'],
    ['24.11', 'accounting-expired-token', 'SlurmTokenRefused'],
    ['24.11', 'no-token', 'SlurmTokenRefused'],
    ['24.11', 'jobs-controller-down', 'SlurmUnavailable'],
    ['22.05', 'accounting-bad-token', 'SlurmTokenRefused'],
    ['22.05', 'no-token', 'SlurmTokenRefused'],
  ] as const)('of %s to %s is %s, whatever its status says', (generation, name, type) => {
    expect(verdictOn(generation, name)).toBe(type);
  });

  it('of 22.05 is the same for a token that is refused and for a controller that is down', () => {
    expect(verdictOn('22.05', 'jobs-bad-token')).toBe('Unclear');
    expect(verdictOn('22.05', 'jobs-controller-down')).toBe('Unclear');
  });

  it('is told from an empty list of accounting', () => {
    const errors = parseRestErrors({
      errors: [{ error: 'Nothing found with query', description: 'Nothing found' }],
    });
    expect(judgeRestAnswer(200, errors)).toBe(undefined);
  });
});

describe('an answer to a submission', () => {
  it('is a job, a refusal in Slurm’s words, or no decision', () => {
    expect(submissionVerdictOn('22.05', 'submit')).toBe(undefined);
    expect(submissionVerdictOn('24.11', 'submit')).toBe(undefined);
    for (const generation of ['22.05', '24.11'] as const) {
      expect(submissionVerdictOn(generation, 'submit-bad-partition')).toEqual({
        status: 'rejected',
        message: expect.stringContaining('Invalid partition name specified') as unknown,
      });
      expect(submissionVerdictOn(generation, 'submit-unknown-field')).toMatchObject({ status: 'rejected' });
    }
    expect(submissionVerdictOn('22.05', 'submit-controller-down')).toMatchObject({
      type: 'SlurmUnavailable',
    });
    expect(submissionVerdictOn('22.05', 'submit-bad-token')).toMatchObject({ type: 'SlurmUnavailable' });
  });

  it('defers a job whose dependency Slurm does not know any more', () => {
    const errors = [{ number: 2010, message: 'Batch job submission failed: Job dependency problem' }];
    expect(judgeSubmission(500, errors)).toMatchObject({ status: 'deferred' });
  });
});
