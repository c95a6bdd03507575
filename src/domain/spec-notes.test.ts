import { describe, expect, it } from 'vitest';
import { clusterSpecInputSchema, type ClusterSpecInput, resolveClusterSpec } from './cluster-spec-input.ts';
import { asPlannedBefore, type SpecNotes } from './spec-notes.ts';

const specOf = (input: ClusterSpecInput) => resolveClusterSpec(clusterSpecInputSchema.parse(input));
const queueOf = (instanceType: string) => [
  { name: 'plan', computeResources: [{ name: 'c', instanceType, maxCount: 4 }] },
];
const needs = { tasks: 10, memoryMebibytesPerTask: 1000, expectedSecondsPerJob: 60, cpusPerTask: 2 };
const notesOf = (of: typeof needs): SpecNotes => ({
  plan: { needs: of, explanation: [], seconds: 1, usd: 1 },
});

const existing = {
  spec: specOf({ queues: queueOf('c7a.large'), lustre: { sizeGibibytes: 1200 } }),
  notes: notesOf(needs),
};
/** What a release with other prices plans for the same. */
const replanned = specOf({ queues: queueOf('c8a.large'), idleTimeoutSeconds: 600 });

describe('the same needs', () => {
  it('mean the queues and the storage that were planned for them, and the times that are asked for now', () => {
    const again = { ...needs, tasks: 10 };
    expect(asPlannedBefore(existing, { spec: replanned, notes: notesOf(again) })).toEqual({
      ...existing.spec,
      idleTimeoutSeconds: 600,
    });
  });

  it('are the same in whatever order their fields come', () => {
    const { tasks, ...rest } = needs;
    const again = asPlannedBefore(existing, { spec: replanned, notes: notesOf({ ...rest, tasks }) });
    expect(again.queues).toEqual(existing.spec.queues);
  });
});

describe('what is asked for', () => {
  it.each<[string, { spec: typeof replanned; notes?: SpecNotes }]>([
    ['other needs', { spec: replanned, notes: notesOf({ ...needs, tasks: 11 }) }],
    ['a specification without needs', { spec: replanned }],
    ['one with an estimate alone', { spec: replanned, notes: { estimate: { region: 'r' } } }],
  ])('is taken as it is: %s', (_, asked) => {
    expect(asPlannedBefore(existing, asked)).toBe(replanned);
  });

  it('is taken as it is where the cluster was not planned', () => {
    const asked = { spec: replanned, notes: notesOf(needs) };
    expect(asPlannedBefore({ spec: existing.spec }, asked)).toBe(replanned);
  });
});
