import { describe, expect, it } from 'vitest';
import { clusterName } from '../../src/domain/cluster-name.ts';
import { newEpochId, reaperWorkflowId } from '../../src/domain/ids.ts';
import type { Orphan } from '../../src/domain/orphans.ts';
import type { ReconcileReport } from '../../src/domain/sweep-report.ts';
import { inVirtualTime } from '../support/virtual-time.ts';

const run = inVirtualTime({ serverFor: 'file' });

describe('a sweep', () => {
  it('begins a teardown for each orphan, exports included, which ends when everything is gone', async () => {
    await run({ recordAs: 'orphan' }, async (rig) => {
      const tenant = rig.tenant('left-behind');
      const epoch = newEpochId(await rig.env.currentTimeMs(), '0123456789abcdef');
      const fileSystemId = `fs-${epoch}`;
      rig.world.lustre.set(fileSystemId, { isAutomatic: true, exports: [] });
      rig.world.stacks.set(clusterName(tenant), { epoch, subnetId: 'subnet-0000' });
      const orphan: Orphan = {
        ...tenant,
        clusterName: clusterName(tenant),
        epoch,
        resources: [
          { kind: 'lustre', id: fileSystemId },
          { kind: 'access-point', id: `fsap-${epoch}`, fileSystemId: 'fs-of-before' },
        ],
      };
      rig.world.accessPoints.add(`fsap-${epoch}`);
      const remnants = [{ kind: 'log-group' as const, id: '/a', because: 'It is empty.' }];
      rig.world.findings = { orphans: [orphan], lookAlikes: [], remnants, attended: 3 };
      const report = await rig.runWorkflow<ReconcileReport>('reconcile', 'reconcile-1');
      expect(report).toMatchObject({
        attended: 3,
        reapers: [reaperWorkflowId(orphan)],
        removed: [{ id: '/a', isRemoved: true }],
      });
      await rig.workflowResult(reaperWorkflowId(orphan));
      expect(rig.world.effects.filter((effect) => !effect.startsWith('remove '))).toEqual([
        'deleteStack',
        'exportLustre',
        'deleteLustre exported',
        'deleteHome of fs-of-before',
        'releaseSubnet',
      ]);
      expect(rig.world.effects).toContain('remove log-group /a');
      expect(rig.world.leftovers()).toEqual([]);
    });
  });
});
