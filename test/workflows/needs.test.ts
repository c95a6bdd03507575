import { describe, expect, it } from 'vitest';
import type { SpecNotes } from '../../src/domain/spec-notes.ts';
import { inVirtualTime } from '../support/virtual-time.ts';

const run = inVirtualTime({ serverFor: 'file' });

const needs = { tasks: 10, memoryMebibytesPerTask: 1000, expectedSecondsPerJob: 60 };

function notesOf(tasks: number): SpecNotes {
  return {
    estimate: { region: 'us-east-1', pricesAsOf: '2026-07-20', idleUsdPerHour: 0.172, fullUsdPerHour: 0.377 },
    plan: { needs: { ...needs, tasks }, explanation: ['CPUs are what limits.'], seconds: 1560, usd: 0.5 },
  };
}

/** A queue of nodes of this type, as a release plans it. */
function planOf(instanceType: string): Record<string, unknown> {
  const computeResources = [{ name: 'c', instanceType, maxCount: 2 }];
  return { tier: undefined, queues: [{ name: 'plan', computeResources }] };
}

describe('a cluster that was planned from needs', () => {
  it('is the one that the same needs mean, although a later release plans another', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('planned');
      const { view } = await rig.ensure(tenant, rig.spec(planOf('c7a.large')), notesOf(10));
      expect(view).toMatchObject(notesOf(10));
      await rig.until(tenant, 'ready');
      const replanned = rig.spec(planOf('c8a.large'));
      const again = await rig.ensure(tenant, replanned, notesOf(10));
      expect(again.outcome).toBe('exists');
      expect(again.view).toMatchObject({ spec: view.spec, plan: notesOf(10).plan });
      const campaignId = 'nnnnnnnnnnnnnnnnnnnnnnnnnn';
      const asked = { spec: replanned, notes: notesOf(10) };
      expect(await rig.submit(tenant, campaignId, ['a'], asked)).toMatchObject({ outcome: 'accepted' });
      for (const refused of [
        async () => rig.ensure(tenant, replanned, notesOf(11)),
        async () => rig.ensure(tenant, replanned),
        async () =>
          rig.ensure(tenant, rig.spec({ ...planOf('c8a.large'), idleTimeoutSeconds: 60 }), notesOf(10)),
        async () =>
          rig.submit(tenant, 'oooooooooooooooooooooooooo', ['a'], { spec: replanned, notes: notesOf(11) }),
      ])
        await expect(refused()).rejects.toMatchObject({ cause: { type: 'ClusterSpecConflict' } });
      expect((await rig.untilCampaignEnds(tenant, campaignId)).state).toBe('succeeded');
    });
  });

  it('says why it is as it is and what it costs, also in the UI of Temporal, and its successor says nothing of it', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('explained');
      const spec = rig.spec(planOf('c7a.large'));
      await rig.submit(tenant, 'pppppppppppppppppppppppppp', ['a'], { spec, notes: notesOf(10) });
      await rig.until(tenant, 'ready');
      const { memo, details } = await rig.shown(tenant);
      expect(memo).toMatchObject(notesOf(10));
      expect(details).toContain(
        '- **cost** estimated: 0.172 USD an hour idle; 0.377 with all nodes; prices of 2026-07-20',
      );
      expect(details).toContain('- **planned** CPUs are what limits.');
      await rig.teardown(tenant);
      await rig.ensure(tenant, rig.spec());
      const next = await rig.until(tenant, 'ready');
      expect(next).not.toHaveProperty('plan');
      expect(next).not.toHaveProperty('estimate');
    });
  });

  it('refuses notes that are none, as they could be typed into the UI of Temporal', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('typed');
      const notes = { plan: { needs: { ...needs, tasks: 0 }, explanation: [], seconds: 1, usd: 1 } };
      await expect(rig.ensure(tenant, rig.spec(), notes)).rejects.toMatchObject({
        cause: { type: 'InvalidRequest', message: expect.stringContaining('notes.plan.needs.tasks') },
      });
    });
  });
});
