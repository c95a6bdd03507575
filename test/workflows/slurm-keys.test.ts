import { describe, expect, it, vi } from 'vitest';
import type { Activities } from '../../src/activities/port.ts';
import type { ClusterView } from '../../src/domain/cluster-view.ts';
import type { FailureType } from '../../src/domain/failures.ts';
import type { Tenant } from '../../src/domain/ids.ts';
import type { KeyRotationRequest } from '../../src/domain/slurm-keys.ts';
import { rotateSigningKey } from '../../src/workflows/messages.ts';
import { fakeKey } from '../fakes/fake-world.ts';
import { inVirtualTime } from '../support/virtual-time.ts';
import type { WorkflowRig } from '../support/workflow-rig.ts';

const run = inVirtualTime({ serverFor: 'file' });

const LONG = { idleTimeoutSeconds: 7 * 86_400 };
const ownKeyOnly = { ...LONG, slurmApi: { trust: 'epoch-key', jobsOver: 'slurmrestd' } };
const keycloakToo = { ...LONG, slurmApi: { trust: 'epoch-key-and-keycloak', jobsOver: 'ssh' } };

async function rotate(
  rig: WorkflowRig,
  tenant: Tenant,
  own: Partial<KeyRotationRequest> = {},
): Promise<ClusterView> {
  const request = { by: 'operator', reason: 'it is time', overlapSeconds: 900, ...own };
  return rig.cluster(tenant).executeUpdate(rotateSigningKey, { args: [request] });
}

/** Ids of the keys that Slurm was last given. */
function trustedBy(rig: WorkflowRig, { clusterName }: ClusterView): readonly string[] {
  return rig.world.trusted.get(clusterName) ?? [];
}

describe('a cluster with Slurm’s REST API', () => {
  it('has a signing key before its stack, until that is gone', async () => {
    await run({ recordAs: 'slurm-api' }, async (rig) => {
      const tenant = rig.tenant('rest');
      await rig.readyCluster(tenant, rig.spec({ ...ownKeyOnly, idleTimeoutSeconds: 60 }));
      const view = await rig.view(tenant);
      expect(view.access?.slurmApi).toMatchObject({
        ...ownKeyOnly.slurmApi,
        port: 6820,
        signingKeySecretArn: expect.stringContaining('slurm-api') as unknown,
      });
      expect(view.slurmKeys).toEqual({ ownKeyIds: ['first'], keycloakKeyIds: [] });
      expect(trustedBy(rig, view)).toEqual(['first']);
      await rig.until(tenant, 'deleted');
      const { effects } = rig.world;
      expect(effects.indexOf('ensureSigningKey')).toBeLessThan(effects.indexOf('createStack'));
      expect(effects.indexOf('deleteSigningKey')).toBeGreaterThan(effects.indexOf('deleteStack'));
      expect(rig.world.leftovers()).toEqual([]);
    });
  });

  const failing: readonly [keyof Activities, FailureType][] = [
    ['ensureSigningKey', 'KeyPairConflict'],
    ['readKeycloakKeys', 'AwsAccessDenied'],
    ['checkReadiness', 'HostKeyMismatch'],
  ];
  for (const [step, failure] of failing) {
    it(`leaves nothing when ${step} fails after it took effect`, async () => {
      await run({}, async (rig) => {
        const tenant = rig.tenant('fails');
        rig.world.failOn(step, failure, { afterEffect: true });
        await rig.ensure(tenant, rig.spec(keycloakToo));
        expect((await rig.until(tenant, 'failed')).failure?.type).toBe(failure);
        expect(rig.world.effects).toContain('deleteSigningKey');
        expect(rig.world.leftovers()).toEqual([]);
      });
    });
  }
});

