import * as fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { expectAlways, platformIds, tenants } from '../../test/support/properties.ts';
import {
  campaignIdSchema,
  campaignWorkflowId,
  clusterWorkflowId,
  epochStartSeconds,
  jobComment,
  jobKeySchema,
  newEpochId,
  parseJobComment,
  projectIdSchema,
  subnetPoolWorkflowId,
  virtualLabIdSchema,
} from './ids.ts';

const campaignIds = fc.stringMatching(/^[a-z2-7]{26}$/);
const jobKeys = fc.stringMatching(/^[A-Za-z0-9]([A-Za-z0-9_.-]{0,62}[A-Za-z0-9])?$/);
const hex = fc.uuid();
/** From 1970 to the year 3084, for which nine characters of time suffice. */
const epochTimes = fc.integer({ min: 0, max: 32 ** 9 - 1 });

describe.each([
  ['virtualLabId', virtualLabIdSchema],
  ['projectId', projectIdSchema],
])('%s', (_, schema) => {
  it.each([['a'], ['lab-1'], ['0'], ['a'.repeat(63)], ['1b671a64-40d5-491e-99b0-da01ff1f3341']])(
    'may be %s',
    (id) => {
      expect(schema.safeParse(id).success).toBe(true);
    },
  );

  it.each([[''], ['-a'], ['a-'], ['Lab'], ['a/b'], ['a b'], ['a\n'], ['é'], ['a.b'], ['a'.repeat(64)]])(
    'must not be %j',
    (id) => {
      expect(schema.safeParse(id).success).toBe(false);
    },
  );
});

test.each([
  ['mfrggzdfmztwq2lknnwg23tpou', true],
  ['MFRGGZDFMZTWQ2LKNNWG23TPOU', false],
  ['mfrggzdfmztwq2lknnwg23tpo', false],
  ['mfrggzdfmztwq2lknnwg23tpo1', false],
  ['mfrggzdfmztwq2lknnwg23tpou\n', false],
])('%j as a campaign id: %s', (id, valid) => {
  expect(campaignIdSchema.safeParse(id).success).toBe(valid);
});

test.each([
  ['sim-3', true],
  ['A', true],
  ['a_b.c-d', true],
  ['a'.repeat(64), true],
  ['a'.repeat(65), false],
  ['', false],
  ['..', false],
  ['.hidden', false],
  ['a-', false],
  ['a/b', false],
  ['a b', false],
  ['a\n', false],
  ['ä', false],
])('%j as a job key: %s', (key, valid) => {
  expect(jobKeySchema.safeParse(key).success).toBe(valid);
});

describe('workflow ids', () => {
  it('read as what they are', () => {
    const tenant = { virtualLabId: 'lab', projectId: 'cortex' };
    expect(clusterWorkflowId(tenant)).toBe('cluster/lab/cortex');
    expect(campaignWorkflowId(tenant, 'c1')).toBe('campaign/lab/cortex/c1');
    expect(subnetPoolWorkflowId('vpc-1')).toBe('subnet-pool/vpc-1');
  });

  it('are different for different tenants and campaigns', () => {
    expectAlways(
      fc.property(tenants, tenants, campaignIds, campaignIds, (a, b, one, other) => {
        const sameTenant = a.virtualLabId === b.virtualLabId && a.projectId === b.projectId;
        expect(clusterWorkflowId(a) === clusterWorkflowId(b)).toBe(sameTenant);
        expect(campaignWorkflowId(a, one) === campaignWorkflowId(b, other)).toBe(sameTenant && one === other);
      }),
    );
  });
});

describe('an epoch id', () => {
  it('is fourteen characters that may stand in any AWS name', () => {
    expectAlways(
      fc.property(epochTimes, hex, (ms, random) => {
        expect(newEpochId(ms, random)).toMatch(/^[0-9a-z]{14}$/);
      }),
    );
  });

  it('sorts by age', () => {
    expectAlways(
      fc.property(epochTimes, epochTimes, hex, hex, (a, b, x, y) => {
        fc.pre(a !== b);
        expect(newEpochId(a, x) < newEpochId(b, y)).toBe(a < b);
      }),
    );
  });

  it('tells when it was made', () => {
    expectAlways(
      fc.property(epochTimes, hex, (ms, random) => {
        expect(epochStartSeconds(newEpochId(ms, random))).toBe(Math.floor(ms / 1000));
      }),
    );
  });

  it('differs between two deployments of the same millisecond', () => {
    expect(newEpochId(1e12, 'aaaaa000-')).not.toBe(newEpochId(1e12, 'aaaab000-'));
  });

  it.each([[''], ['not an epoch'], ['ABCDEFGHI12345']])('is not %j: that has no time', (text) => {
    expect(epochStartSeconds(text)).toBe(0);
  });
});

describe('the comment of a Slurm job', () => {
  const references = fc.record({
    epoch: fc.tuple(epochTimes, hex).map(([ms, random]) => newEpochId(ms, random)),
    campaignId: campaignIds,
    jobKey: jobKeys,
  });

  it('leads back to the job, also with white space around it', () => {
    expectAlways(
      fc.property(references, (reference) => {
        expect(parseJobComment(jobComment(reference))).toEqual(reference);
        expect(parseJobComment(` ${jobComment(reference)}\n`)).toEqual(reference);
      }),
    );
  });

  it('is plain enough to be an argument of sbatch and a field of squeue', () => {
    expectAlways(
      fc.property(references, (reference) => {
        expect(jobComment(reference)).toMatch(/^[A-Za-z0-9_./-]{1,256}$/);
      }),
    );
  });

  it.each([
    [''],
    ['pcp'],
    ['pcp/e/c'],
    ['pcp/e/c/k/x'],
    ['pcp//c/k'],
    ['pcp/e//k'],
    ['pcp/e/c/'],
    ['x/e/c/k'],
  ])('%j is not ours', (comment) => {
    expect(parseJobComment(comment)).toBeUndefined();
  });

  it('written by somebody else is not ours', () => {
    expectAlways(
      fc.property(fc.oneof(fc.string(), platformIds), (comment) => {
        fc.pre(!comment.trim().startsWith('pcp/'));
        expect(parseJobComment(comment)).toBeUndefined();
      }),
    );
  });
});
