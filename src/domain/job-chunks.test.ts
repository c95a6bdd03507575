import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectAlways } from '../../test/support/properties.ts';
import { type CampaignJob, MAX_REASON_CHARACTERS, newJobs } from './campaign-job.ts';
import { newCampaignSnapshot } from './campaign.ts';
import { readCampaignSnapshot, storeCampaignSnapshot } from './campaign-snapshot.ts';
import { dependencyConditions } from './dependencies.ts';
import { decodeJobs, encodeJobs, type JobChunk } from './job-chunks.ts';
import { pendingCauses } from './slurm-reasons.ts';
import { jobStates } from './slurm-states.ts';

const SINCE = '2026-01-15T12:00:00.000Z';
const times = fc
  .date({ min: new Date('2026-01-01'), max: new Date('2027-01-01'), noInvalidDate: true })
  .map((date) => date.toISOString());

const someJobs: fc.Arbitrary<CampaignJob[]> = fc.uniqueArray(
  fc.record(
    {
      key: fc.stringMatching(/^[A-Za-z0-9]{1,64}$/),
      state: fc.constantFrom(...jobStates),
      reason: fc.oneof(fc.string(), fc.constantFrom('Running', 'Exit code 0', 'constructor', '__proto__')),
      arrayKey: fc.constantFrom('array-1', 'array-2'),
      arrayTaskId: fc.nat(50_000),
      slurmJobId: fc.nat().map(String),
      slurmState: fc.constantFrom('RUNNING', 'PENDING CONFIGURING'),
      exitCode: fc.nat(255),
      signal: fc.nat(64),
      submittedAt: times,
      startedAt: times,
      endedAt: times,
      nodes: fc.constantFrom('queue-dy-c5-[1-3]', 'n1'),
      restarts: fc.nat(3),
      logsComplete: fc.boolean(),
      logsProblem: fc.string(),
      nextStep: fc.string(),
      pendingCause: fc.constantFrom(...pendingCauses),
      requeueLimit: fc.nat(1000),
      requeuesAsked: fc.array(fc.nat(20), { minLength: 1, maxLength: 3 }),
      cancellation: fc.record(
        { reason: fc.string(), isAsked: fc.boolean(), isFailure: fc.constant(true) },
        { requiredKeys: ['reason', 'isAsked'] },
      ),
    },
    { requiredKeys: ['key', 'state', 'reason', 'logsComplete'] },
  ),
  { selector: ({ key }) => key, maxLength: 30 },
);

/** The same jobs, depending on each other in every way; those of one condition beside each other, as decoding has it. */
const dependentJobs = someJobs.chain((jobs) =>
  fc
    .array(
      fc.record({
        job: fc.nat(29),
        conditions: fc.tuple(...dependencyConditions.map(() => fc.array(fc.nat(29), { maxLength: 3 }))),
      }),
      { maxLength: 5 },
    )
    .map((edges) => {
      const dependsOn = new Map(
        edges.map(({ job, conditions }) => [
          job,
          dependencyConditions.flatMap((condition, index) =>
            (conditions[index] ?? []).flatMap((on) => {
              const key = jobs[on]?.key;
              return key === undefined ? [] : [{ key, condition }];
            }),
          ),
        ]),
      );
      return jobs.map((job, index): CampaignJob => {
        const own = dependsOn.get(index) ?? [];
        return own.length > 0 ? { ...job, dependsOn: own } : job;
      });
    }),
);

/** As the chunks arrive in the next run. */
function overTheWire(chunks: readonly JobChunk[]): JobChunk[] {
  const received: JobChunk[] = JSON.parse(JSON.stringify(chunks));
  return received;
}

describe('jobs in chunks', () => {
  it('are the same jobs again, whatever is known of them', () => {
    expectAlways(
      fc.property(dependentJobs, (jobs) => {
        expect(decodeJobs(overTheWire(encodeJobs(jobs, SINCE)))).toEqual(jobs);
      }),
    );
  });

  it('may depend on jobs of other chunks', () => {
    const keys = Array.from({ length: 2500 }, (_, index) => `job-${index}`);
    const jobs = newJobs([
      ...keys.map((key) => ({ key })),
      { key: 'last', dependsOn: [{ key: 'job-1', condition: 'afterany' } as const] },
    ]);
    const chunks = encodeJobs(jobs, SINCE);
    expect(chunks).toHaveLength(3);
    expect(decodeJobs(overTheWire(chunks))).toEqual(jobs);
  });

  it.each([
    ['usual ones', 1_000_000, (index: number) => `simulation-${index}`, () => 'Exit code 0'],
    [
      'the longest keys and a reason of its own each',
      3_000_000,
      (index: number) => String(index).padStart(64, 'k'),
      (index: number) => String(index).padStart(MAX_REASON_CHARACTERS, 'r'),
    ],
  ] as const)('are small enough for Temporal: ten thousand, %s', (_name, limitBytes, keyOf, reasonOf) => {
    const jobs = Array.from({ length: 10_000 }, (_, index): CampaignJob => {
      const endedAt = new Date(Date.parse(SINCE) + 86_400_000 + index).toISOString();
      return {
        key: keyOf(index),
        state: 'failed',
        reason: reasonOf(index),
        slurmJobId: String(100_000 + index),
        slurmState: 'FAILED',
        exitCode: 1,
        submittedAt: SINCE,
        startedAt: endedAt,
        endedAt,
        nodes: `queue-dy-c5-${index % 100}`,
        restarts: 0,
        logsComplete: true,
      };
    });
    const sizes = encodeJobs(jobs, SINCE).map((chunk) => Buffer.byteLength(JSON.stringify(chunk)));
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(limitBytes);
    expect(Math.max(...sizes)).toBeLessThan(1_000_000);
  });
});

describe('a stored snapshot', () => {
  const snapshot = { ...newCampaignSnapshot(['a', 'b'], SINCE), sequence: 7 };

  it('is the same snapshot when it is read, with its jobs beside it', () => {
    const { stored, chunks } = storeCampaignSnapshot(snapshot);
    expect(stored).not.toHaveProperty('jobs');
    expect(readCampaignSnapshot(stored, chunks)).toEqual(snapshot);
  });

  it('of release 0.1.0 has its jobs in it', () => {
    expect(readCampaignSnapshot({ ...snapshot, version: 1 }, [])).toEqual(snapshot);
  });
});
