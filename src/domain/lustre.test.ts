import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { projectIdSchema, virtualLabIdSchema } from './ids.ts';
import { dataRepositories, lustreSpecSchema, tenantPrefix } from './lustre.ts';

const buckets = { scratch: 'scratch-1', projectPublic: 'public-1', projectPrivate: 'private-1' };

describe('a Lustre specification', () => {
  it('is the smallest file system that FSx has unless it says more', () => {
    expect(lustreSpecSchema.parse({})).toEqual({
      sizeGibibytes: 1200,
      throughputMegabytesPerSecondPerTebibyte: 250,
    });
  });

  it.each([0, 1199, 1201, 2399, 3600, 6000, 1e9])('cannot have %d GiB', (sizeGibibytes) => {
    expect(lustreSpecSchema.safeParse({ sizeGibibytes }).error?.issues[0]?.path).toEqual(['sizeGibibytes']);
  });

  it.each([1200, 2400, 4800, 240_000])('can have %d GiB', (sizeGibibytes) => {
    expect(lustreSpecSchema.safeParse({ sizeGibibytes }).success).toBe(true);
  });
});

describe('the links of a tenant’s file system', () => {
  const ids = fc.stringMatching(/^[a-z0-9-]{1,20}$/);
  const tenants = fc
    .record({ virtualLabId: ids, projectId: ids })
    .filter(
      ({ virtualLabId, projectId }) =>
        virtualLabIdSchema.safeParse(virtualLabId).success && projectIdSchema.safeParse(projectId).success,
    );

  it('lead to no other tenant’s objects', () => {
    fc.assert(
      fc.property(tenants, tenants, (one, other) => {
        fc.pre(one.virtualLabId !== other.virtualLabId || one.projectId !== other.projectId);
        expect(tenantPrefix(one).startsWith(tenantPrefix(other))).toBe(false);
      }),
    );
  });

  it('export what is the tenant’s own, and never what all see', () => {
    const links = dataRepositories({ virtualLabId: 'lab', projectId: 'proj' }, buckets);
    expect(links.map(({ dataRepositoryPath, isExported }) => [dataRepositoryPath, isExported])).toEqual([
      ['s3://scratch-1/lab/proj/', true],
      ['s3://public-1/', false],
      ['s3://private-1/lab/proj/', true],
    ]);
  });
});
