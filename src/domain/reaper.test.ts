import { describe, expect, it } from 'vitest';
import { clusterName } from './cluster-name.ts';
import type { KeptDeployment } from './kept-deployment.ts';
import type { Orphan, OrphanResource } from './orphans.ts';
import { planReaper, whyHeldBack } from './reaper.ts';

const tenant = { virtualLabId: 'lab', projectId: 'proj' };
const now = '2026-11-26T10:00:00.000Z';
const kept: KeptDeployment = {
  spec: { tier: 'custom', queues: [], idleTimeoutSeconds: 60, maxLifetimeSeconds: 60, s3Mounts: true },
  access: { address: 'a', port: 22, user: 'sim', hostKey: 'h', privateKeySecretArn: 'arn' },
  startedAt: '2026-11-26T09:00:00.000Z',
};
const orphan = (...resources: OrphanResource[]): Orphan => ({
  ...tenant,
  clusterName: clusterName(tenant),
  epoch: '1k2m9x0aab12cd',
  resources,
});
const node = (isRunning: boolean): OrphanResource => ({
  kind: 'instance',
  id: 'i-1',
  billed: { as: 'instance', instanceType: 't3.medium', isRunning, isSpot: false },
});
const stack: OrphanResource = { kind: 'stack', id: 'arn' };
const recordOf = (...of: Parameters<typeof planReaper>) => planReaper(...of).snapshot.deployment;

describe('how an orphan is given back', () => {
  it('begins by emptying it where its head node can be asked', () => {
    const { snapshot, caveat } = planReaper(orphan(stack, node(true)), kept, now);
    expect(snapshot).toMatchObject({
      state: 'draining',
      deployment: { access: kept.access, spec: kept.spec, orphan: { giveUpAfterSeconds: 86_400 } },
    });
    expect(snapshot.deployment).not.toHaveProperty('deletionBegan');
    expect(caveat).toBeUndefined();
  });

  it.each<[string, OrphanResource[]]>([
    ['only its stack is there', [stack]],
    ['its node is stopped', [stack, node(false)]],
  ])('asks a head node, and waits for none, where %s', (_what, resources) => {
    const { snapshot, caveat } = planReaper(orphan(...resources), kept, now);
    expect(snapshot).toMatchObject({ state: 'draining', deployment: { orphan: { giveUpAfterSeconds: 0 } } });
    expect(caveat).toContain('no node of it that runs');
  });

  it.each<[string, OrphanResource[], KeptDeployment | undefined]>([
    ['nothing is kept of it', [stack, node(true)], undefined],
    ['nothing is left that could be asked', [{ kind: 'key-pair', id: 'key-1' }], kept],
  ])('begins by deleting where %s', (_what, resources, record) => {
    const { snapshot } = planReaper(orphan(...resources), record, now);
    expect(snapshot).toMatchObject({ state: 'deleting', deployment: { deletionBegan: true } });
    expect(snapshot.deployment).not.toHaveProperty('access');
  });

  it('gives back a lease only if the survey has found it free', () => {
    expect(recordOf(orphan(stack), kept, now)?.resources).not.toHaveProperty('lease');
    expect(recordOf(orphan({ kind: 'subnet-lease', id: 'subnet-1' }), kept, now)?.resources.lease).toBe(
      'requested',
    );
  });

  it('exports Lustre of which nobody knows what was written', () => {
    expect(recordOf(orphan(stack, { kind: 'lustre', id: 'fs-1' }), kept, now)).toMatchObject({
      resources: { lustre: { fileSystemId: 'fs-1' } },
      lustreExport: { isAutomaticOff: false },
    });
  });
});

describe('what waits for a list that AWS refuses', () => {
  const unlisted = [{ what: 'lustre' as const, because: 'denied' }];
  const lustre = { sizeGibibytes: 1200, throughputMegabytesPerSecondPerTebibyte: 250 } as const;

  it.each<[string, KeptDeployment | undefined, boolean]>([
    ['nobody knows whether it has', undefined, true],
    ['has', { ...kept, spec: { ...kept.spec, lustre } }, true],
    ['is known not to have', kept, false],
  ])('is a deployment that %s Lustre', (_what, record, waits) => {
    expect(whyHeldBack({ unlisted }, record) !== undefined).toBe(waits);
  });

  it('is nothing when another list is missing', () => {
    expect(whyHeldBack({ unlisted: [{ what: 'secret', because: 'denied' }] }, undefined)).toBeUndefined();
    expect(whyHeldBack({}, undefined)).toBeUndefined();
  });
});
