import { describe, expect, it } from 'vitest';
import { type AccountSurvey, findLeftovers, type Finding, leftoverKinds, noTraces } from './leftovers.ts';

const foundation: AccountSurvey = {
  stacks: ['pcluster-provider (CREATE_COMPLETE)'],
  keyPairs: [],
  secrets: [],
  fileSystems: [],
  accessPoints: [],
  leases: [],
};

const left = (findings: readonly Finding[]) => findings.filter(({ left }) => left.length > 0);

describe('findLeftovers', () => {
  it('finds nothing when only the foundation is there', () => {
    const findings = findLeftovers(foundation, foundation);
    expect(left(findings)).toEqual([]);
    expect(findings.map(({ kind }) => kind)).toEqual([
      'stacks',
      'keyPairs',
      'secrets',
      'fileSystems',
      'accessPoints',
      'leases',
    ]);
  });

  it.each(['stacks', 'keyPairs', 'secrets', 'fileSystems', 'accessPoints', 'leases'] as const)(
    'names what was left of the %s',
    (kind) => {
      const now = { ...foundation, [kind]: [...foundation[kind], 'forgotten'] };
      expect(left(findLeftovers(foundation, now))).toEqual([{ kind, left: ['forgotten'] }]);
    },
  );

  it('takes a foundation stack that someone is deleting for something new', () => {
    const now = { ...foundation, stacks: ['pcluster-provider (DELETE_FAILED)'] };
    expect(left(findLeftovers(foundation, now))).toEqual([
      { kind: 'stacks', left: ['pcluster-provider (DELETE_FAILED)'] },
    ]);
  });

  it.each(['processes', 'mounts', 'loopbackAddresses'] as const)('demands that no %s are left', (kind) => {
    expect(left(findLeftovers(noTraces, { ...noTraces, [kind]: ['one'] }))).toEqual([
      { kind, left: ['one'] },
    ]);
  });

  it('has words for every kind', () => {
    expect(Object.values(leftoverKinds).every((words) => words.length > 0)).toBe(true);
  });
});