describe('a rotation of the signing key', () => {
  it('lets Slurm accept both keys until tokens of the old one have expired, then the new one alone', async () => {
    await run({ recordAs: 'rotated-key' }, async (rig) => {
      const tenant = rig.tenant('rotated');
      await rig.readyCluster(tenant, rig.spec(ownKeyOnly));
      const asked = await rotate(rig, tenant);
      expect(asked.slurmKeys?.rotation).toMatchObject({ by: 'operator', reason: 'it is time' });
      await rig.pass(60);
      const both = await rig.view(tenant);
      const [next = ''] = both.slurmKeys?.ownKeyIds ?? [];
      expect(both.slurmKeys?.ownKeyIds).toEqual([next, 'first']);
      expect(trustedBy(rig, both)).toEqual([next, 'first']);
      expect(both.slurmKeys?.rotation?.oldKeyEndsAt).toBeDefined();
      await rig.pass(800);
      expect(trustedBy(rig, both)).toEqual([next, 'first']);
      await rig.pass(60);
      expect(trustedBy(rig, both)).toEqual([next]);
      expect((await rig.view(tenant)).slurmKeys).toEqual({ ownKeyIds: [next], keycloakKeyIds: [] });
    });
  });

  it('is one, however often it is asked for, and can be made to end sooner', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('repeated');
      await rig.readyCluster(tenant, rig.spec(ownKeyOnly));
      await Promise.all([rotate(rig, tenant), rotate(rig, tenant, { by: 'another' }), rotate(rig, tenant)]);
      await rig.pass(30);
      await rotate(rig, tenant);
      await rig.pass(30);
      expect(rig.world.calls.get('rotateSigningKey')).toBe(1);
      await rotate(rig, tenant, { overlapSeconds: 0 });
      await rig.pass(5);
      const view = await rig.view(tenant);
      expect(view.slurmKeys?.rotation).toBeUndefined();
      expect(trustedBy(rig, view)).toEqual(view.slurmKeys?.ownKeyIds);
      await rotate(rig, tenant);
      await rig.pass(30);
      expect(rig.world.calls.get('rotateSigningKey')).toBe(2);
    });
  });

  it('tells what it fails of, leaves the cluster as it is, and goes on when that is mended', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('mended');
      await rig.readyCluster(tenant, rig.spec(ownKeyOnly));
      rig.world.failOn('rotateSigningKey', 'KeyPairConflict');
      await rotate(rig, tenant, { overlapSeconds: 0 });
      await rig.pass(30);
      const view = await rig.view(tenant);
      expect(view).toMatchObject({
        state: 'ready',
        slurmKeys: { ownKeyIds: ['first'], problem: 'planted KeyPairConflict' },
      });
      expect(view.blindSince).toBeUndefined();
      rig.world.heal('rotateSigningKey');
      await rig.pass(120);
      const { slurmKeys } = await rig.view(tenant);
      expect(slurmKeys).toEqual({ ownKeyIds: [expect.not.stringMatching('first')], keycloakKeyIds: [] });
    });
  });

  it('is the same one when its answer was lost and when the workflow continued as new meanwhile', async () => {
    await run({ policy: { historyEventLimit: 100 } }, async (rig) => {
      const tenant = rig.tenant('continued');
      await rig.readyCluster(tenant, rig.spec(ownKeyOnly));
      rig.world.failOn('rotateSigningKey', 'SlurmUnavailable', { times: 1, afterEffect: true });
      await rotate(rig, tenant, { overlapSeconds: 86_400 });
      await rig.pass(60);
      const { slurmKeys } = await rig.view(tenant);
      await rig.pass(86_000);
      expect((await rig.view(tenant)).slurmKeys).toEqual(slurmKeys);
      await rig.pass(800);
      const view = await rig.view(tenant);
      expect(view.slurmKeys?.ownKeyIds).toEqual(slurmKeys?.ownKeyIds.slice(0, 1));
      expect(trustedBy(rig, view)).toEqual(view.slurmKeys?.ownKeyIds);
      expect(await rig.continuedRuns(rig.cluster(tenant).workflowId)).toBeGreaterThan(0);
    });
  });

  it('ends before anything of a cluster goes that is given back', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('held-back');
      await rig.readyCluster(tenant, rig.spec(ownKeyOnly));
      const release = rig.world.holdBack('rotateSigningKey');
      await rotate(rig, tenant);
      await vi.waitFor(() => expect(rig.world.calls.get('rotateSigningKey')).toBe(1), { timeout: 10_000 });
      const before = rig.world.effects.length;
      await rig.teardown(tenant);
      const passing = rig.pass(1);
      // Time stands still while it does not end; what does not wait for it would be done at once.
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect((await rig.view(tenant)).state).toBe('ready');
      release();
      await passing;
      await rig.until(tenant, 'deleted', 120);
      expect(rig.world.effects.slice(before)).toContain('deleteSigningKey');
    });
  });

  it('does not keep a cluster that is given back', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('given-back');
      await rig.readyCluster(tenant, rig.spec(ownKeyOnly));
      await rotate(rig, tenant);
      await rig.teardown(tenant);
      await rig.until(tenant, 'deleted', 60);
      expect(rig.world.leftovers()).toEqual([]);
    });
  });

  it('is refused where there is no such key, where the cluster is not ready, and without a reason', async () => {
    await run({}, async (rig) => {
      const [none, early] = [rig.tenant('none'), rig.tenant('early')];
      await rig.readyCluster(none, rig.spec(LONG));
      await expect(rotate(rig, none)).rejects.toMatchObject({
        cause: {
          type: 'NotFound',
          message: expect.stringContaining('no Slurm REST API') as unknown,
          details: [{ nextStep: expect.stringContaining('`slurmApi`') as unknown }],
        },
      });
      rig.world.failOn('checkReadiness', 'ClusterNotReady');
      await rig.ensure(early, rig.spec(ownKeyOnly));
      await rig.until(early, 'waiting-ready');
      await expect(rotate(rig, early)).rejects.toMatchObject({ cause: { type: 'ClusterNotReady' } });
      await expect(rotate(rig, early, { reason: '' })).rejects.toMatchObject({
        cause: { type: 'InvalidRequest', message: expect.stringContaining('reason') as unknown },
      });
    });
  });
});

