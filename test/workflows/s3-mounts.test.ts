import { describe, expect, it } from 'vitest';
import type { Tenant } from '../../src/domain/ids.ts';
import type { Resolution } from '../../src/domain/lifetime.ts';
import { resolveBlock } from '../../src/workflows/messages.ts';
import { inVirtualTime } from '../support/virtual-time.ts';
import type { WorkflowRig } from '../support/workflow-rig.ts';

const run = inVirtualTime({ serverFor: 'file' });
const MOUNTS = { s3Mounts: true };

const resolve = async (rig: WorkflowRig, tenant: Tenant, choice: Resolution['choice']) =>
  rig.cluster(tenant).executeUpdate(resolveBlock, {
    args: [{ choice, by: 'operator@example.org', reason: 'looked at it' }],
  });

const orderOf = (rig: WorkflowRig) => rig.world.effects.filter((effect) => /s3|deleteStack/i.test(effect));

describe('a cluster that mounts buckets', () => {
  it('goes when everything that was written is in S3, and not before', async () => {
    await run({ recordAs: 's3-mounts' }, async (rig) => {
      const tenant = rig.tenant('whole-life');
      await rig.ensure(tenant, rig.spec(MOUNTS));
      await rig.until(tenant, 'ready');
      await rig.until(tenant, 'deleted');
      expect(orderOf(rig)).toEqual(['settleS3Writes', 'deleteStack']);
      expect(rig.world.leftovers()).toEqual([]);
    });
  });

  it('stays while something is written, says what, and goes on when that has ended', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('mended');
      await rig.ensure(tenant, rig.spec(MOUNTS));
      await rig.until(tenant, 'ready');
      rig.world.failOn('settleS3Writes', 'S3WritesUnfinished');
      await rig.teardown(tenant);
      const blocked = await rig.until(tenant, 'blocked');
      expect(blocked).toMatchObject({
        failure: { type: 'S3WritesUnfinished' },
        choices: ['retry', 'abandon', 'discard'],
      });
      expect(rig.world.leftovers()).toContainEqual(expect.stringContaining('stack'));
      rig.world.heal('settleS3Writes');
      await resolve(rig, tenant, 'retry');
      expect((await rig.until(tenant, 'deleted')).failure).toBeUndefined();
      expect(orderOf(rig)).toEqual(['settleS3Writes', 'deleteStack']);
    });
  });

  it('goes with what is being written only when somebody says so by name, which is kept first', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('discarded');
      await rig.ensure(tenant, rig.spec(MOUNTS));
      await rig.until(tenant, 'ready');
      rig.world.failOn('settleS3Writes', 'S3WritesUnfinished');
      await rig.teardown(tenant);
      await rig.until(tenant, 'blocked');
      rig.world.heal('settleS3Writes');
      await resolve(rig, tenant, 'discard');
      await rig.until(tenant, 'deleted');
      expect(orderOf(rig)).toEqual(['settleS3Writes discarded by operator@example.org', 'deleteStack']);
    });
  });

  it('is not asked to wait for anything where nothing is mounted', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('without');
      await rig.ensure(tenant, rig.spec());
      await rig.until(tenant, 'deleted');
      expect(orderOf(rig)).toEqual(['deleteStack']);
    });
  });

  it('is ready again, in the same epoch, when it is called back meanwhile', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('called-back');
      await rig.ensure(tenant, rig.spec(MOUNTS));
      const { epoch } = await rig.until(tenant, 'ready');
      const goOn = rig.world.holdBack('settleS3Writes');
      // Time stands still while it is held back.
      const idle = rig.pass(130);
      await expect.poll(() => rig.world.calls.get('settleS3Writes') ?? 0, { timeout: 20_000 }).toBe(1);
      await rig.ensure(tenant, rig.spec(MOUNTS));
      goOn();
      await idle;
      const view = await rig.until(tenant, 'ready');
      expect(view.epoch).toBe(epoch);
      expect(orderOf(rig)).not.toContain('deleteStack');
    });
  });
});
