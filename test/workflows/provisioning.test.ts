import { describe, expect, it } from 'vitest';
import type { Activities } from '../../src/activities/port.ts';
import type { FailureType } from '../../src/domain/failures.ts';
import { inVirtualTime } from '../support/virtual-time.ts';

const run = inVirtualTime({ serverFor: 'file' });

const failingSteps: readonly [keyof Activities, FailureType][] = [
  ['describePoolSubnets', 'SubnetPoolEmpty'],
  ['acquireSubnet', 'AwsAccessDenied'],
  ['ensureKeyPair', 'KeyPairConflict'],
  ['ensureLogGroup', 'AwsAccessDenied'],
  ['createStack', 'StackCreateFailed'],
  ['checkReadiness', 'HostKeyMismatch'],
];

describe('a provisioning that fails', () => {
  for (const [step, failure] of failingSteps) {
    for (const afterEffect of [false, true]) {
      const when = afterEffect ? 'after it took effect' : 'before it did anything';
      it(`leaves nothing when ${step} fails ${when}, and says why`, async () => {
        await run({}, async (rig) => {
          const tenant = rig.tenant('fails');
          rig.world.failOn(step, failure, { afterEffect });
          await rig.ensure(tenant);
          const view = await rig.until(tenant, 'failed');
          expect(view.failure).toMatchObject({ type: failure, message: `planted ${failure}` });
          expect(view.failure?.nextStep).not.toBe('');
          expect(view.epoch).toBeUndefined();
          expect(rig.world.leftovers()).toEqual([]);
          expect(await rig.leases()).toEqual([]);
        });
      });
    }
  }

  for (const afterEffect of [false, true]) {
    const when = afterEffect ? 'after it was made' : 'before it was made';
    it(`leaves nothing when the job user’s key fails ${when} and the admin’s is there`, async () => {
      await run({}, async (rig) => {
        const tenant = rig.tenant('half');
        const hits = (request: unknown) => JSON.stringify(request).includes('"role":"job-user"');
        rig.world.failOn('ensureKeyPair', 'KeyPairConflict', { afterEffect, hits });
        await rig.ensure(tenant);
        await rig.until(tenant, 'failed');
        const made = [
          'leaseSubnet',
          'ensureKeyPair admin',
          ...(afterEffect ? ['ensureKeyPair job-user'] : []),
        ];
        const undone = [
          'releaseSubnet',
          ...(afterEffect ? ['deleteKeyPair job-user'] : []),
          'deleteKeyPair admin',
        ];
        expect(rig.world.effects).toEqual([...made, ...undone]);
        expect(rig.world.leftovers()).toEqual([]);
        expect(await rig.leases()).toEqual([]);
      });
    });
  }

  it('names the step and the last error when a step crashes until its time is over', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('crashes');
      rig.world.crashOn('ensureKeyPair', Number.POSITIVE_INFINITY);
      await rig.ensure(tenant);
      const view = await rig.until(tenant, 'failed');
      expect(view.failure?.message).toBe('ensureKeyPair: planted crash');
      expect(rig.world.leftovers()).toEqual([]);
    });
  });

  it('can be asked for again, in an epoch of its own', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('again');
      rig.world.failOn('createStack', 'StackCreateFailed', { times: 1, afterEffect: true });
      await rig.ensure(tenant);
      await rig.until(tenant, 'failed');
      const { outcome } = await rig.ensure(tenant);
      expect(outcome).toBe('created');
      const view = await rig.until(tenant, 'ready');
      expect(view.failure).toBeUndefined();
      const [first, second] = rig.world.createdStacks;
      expect(view.epoch).toBe(second?.epoch);
      expect(view.epoch).not.toBe(first?.epoch);
      expect(rig.world.createdStacks).toHaveLength(2);
    });
  });

  it('ends the campaigns that waited for the cluster, with the cause', async () => {
    await run({ recordAs: 'failed-provisioning' }, async (rig) => {
      const tenant = rig.tenant('waiting');
      const campaignId = 'bbbbbbbbbbbbbbbbbbbbbbbbbb';
      rig.world.failOn('createStack', 'StackCreateFailed');
      await rig.submit(tenant, campaignId, ['a'], { spec: rig.spec() });
      const campaign = await rig.untilCampaignEnds(tenant, campaignId);
      expect(campaign).toMatchObject({
        state: 'cancelled',
        jobsByState: { cancelled: 1 },
        failure: { type: 'StackCreateFailed' },
      });
    });
  });

  it('tells deletions what was asked for and never seen, and only of that', async () => {
    await run({}, async (rig) => {
      rig.world.hasEfs = true;
      const asked: Record<string, unknown> = {};
      for (const name of [
        'deleteStack',
        'deleteLustre',
        'deleteHome',
        'deleteKeyPair',
        'deleteSigningKey',
      ] as const)
        rig.world.failOn(name, 'AwsUnavailable', {
          hits: (request) => {
            asked[name] = typeof request === 'object' && request !== null && 'askedSecondsAgo' in request;
            return false;
          },
        });
      const spec = rig.spec({ lustre: { sizeGibibytes: 1200 }, slurmApi: {} });
      const unseen = [
        ['ensureKeyPair', { deleteKeyPair: true }],
        ['ensureSigningKey', { deleteSigningKey: true, deleteKeyPair: false }],
        ['ensureHome', { deleteHome: true, deleteKeyPair: false }],
        ['ensureLustre', { deleteLustre: true, deleteHome: false }],
        ['createStack', { deleteStack: true, deleteLustre: false }],
        [
          'checkReadiness',
          { deleteStack: false, deleteLustre: false, deleteHome: false, deleteKeyPair: false },
        ],
      ] as const;
      for (const [step, expected] of unseen) {
        for (const key of Object.keys(asked)) delete asked[key];
        const tenant = rig.tenant(`unseen-${step.toLowerCase()}`);
        rig.world.failOn(step, 'InvalidRequest');
        await rig.ensure(tenant, spec);
        await rig.until(tenant, 'failed');
        rig.world.heal(step);
        expect(asked, step).toMatchObject(expected);
      }
    });
  });

  it('is ended by a teardown in the middle of it', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('stopped');
      rig.world.failOn('checkReadiness', 'ClusterNotReady');
      await rig.ensure(tenant);
      await rig.until(tenant, 'waiting-ready');
      await rig.teardown(tenant, 'not needed');
      const view = await rig.until(tenant, 'deleted');
      expect(view.message).toContain('not needed');
      expect(rig.world.leftovers()).toEqual([]);
    });
  });
});

