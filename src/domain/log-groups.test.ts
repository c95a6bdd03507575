import { describe, expect, it } from 'vitest';
import { isPastRetention, type ListedLogGroup, ownerOf, wasWrittenLately } from './log-groups.ts';
import { deploymentTags, tenantTags } from './resource-tags.ts';

const DAY = 86_400;
const NOW = 1000 * DAY;
const group = (more: Partial<ListedLogGroup> = {}): ListedLogGroup => ({
  name: '/parallelcluster-provisioner/lab/proj',
  arn: 'arn',
  createdAt: NOW - 94 * DAY,
  retentionDays: 90,
  storedBytes: 0,
  ...more,
});

describe('a log group', () => {
  it.each([
    ['is past its retention with three days of grace', {}, true],
    ['is not while a byte is in it', { storedBytes: 1 }, false],
    ['is not within its retention', { createdAt: NOW - 89 * DAY }, false],
    ['is not within the grace', { createdAt: NOW - 93 * DAY }, false],
  ])('%s', (_what, more, expected) => {
    expect(isPastRetention(group(more), NOW)).toBe(expected);
  });

  it.each([
    ['never', undefined, false],
    ['before its retention', NOW - 94 * DAY, false],
    ['within its retention', NOW - DAY, true],
  ])('was written lately or not: %s', (_when, at, expected) => {
    expect(wasWrittenLately(at, group(), NOW)).toBe(expected);
  });
});

describe('the owner of a log group', () => {
  const tenant = { virtualLabId: 'lab', projectId: 'proj' };
  const deployment = { ...tenant, clusterName: 'pcluster-lab-proj', epoch: '0'.repeat(14) };
  const foreign = 'We would have named it otherwise.';

  it('is the tenant whose jobs write into it', () => {
    expect(ownerOf('/parallelcluster-provisioner/lab/proj', tenantTags(tenant))).toEqual({ tenant });
  });

  it('is the deployment whose nodes write into it', () => {
    const name = '/aws/parallelcluster/pcluster-lab-proj-202611261030';
    expect(ownerOf(name, deploymentTags(deployment))).toEqual({ deployment });
  });

  it.each<[string, string, Record<string, string>, string]>([
    ['another tenant’s', '/parallelcluster-provisioner/lab/other', { ...tenantTags(tenant) }, foreign],
    ['a longer name', '/parallelcluster-provisioner/lab/proj/x', { ...tenantTags(tenant) }, foreign],
    [
      'another cluster’s',
      '/aws/parallelcluster/pcluster-lab-proj-copy-202611261030',
      { ...deploymentTags(deployment) },
      foreign,
    ],
    ['no time', '/aws/parallelcluster/pcluster-lab-proj-old', { ...deploymentTags(deployment) }, foreign],
    ['untagged', '/parallelcluster-provisioner/lab/proj', {}, 'It lacks tags that we would have set.'],
  ])('is nobody whom we know: %s', (_what, name, tags, because) => {
    expect(ownerOf(name, tags)).toEqual({ foreign: because });
  });
});
