import { describe, expect, it } from 'vitest';
import type { ExportProblem } from '../../src/domain/export-proof.ts';
import type { Tenant } from '../../src/domain/ids.ts';
import type { Resolution } from '../../src/domain/lifetime.ts';
import { resolveBlock } from '../../src/workflows/messages.ts';
import { inVirtualTime } from '../support/virtual-time.ts';
import type { WorkflowRig } from '../support/workflow-rig.ts';

const run = inVirtualTime({ serverFor: 'file' });
const LUSTRE = { lustre: { sizeGibibytes: 2400 } };
const tooLong: ExportProblem = {
  kind: 'files-not-exported',
  message: 'FSx could not write 1 of 7 files to S3.',
  files: [{ path: 'scratch/too-long', error: 'PathSizeTooLong' }],
  fileCount: 1,
};

const resolve = async (rig: WorkflowRig, tenant: Tenant, choice: Resolution['choice']) =>
  rig.cluster(tenant).executeUpdate(resolveBlock, {
    args: [{ choice, by: 'operator@example.org', reason: 'looked at it' }],
  });

const orderOf = (rig: WorkflowRig) =>
  rig.world.effects.filter((effect) => /lustre|stack|subnet/i.test(effect));

describe('a cluster with Lustre', () => {
  it('gets the file system before the stack, and gives it back after it, twice exported', async () => {
    await run({ recordAs: 'lustre' }, async (rig) => {
      const tenant = rig.tenant('whole-life');
      await rig.ensure(tenant, rig.spec(LUSTRE));
      const ready = await rig.until(tenant, 'ready');
      expect(ready.lustre).toEqual({ fileSystemId: `fs-${ready.epoch}` });
      await rig.until(tenant, 'deleted');
      expect(orderOf(rig)).toEqual([
        'leaseSubnet',
        'ensureLustre',
        'createStack',
        'exportLustre mounted',
        'deleteStack',
        'exportLustre',
        'deleteLustre exported',
        'releaseSubnet',
      ]);
      expect(rig.world.leftovers()).toEqual([]);
    });
  });

  it('whose stack could not be made is exported all the same: a node may have written', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('failed-stack');
      rig.world.failOn('createStack', 'StackCreateFailed', { afterEffect: true });
      await rig.ensure(tenant, rig.spec(LUSTRE));
      await rig.until(tenant, 'failed');
      expect(orderOf(rig).slice(-4)).toEqual([
        'deleteStack',
        'exportLustre',
        'deleteLustre exported',
        'releaseSubnet',
      ]);
    });
  });

  it('whose file system could not be made fails, and what FSx began is deleted', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('failed-lustre');
      rig.world.failOn('ensureLustre', 'LustreCreateFailed', { afterEffect: true });
      await rig.ensure(tenant, rig.spec(LUSTRE));
      const view = await rig.until(tenant, 'failed');
      expect(view.failure?.type).toBe('LustreCreateFailed');
      expect(orderOf(rig)).toEqual([
        'leaseSubnet',
        'ensureLustre',
        'deleteLustre never-mounted',
        'releaseSubnet',
      ]);
    });
  });
});

describe('homes on EFS', () => {
  it('are there before the stack, and only the way to them goes after it', async () => {
    await run({ recordAs: 'homes-on-efs' }, async (rig) => {
      const tenant = rig.tenant('homes');
      rig.world.hasEfs = true;
      await rig.ensure(tenant, rig.spec());
      await rig.until(tenant, 'deleted');
      expect(rig.world.effects.filter((effect) => /home|stack|subnet/i.test(effect))).toEqual([
        'leaseSubnet',
        'ensureHome',
        'createStack',
        'deleteStack',
        'deleteHome',
        'releaseSubnet',
      ]);
      expect(rig.world.leftovers()).toEqual([]);
    });
  });
});