describe('asking for a cluster', () => {
  it('makes one deployment of twenty requests at once, and none after it', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('twenty');
      const ask = async () => retryExhausted(() => rig.ensure(tenant));
      const answers = await Promise.all(Array.from({ length: 20 }, ask));
      expect(answers.filter(({ outcome }) => outcome === 'created')).toHaveLength(1);
      await rig.until(tenant, 'ready');
      const late = await Promise.all(Array.from({ length: 20 }, ask));
      expect(late.filter(({ outcome }) => outcome === 'exists')).toHaveLength(20);
      expect(rig.world.createdStacks).toHaveLength(1);
      expect(rig.world.keyPairs.size).toBe(2);
      // By idleness: a teardown that is asked for forgets whatever else was.
      await rig.until(tenant, 'deleted');
      await rig.pass(600);
      expect((await rig.view(tenant)).state).toBe('deleted');
      expect(rig.world.createdStacks).toHaveLength(1);
      expect(rig.world.leftovers()).toEqual([]);
    });
  });

  it('is refused with the differences when the cluster has another specification', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('conflict');
      await rig.ensure(tenant);
      await rig.until(tenant, 'ready');
      const other = rig.spec({ idleTimeoutSeconds: 60 });
      const refusal = await rig.ensure(tenant, other).catch((error: unknown) => error);
      expect(refusal).toMatchObject({
        cause: {
          type: 'ClusterSpecConflict',
          details: [{ differences: [{ path: 'idleTimeoutSeconds', existing: 120, requested: 60 }] }],
        },
      });
    });
  });

  it('ends by itself when the first request never came', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('unclaimed');
      const handle = await rig.start(tenant);
      await expect(handle.result()).resolves.toBeUndefined();
    });
  });

  it('gives ten subnets to ten of twelve tenants, and to the others when two leave', async () => {
    await run({ subnets: 10 }, async (rig) => {
      const spec = rig.spec({ idleTimeoutSeconds: 86_400 });
      const tenants = Array.from({ length: 12 }, (_, index) => rig.tenant(`t${index}`));
      for (const tenant of tenants) await rig.ensure(tenant, spec);
      await rig.pass(60);
      const views = await Promise.all(tenants.map(async (tenant) => rig.view(tenant)));
      const waiting = tenants.filter((_, index) => views[index]?.state === 'provisioning');
      expect(views.filter(({ state }) => state === 'ready')).toHaveLength(10);
      expect(waiting).toHaveLength(2);
      expect(views.find(({ state }) => state === 'provisioning')?.message).toMatch(
        /all 10 of the pool are taken/,
      );
      const leaving = tenants.filter((_, index) => views[index]?.state === 'ready').slice(0, 2);
      for (const tenant of leaving) await rig.teardown(tenant);
      for (const tenant of waiting) await rig.until(tenant, 'ready', 120);
      const held = await rig.leases();
      expect(new Set(held.map((lease) => lease.split(',')[0])).size).toBe(10);
    });
  });
});

/** The server takes ten updates of one run at a time; the API repeats in the same way. */
async function retryExhausted<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      if (
        attempt >= 20 ||
        !String(error instanceof Error ? error.cause : error).includes('RESOURCE_EXHAUSTED')
      )
        throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
