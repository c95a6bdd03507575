import { describe, expect, it } from 'vitest';
import { type ClusterSpecInput, clusterSpecInputSchema, resolveClusterSpec } from './cluster-spec-input.ts';
import { type ClusterSpecPatch, clusterSpecPatchSchema, patchedInput } from './spec-patch.ts';

const spec = (input: ClusterSpecInput) => resolveClusterSpec(clusterSpecInputSchema.parse(input));
const patched = (input: ClusterSpecInput, patch: ClusterSpecPatch) => {
  const accepted = clusterSpecPatchSchema.parse(patch);
  return resolveClusterSpec(clusterSpecInputSchema.parse(patchedInput(spec(input), accepted)));
};

describe('a patch of a specification', () => {
  it('changes what it names and keeps the rest, also what has a default', () => {
    const before = { tier: 'debug', idleTimeoutSeconds: 60, scaledownIdleTimeSeconds: 120 } as const;
    expect(patched(before, { maxLifetimeSeconds: 7200 })).toEqual({
      ...spec({ ...before, maxLifetimeSeconds: 7200 }),
      tier: 'custom',
    });
  });

  it('with a tier or queues takes others in place of those that there are', () => {
    expect(patched({ tier: 'debug' }, { tier: 'prod-mpi' })).toEqual(spec({ tier: 'prod-mpi' }));
    expect(patched({ tier: 'debug', lustre: {} }, { tier: 'prod-mpi' }).lustre).toBeDefined();
  });

  it('takes a field back to its default with null', () => {
    const before = { tier: 'debug', idleTimeoutSeconds: 60, scaledownIdleTimeSeconds: 120 } as const;
    const after = patched(before, { idleTimeoutSeconds: null, scaledownIdleTimeSeconds: null });
    expect(after).toMatchObject({ idleTimeoutSeconds: 1800 });
    expect(after).not.toHaveProperty('scaledownIdleTimeSeconds');
  });

  it.each([[{}], [{ tiers: 'debug' }], [{ idleTimeoutSeconds: 1 }]])('cannot be %j', (patch) => {
    expect(clusterSpecPatchSchema.safeParse(patch).success).toBe(false);
  });
});
