import { describe, expect, it } from 'vitest';
import { nextKeyStep, type SlurmKeys, withRotation } from './slurm-keys.ts';

const NOW = '2026-01-15T12:00:00.000Z';
const nowMs = Date.parse(NOW);
const keys: SlurmKeys = { own: [], keycloak: [] };
const asked = (overlapSeconds: number) => ({ by: 'operator', reason: 'leaked', overlapSeconds });
const at = { id: 'r1', now: NOW };

describe('a rotation that is asked for again', () => {
  it('ends when the shortest request wants it, whichever came first', () => {
    const leaked = withRotation(keys, asked(0), at);
    expect(withRotation(leaked, asked(900), { ...at, id: 'r2' })).toEqual(leaked);
    const routine = withRotation(keys, asked(900), at);
    expect(withRotation(routine, asked(0), { ...at, id: 'r2' }).rotation).toMatchObject({
      id: 'r1',
      overlapSeconds: 0,
    });
  });
});

describe('a step that did not succeed', () => {
  it('is taken again a minute later, not at once: each restarts slurmctld', () => {
    const rotating = withRotation(keys, asked(0), at);
    expect(nextKeyStep(rotating, nowMs)).toEqual({ step: 'add-key', dueAtMs: nowMs });
    const problem = { at: NOW, step: 'add-key', message: 'no' } as const;
    expect(nextKeyStep({ ...rotating, problem }, nowMs)).toEqual({
      step: 'add-key',
      dueAtMs: nowMs + 60_000,
    });
    const other = { ...problem, step: 'refresh-keycloak' } as const;
    expect(nextKeyStep({ ...rotating, problem: other }, nowMs)?.dueAtMs).toBe(nowMs);
  });
});
