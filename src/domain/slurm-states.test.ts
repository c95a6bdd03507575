import { expect, test } from 'vitest';
import { isTerminal, type JobState, jobStates, slurmBaseStates, slurmStateFlags } from './slurm-states.ts';

const ended: Record<JobState, boolean> = {
  waiting: false,
  submitting: false,
  pending: false,
  running: false,
  suspended: false,
  completing: false,
  succeeded: true,
  failed: true,
  cancelled: true,
  'timed-out': true,
  rejected: true,
  unknown: false,
};

test.each(jobStates)('whether a job that is %s has ended', (state) => {
  expect(isTerminal(state)).toBe(ended[state]);
});

test('no word of Slurm is both a state and a flag, and none is there twice', () => {
  const words = [...slurmBaseStates, ...slurmStateFlags];
  expect(new Set(words).size).toBe(words.length);
  for (const word of words) expect(word).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
});