describe('a cluster that trusts Keycloak', () => {
  it('has its keys from the beginning, and follows when they change', async () => {
    await run({ recordAs: 'keycloak-keys' }, async (rig) => {
      const tenant = rig.tenant('keycloak');
      rig.world.keycloakKeys = [fakeKey('kc-1')];
      await rig.readyCluster(tenant, rig.spec(keycloakToo));
      const view = await rig.view(tenant);
      expect(trustedBy(rig, view)).toEqual(['first', 'kc-1']);
      await rig.pass(3600);
      expect(rig.world.calls.get('readKeycloakKeys')).toBeGreaterThan(4);
      // Each would restart Slurm.
      expect(rig.world.calls.get('replaceTrustedKeys')).toBeUndefined();
      rig.world.keycloakKeys = [fakeKey('kc-2'), fakeKey('kc-1')];
      await rig.pass(700);
      expect(trustedBy(rig, view)).toEqual(['first', 'kc-2', 'kc-1']);
      rig.world.keycloakKeys = [fakeKey('kc-2')];
      await rig.pass(700);
      expect(trustedBy(rig, view)).toEqual(['first', 'kc-2']);
      expect((await rig.view(tenant)).slurmKeys).toEqual({
        ownKeyIds: ['first'],
        keycloakKeyIds: ['kc-2'],
      });
    });
  });

  it('keeps the keys that it has while Keycloak does not answer, and tells so', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('keycloak-away');
      rig.world.keycloakKeys = [fakeKey('kc-1')];
      await rig.readyCluster(tenant, rig.spec(keycloakToo));
      rig.world.failOn('readKeycloakKeys', 'KeycloakUnavailable');
      await rig.pass(1500);
      const away = await rig.view(tenant);
      expect(away).toMatchObject({
        state: 'ready',
        slurmKeys: { keycloakKeyIds: ['kc-1'], problem: 'planted KeycloakUnavailable' },
      });
      rig.world.heal('readKeycloakKeys');
      await rig.pass(700);
      expect((await rig.view(tenant)).slurmKeys).not.toHaveProperty('problem');
    });
  });

  it('has its own key replaced at once although Keycloak does not answer', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('leaked');
      rig.world.keycloakKeys = [fakeKey('kc-1')];
      await rig.readyCluster(tenant, rig.spec(keycloakToo));
      rig.world.failOn('readKeycloakKeys', 'KeycloakUnavailable');
      await rig.pass(1500);
      await rotate(rig, tenant, { overlapSeconds: 0 });
      await rig.pass(60);
      const view = await rig.view(tenant);
      expect(trustedBy(rig, view)).toEqual([expect.not.stringMatching('first'), 'kc-1']);
      expect(view.slurmKeys).toMatchObject({ problem: 'planted KeycloakUnavailable' });
      expect(view.slurmKeys).not.toHaveProperty('rotation');
    });
  });

  it('keeps Keycloak’s keys while its own is rotated', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('both-change');
      rig.world.keycloakKeys = [fakeKey('kc-1')];
      await rig.readyCluster(tenant, rig.spec(keycloakToo));
      await rotate(rig, tenant);
      rig.world.keycloakKeys = [fakeKey('kc-2')];
      await rig.pass(700);
      const view = await rig.view(tenant);
      expect(trustedBy(rig, view)).toEqual([...(view.slurmKeys?.ownKeyIds ?? []), 'kc-2']);
      expect(view.slurmKeys?.ownKeyIds).toHaveLength(2);
      await rig.pass(400);
      expect(trustedBy(rig, view)).toEqual([view.slurmKeys?.ownKeyIds[0], 'kc-2']);
    });
  });
});
