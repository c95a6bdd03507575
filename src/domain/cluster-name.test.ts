import { describe, expect, test } from 'vitest';
import { clusterName, keyPairName, keySecretName, logGroupName, outerStackName } from './cluster-name.ts';
import { projectIdSchema, type Tenant, virtualLabIdSchema } from './ids.ts';

const tenant = (virtualLabId: string, projectId: string): Tenant => ({ virtualLabId, projectId });

describe('the name of a cluster', () => {
  test('holds both ids when they fit', () => {
    expect(clusterName(tenant('lab1', 'cortex-v5'))).toBe('pcluster-lab1-cortex-v5');
  });

  test('holds the beginnings and a hash of ids that are too long, such as UUIDs', () => {
    const name = clusterName(
      tenant('3b1f0c9e-6a52-4a0b-9d5e-1a2b3c4d5e6f', '9f8e7d6c-5b4a-4938-8271-6a5b4c3d2e1f'),
    );
    expect(name).toMatch(/^pcluster-3b1f0c-9f8e7d--[a-z2-7]{16}$/);
  });

  test('never changes for the same tenant, also not in a later release', () => {
    expect(clusterName(tenant('a-b', 'c'))).toBe('pcluster-a-b-c--j2chc7lvxvka2atr');
  });

  test('uses all 40 characters and not one more', () => {
    const fits = clusterName(tenant('lab', 'p'.repeat(27)));
    expect(fits).toHaveLength(40);
    expect(fits).not.toContain('--');
    expect(clusterName(tenant('lab', 'p'.repeat(28)))).toMatch(/^pcluster-lab-pppppp--/);
  });

  test.each([
    ['where the ids would join to the same text', tenant('a-b', 'c'), tenant('a', 'b-c')],
    [
      'where only the unreadable part differs',
      tenant('lab', `${'p'.repeat(40)}1`),
      tenant('lab', `${'p'.repeat(40)}2`),
    ],
    ['where a project looks like the hashed form of another', tenant('a-b', 'c'), tenant('a', 'b-c--HASH')],
  ])('differs %s', (_, one, other) => {
    const name = clusterName(one);
    const hash = name.split('--')[1] ?? '';
    expect(clusterName({ ...other, projectId: other.projectId.replace('HASH', hash) })).not.toBe(name);
  });

  test('is valid for ParallelCluster and unique for thousands of tenants, many of them alike', () => {
    const ids = everyIdOf(['a', '1', '-', 'bcdefghijklmnopqrst']);
    const names = new Set<string>();
    let tenants = 0;
    for (const virtualLabId of ids) {
      for (const projectId of ids) {
        const name = clusterName(tenant(virtualLabId, projectId));
        expect(name).toMatch(/^[a-zA-Z][a-zA-Z0-9-]+$/);
        expect(name.length).toBeLessThanOrEqual(40);
        names.add(name);
        tenants++;
      }
    }
    expect(tenants).toBeGreaterThan(5000);
    expect(names.size).toBe(tenants);
  });
});

/** Every valid platform id that joins up to four of the parts. */
function everyIdOf(parts: readonly string[]): string[] {
  let joined = [''];
  const ids = new Set<string>();
  for (let length = 1; length <= 4; length++) {
    joined = joined.flatMap((beginning) => parts.map((part) => beginning + part));
    for (const id of joined) if (virtualLabIdSchema.safeParse(id).success) ids.add(id);
  }
  return [...ids];
}

describe('the names of what belongs to a deployment', () => {
  const longest = 'x'.repeat(63);
  const deployment = {
    virtualLabId: 'lab',
    projectId: 'p1',
    epoch: '1k2m9x0aab12cd',
    clusterName: 'pcluster-lab-p1',
  };

  test('the stack around a cluster can never be another tenant’s cluster', () => {
    expect(outerStackName('pcluster-lab-p1')).toBe('provisioner-pcluster-lab-p1');
    expect(outerStackName(clusterName(tenant('lab', 'p1-outer')))).not.toMatch(/^pcluster-/);
  });

  test('keys and secrets are new in every epoch and differ between roles', () => {
    const names = ['1k2m9x0aab12cd', '1k2m9x0aab12ce'].flatMap((epoch) =>
      (['admin', 'job-user'] as const).flatMap((role) => [
        keyPairName({ ...deployment, epoch }, role),
        keySecretName({ ...deployment, epoch }, role),
      ]),
    );
    expect(new Set(names).size).toBe(8);
    expect(names[0]).toBe('pcluster-lab-p1-1k2m9x0aab12cd-admin');
    expect(names[1]).toBe('parallelcluster-provisioner/lab/p1/1k2m9x0aab12cd/admin');
  });

  test('secrets and log groups stay within AWS’s limits and characters', () => {
    expect(projectIdSchema.safeParse(longest).success).toBe(true);
    const ids = { ...deployment, virtualLabId: longest, projectId: longest };
    expect(keySecretName(ids, 'job-user')).toMatch(/^[A-Za-z0-9/_+=.@-]{1,180}$/);
    expect(logGroupName(ids)).toMatch(/^[.\-_/#A-Za-z0-9]{1,512}$/);
  });

  test('the log group belongs to the tenant, not to an epoch', () => {
    expect(logGroupName(deployment)).toBe('/parallelcluster-provisioner/lab/p1');
  });
});
