import { describe, expect, it } from 'vitest';
import { clusterName } from '../../src/domain/cluster-name.ts';
import type { Deployment } from '../../src/domain/deployment.ts';
import { newEpochId, reaperWorkflowId } from '../../src/domain/ids.ts';
import type { Findings, Orphan } from '../../src/domain/orphans.ts';
import type { ReconcileReport } from '../../src/domain/sweep-report.ts';
import { resolveBlock } from '../../src/workflows/messages.ts';
import { inVirtualTime } from '../support/virtual-time.ts';
import type { WorkflowRig } from '../support/workflow-rig.ts';

const run = inVirtualTime({ serverFor: 'file' });
const NOTHING: Findings = { orphans: [], lookAlikes: [], attended: 0 };

async function lostDeployment(
  rig: WorkflowRig,
  project: string,
  random = '0123456789abcdef',
): Promise<Deployment> {
  const tenant = rig.tenant(project);
  const epoch = newEpochId(await rig.env.currentTimeMs(), random);
  return { ...tenant, clusterName: clusterName(tenant), epoch };
}

const keyOnly = (deployment: Deployment): Orphan => ({
  ...deployment,
  resources: [{ kind: 'key-pair', id: `key-${deployment.epoch}` }],
});

describe('a sweep', () => {
  it('begins a teardown for each orphan, exports included, which ends when everything is gone', async () => {
    await run({ recordAs: 'orphan' }, async (rig) => {
      const lost = await lostDeployment(rig, 'left-behind');
      const { epoch } = lost;
      const fileSystemId = `fs-${epoch}`;
      rig.world.lustre.set(fileSystemId, { isAutomatic: true, exports: [] });
      rig.world.stacks.set(lost.clusterName, { epoch, subnetId: 'subnet-0000' });
      const orphan: Orphan = {
        ...lost,
        resources: [
          { kind: 'lustre', id: fileSystemId },
          { kind: 'access-point', id: `fsap-${epoch}`, fileSystemId: 'fs-of-before' },
          { kind: 'subnet-lease', id: 'subnet-0000' },
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

  it('begins workflows that its own end does not touch', async () => {
    await run({}, async (rig) => {
      const orphan = keyOnly(await lostDeployment(rig, 'abandoned-child'));
      rig.world.findings = { ...NOTHING, orphans: [orphan] };
      await rig.runWorkflow('reconcile', 'reconcile-children');
      const { events } = await rig.client.workflow.getHandle('reconcile-children').fetchHistory();
      const [begun] = (events ?? []).flatMap(
        (event) => event.startChildWorkflowExecutionInitiatedEventAttributes ?? [],
      );
      // The time-skipping server does not act on it.
      expect(begun?.parentClosePolicy).toBe(2 /* PARENT_CLOSE_POLICY_ABANDON */);
      await rig.workflowResult(reaperWorkflowId(orphan));
    });
  });

  it('gives back once more what is left after an earlier try', async () => {
    await run({}, async (rig) => {
      const orphan = keyOnly(await lostDeployment(rig, 'again'));
      rig.world.findings = { ...NOTHING, orphans: [orphan] };
      for (const sweep of ['reconcile-first', 'reconcile-second']) {
        expect(await rig.runWorkflow('reconcile', sweep)).toMatchObject({
          reapers: [reaperWorkflowId(orphan)],
        });
        await rig.workflowResult(reaperWorkflowId(orphan));
      }
      expect(rig.world.calls.get('deleteStack')).toBe(2);
    });
  });

  it('leaves to another sweep what that has begun, and begins the rest', async () => {
    await run({}, async (rig) => {
      const first = keyOnly(await lostDeployment(rig, 'first'));
      const other = keyOnly(await lostDeployment(rig, 'other', 'fedcba9876543210'));
      rig.world.failOn('deleteStack', 'StackDeleteFailed', { times: 1 });
      rig.world.findings = { ...NOTHING, orphans: [first] };
      await rig.runWorkflow('reconcile', 'reconcile-faster');
      rig.world.findings = { ...NOTHING, orphans: [first, other] };
      const report = await rig.runWorkflow<ReconcileReport>('reconcile', 'reconcile-slower');
      expect(report.reapers).toEqual([reaperWorkflowId(other)]);
      expect(report.notes).toEqual([]);
      await rig.client.workflow
        .getHandle(reaperWorkflowId(first))
        .executeUpdate(resolveBlock, { args: [{ choice: 'retry', by: 'alex', reason: 'it can go' }] });
      for (const orphan of [first, other]) await rig.workflowResult(reaperWorkflowId(orphan));
    });
  });

  it('begins the others when nothing can be read of one', async () => {
    await run({}, async (rig) => {
      const one = keyOnly(await lostDeployment(rig, 'unreadable'));
      const other = keyOnly(await lostDeployment(rig, 'readable', 'fedcba9876543210'));
      rig.world.findings = { ...NOTHING, orphans: [one, other] };
      const hits = (request: unknown) => JSON.stringify(request).includes(one.epoch);
      rig.world.failOn('readDeployment', 'AwsAccessDenied', { hits });
      const report = await rig.runWorkflow<ReconcileReport>('reconcile', 'reconcile-unreadable');
      expect(report.reapers).toEqual([reaperWorkflowId(other)]);
      expect(report.notes).toEqual([expect.stringContaining('planted AwsAccessDenied')]);
      await rig.workflowResult(reaperWorkflowId(other));
    });
  });
});

describe('the lease of an orphan', () => {
  const leased = async (rig: WorkflowRig, project: string) => {
    const tenant = rig.tenant(project);
    await rig.readyCluster(tenant);
    const { epoch = '', subnetId = '' } = await rig.view(tenant);
    await rig.cluster(tenant).terminate('it is lost');
    rig.world.stacks.clear();
    return { deployment: { ...tenant, clusterName: clusterName(tenant), epoch }, subnetId };
  };

  it('stays while the survey says that somebody is in its subnet, also when everything else goes', async () => {
    await run({}, async (rig) => {
      const { deployment, subnetId } = await leased(rig, 'in-use');
      const before = await rig.leases();
      rig.world.findings = {
        ...NOTHING,
        orphans: [keyOnly(deployment)],
        lookAlikes: [{ kind: 'subnet-lease', id: subnetId, because: 'eni-1 is in it.' }],
      };
      await rig.runWorkflow('reconcile', 'reconcile-in-use');
      await rig.workflowResult(reaperWorkflowId(deployment));
      expect(rig.world.effects).toContain('deleteKeyPair admin');
      expect(await rig.leases()).toEqual(before);
    });
  });

  it('stays when somebody is in its subnet by the time that it would go', async () => {
    await run({}, async (rig) => {
      const { deployment, subnetId } = await leased(rig, 'moved-in');
      const before = await rig.leases();
      const orphan: Orphan = { ...deployment, resources: [{ kind: 'subnet-lease', id: subnetId }] };
      rig.world.findings = { ...NOTHING, orphans: [orphan] };
      rig.world.inhabitants.set(subnetId, 'The network interface eni-1 is in it.');
      await rig.runWorkflow('reconcile', 'reconcile-moved-in');
      await rig.workflowResult(reaperWorkflowId(deployment));
      expect(await rig.leases()).toEqual(before);
      rig.world.inhabitants.clear();
      await rig.runWorkflow('reconcile', 'reconcile-moved-out');
      await rig.workflowResult(reaperWorkflowId(deployment));
      expect(await rig.leases()).toEqual([]);
    });
  });
});

describe('a sweep that finds most deployments left behind at once', () => {
  const manyOrphans = async (rig: WorkflowRig) =>
    Promise.all(
      Array.from({ length: 6 }, async (_, index) =>
        keyOnly(await lostDeployment(rig, `many-${index}`, `abcd${index}`)),
      ),
    );

  it('begins and removes nothing, and says how it would', async () => {
    await run({}, async (rig) => {
      const remnants = [{ kind: 'log-group' as const, id: '/a', because: 'It is empty.' }];
      rig.world.findings = { ...NOTHING, remnants, orphans: await manyOrphans(rig), deployments: 11 };
      const report = await rig.runWorkflow<ReconcileReport>('reconcile', 'reconcile-braked');
      expect(report).toMatchObject({ reapers: [], removed: [] });
      expect(report.brake).toContain('6 of 11 deployments');
      expect(report.commands).toEqual([expect.stringContaining(`--input '{"beginUpTo":6}'`)]);
      expect(rig.world.effects).toEqual([]);
    });
  });

  it('begins when an operator has said how many may go, and they are no more', async () => {
    await run({}, async (rig) => {
      const orphans = await manyOrphans(rig);
      rig.world.findings = { ...NOTHING, orphans, deployments: 6 };
      const sweep = async (id: string, beginUpTo: number) =>
        rig.runWorkflow<ReconcileReport>('reconcile', id, { beginUpTo });
      expect((await sweep('reconcile-too-few', 5)).reapers).toEqual([]);
      expect((await sweep('reconcile-enough', 6)).reapers).toHaveLength(6);
      for (const orphan of orphans) await rig.workflowResult(reaperWorkflowId(orphan));
    });
  });

  it('refuses an input that it does not understand, before it looks', async () => {
    await run({}, async (rig) => {
      const failure = await rig
        .runWorkflow('reconcile', 'reconcile-misspelt', { beginUpto: 6 })
        .catch((error: unknown) => error);
      expect(failure).toMatchObject({
        cause: { type: 'InvalidRequest', message: expect.stringContaining('beginUpto') },
      });
      expect(rig.world.calls.get('surveyOrphans')).toBeUndefined();
    });
  });
});