describe('data that cannot be exported', () => {
  it('keeps the cluster with its nodes, says what it is, and goes on when it is mended', async () => {
    await run({ recordAs: 'lustre-blocked' }, async (rig) => {
      const tenant = rig.tenant('mended');
      await rig.ensure(tenant, rig.spec(LUSTRE));
      await rig.until(tenant, 'ready');
      rig.world.exportProblems = [tooLong];
      const blocked = await rig.until(tenant, 'blocked');
      expect(blocked).toMatchObject({
        failure: {
          type: 'LustreNotExported',
          message: 'FSx could not write 1 of 7 files to S3. scratch/too-long (PathSizeTooLong).',
        },
        lustre: { notExported: [tooLong] },
        choices: ['retry', 'abandon', 'discard'],
      });
      expect(rig.world.leftovers()).toContainEqual(expect.stringContaining('stack'));
      const { details } = await rig.shown(tenant);
      expect(details).toContain('scratch/too-long');
      rig.world.exportProblems = [];
      await resolve(rig, tenant, 'retry');
      const view = await rig.until(tenant, 'deleted');
      expect(view.failure).toBeUndefined();
      expect(orderOf(rig).at(-2)).toBe('deleteLustre exported');
      expect(rig.world.leftovers()).toEqual([]);
    });
  });

  it('that was written at last blocks the file system, when the stack is gone', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('at-last');
      await rig.ensure(tenant, rig.spec(LUSTRE));
      await rig.until(tenant, 'ready');
      const goOn = rig.world.holdBack('deleteStack');
      await rig.teardown(tenant);
      await expect.poll(() => rig.world.calls.get('deleteStack') ?? 0, { timeout: 10_000 }).toBe(1);
      rig.world.exportProblems = [tooLong];
      goOn();
      await rig.until(tenant, 'blocked');
      expect(rig.world.leftovers().filter((left) => !left.startsWith('key'))).toEqual([
        expect.stringContaining('file system'),
      ]);
      rig.world.exportProblems = [];
      await resolve(rig, tenant, 'retry');
      await rig.until(tenant, 'deleted');
      expect(orderOf(rig).at(-2)).toBe('deleteLustre exported');
    });
  });

  it('goes only when somebody says so by name', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('discarded');
      await rig.ensure(tenant, rig.spec(LUSTRE));
      await rig.until(tenant, 'ready');
      rig.world.exportProblems = [tooLong];
      await rig.until(tenant, 'blocked');
      await resolve(rig, tenant, 'discard');
      await rig.until(tenant, 'deleted');
      expect(orderOf(rig).at(-2)).toBe('deleteLustre discard');
    });
  });

  it('gives up nothing that is written after the cluster was called back', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('given-up-once');
      const spec = rig.spec(LUSTRE);
      await rig.ensure(tenant, spec);
      await rig.until(tenant, 'ready');
      rig.world.exportProblems = [tooLong];
      await rig.until(tenant, 'blocked');
      rig.world.exportProblems = [];
      const letGo = rig.world.holdBack('recordUsage');
      await resolve(rig, tenant, 'discard');
      await rig.untilView(tenant, ({ state }) => state === 'exporting');
      await rig.ensure(tenant, spec);
      letGo();
      const back = await rig.until(tenant, 'ready');
      expect(back.failure).toBeUndefined();
      expect(back.lustre?.discard).toBeUndefined();
      const before = orderOf(rig).length;
      await rig.until(tenant, 'deleted');
      expect(orderOf(rig).slice(before)).toEqual([
        'exportLustre mounted',
        'deleteStack',
        'exportLustre',
        'deleteLustre exported',
        'releaseSubnet',
      ]);
    });
  });

  it('does not bring a cluster back that has begun to go', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('half-gone');
      await rig.ensure(tenant, rig.spec(LUSTRE));
      await rig.until(tenant, 'ready');
      rig.world.exportProblems = [tooLong];
      await rig.until(tenant, 'blocked');
      rig.world.failOn('deleteStack', 'StackDeleteFailed');
      await resolve(rig, tenant, 'discard');
      await rig.pass(5);
      expect((await rig.until(tenant, 'blocked')).failure?.type).toBe('StackDeleteFailed');
      const goOn = rig.world.holdBack('deleteStack');
      await resolve(rig, tenant, 'retry');
      await expect.poll(() => rig.world.calls.get('deleteStack') ?? 0, { timeout: 10_000 }).toBe(2);
      expect((await rig.view(tenant)).state).toBe('deleting');
      rig.world.heal('deleteStack');
      goOn();
      await rig.until(tenant, 'blocked');
      await resolve(rig, tenant, 'retry');
      await rig.until(tenant, 'deleted');
      expect(orderOf(rig).at(-2)).toBe('deleteLustre discard');
    });
  });

  it('is not given up by an answer to another problem', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('other-problem');
      await rig.ensure(tenant, rig.spec(LUSTRE));
      await rig.until(tenant, 'ready');
      rig.world.failOn('deleteStack', 'StackDeleteFailed');
      await rig.teardown(tenant);
      expect((await rig.until(tenant, 'blocked')).choices).toEqual(['retry', 'abandon']);
      await expect(resolve(rig, tenant, 'discard')).rejects.toMatchObject({
        cause: { type: 'InvalidRequest' },
      });
    });
  });
});

describe('a cluster that is called back while it is exported', () => {
  it('exports by itself again', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('called-back');
      await rig.ensure(tenant, rig.spec(LUSTRE));
      const { epoch } = await rig.until(tenant, 'ready');
      const goOn = rig.world.holdBack('exportLustre');
      // Time stands still while the export is held back.
      const idle = rig.pass(130);
      await expect.poll(() => rig.world.calls.get('exportLustre') ?? 0, { timeout: 20_000 }).toBe(1);
      await rig.ensure(tenant, rig.spec(LUSTRE));
      goOn();
      await idle;
      await expect.poll(() => rig.world.effects.at(-1), { timeout: 10_000 }).toBe('automaticExport on');
      expect((await rig.view(tenant)).state).toBe('ready');
      expect((await rig.view(tenant)).epoch).toBe(epoch);
      expect(rig.world.lustre.get(`fs-${epoch}`)?.isAutomatic).toBe(true);
    });
  });

  it('is looked at as before while FSx does not do that, and says why', async () => {
    await run({ policy: { idleTickSeconds: 15 } }, async (rig) => {
      const tenant = rig.tenant('stays-off');
      await rig.ensure(tenant, rig.spec(LUSTRE));
      await rig.until(tenant, 'ready');
      const goOn = rig.world.holdBack('exportLustre');
      const idle = rig.pass(130);
      await expect.poll(() => rig.world.calls.get('exportLustre') ?? 0, { timeout: 20_000 }).toBe(1);
      rig.world.failOn('setAutomaticExport', 'LustreLinkFailed');
      await rig.ensure(tenant, rig.spec(LUSTRE));
      goOn();
      await idle;
      const looks = () => rig.world.calls.get('observeSlurm') ?? 0;
      const before = looks();
      await rig.pass(60);
      expect((await rig.view(tenant)).lustre?.automaticExportProblem).toBe('planted LustreLinkFailed');
      expect(looks()).toBeGreaterThan(before);
      rig.world.heal('setAutomaticExport');
      await rig.pass(30);
      expect((await rig.view(tenant)).lustre).not.toHaveProperty('automaticExportProblem');
    });
  });
});
