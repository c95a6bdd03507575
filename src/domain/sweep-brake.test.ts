import { describe, expect, it } from 'vitest';
import type { Findings, Orphan } from './orphans.ts';
import { brakeOf, reconcileRequestSchema } from './sweep-brake.ts';

const findings = (orphans: number, deployments?: number): Findings => ({
  orphans: Array.from({ length: orphans }, (_, index): Orphan => ({
    virtualLabId: 'lab',
    projectId: `p${index}`,
    clusterName: `pcluster-lab-p${index}`,
    epoch: 'epoch',
    resources: [],
  })),
  lookAlikes: [],
  attended: 0,
  ...(deployments !== undefined && { deployments }),
});
const isBraked = (...of: Parameters<typeof findings>) => brakeOf(findings(...of), {}) !== undefined;

describe('a sweep', () => {
  it.each([
    [5, 5, false],
    [6, 6, true],
    [6, 11, true],
    [6, 12, false],
    [100, 1000, false],
    [501, 1000, true],
  ])('with %i of %i deployments left behind stops: %s', (orphans, deployments, expected) => {
    expect(isBraked(orphans, deployments)).toBe(expected);
  });

  it('takes all for left behind where it is not said how many deployments there are', () => {
    expect(isBraked(6)).toBe(true);
  });

  it('goes on up to what an operator has said, and stops when it has become more', () => {
    expect(brakeOf(findings(7, 7), { beginUpTo: 7 })).toBeUndefined();
    expect(brakeOf(findings(8, 8), { beginUpTo: 7 })).toContain('8 of 8 deployments');
  });
});

it.each<[string, unknown]>([
  ['another field', { all: true }],
  ['no number', { beginUpTo: 'all' }],
  ['no epoch', { claim: ['everything'] }],
])('an operator’s word with %s is refused', (_what, request) => {
  expect(reconcileRequestSchema.safeParse(request).success).toBe(false);
});
