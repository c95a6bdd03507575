import { describe, expect, it } from 'vitest';
import { clusterName } from '../../src/domain/cluster-name.ts';
import type { Deployment } from '../../src/domain/deployment.ts';
import { reaperWorkflowId } from '../../src/domain/ids.ts';
import type { OrphanResource } from '../../src/domain/orphans.ts';
import type { ReconcileReport } from '../../src/domain/sweep-report.ts';
import { CLUSTER_VIEW_MEMO } from '../../src/domain/cluster-view.ts';
import { inVirtualTime } from '../support/virtual-time.ts';
import type { WorkflowRig } from '../support/workflow-rig.ts';

/* A ready cluster with mounted buckets loses its workflow, and the sweep gives it back. */
const run = inVirtualTime({ serverFor: 'file' });
const NODE: OrphanResource = {
  kind: 'instance',
  id: 'i-1',
  billed: { as: 'instance', instanceType: 't3.medium', isRunning: true, isSpot: false },
};

async function lose(rig: WorkflowRig, project: string, spec: Record<string, unknown>): Promise<Deployment> {
  const tenant = rig.tenant(project);
  await rig.ensure(tenant, rig.spec(spec));
  await rig.until(tenant, 'ready');
  await rig.pass(5);
  const { epoch = '' } = await rig.view(tenant);
  await rig.cluster(tenant).terminate('it is lost');
  rig.world.effects.length = 0;
  return { ...tenant, clusterName: clusterName(tenant), epoch };
}

async function sweep(
  rig: WorkflowRig,
  lost: Deployment,
  nodes: readonly OrphanResource[] = [NODE],
): Promise<ReconcileReport> {
  const orphan = { ...lost, resources: [{ kind: 'stack' as const, id: 'arn' }, ...nodes] };
  rig.world.findings = { orphans: [orphan], lookAlikes: [], attended: 0 };
  return rig.runWorkflow('reconcile', `reconcile-${lost.projectId}`);
}

const viewOf = async (rig: WorkflowRig, lost: Deployment) => {
  const { memo } = await rig.client.workflow.getHandle(reaperWorkflowId(lost)).describe();
  return memo?.[CLUSTER_VIEW_MEMO];
};

describe('what gives an orphan back', () => {
  it('ends its jobs, copies their last logs and waits for what they write, before its stack goes', async () => {
    await run({ recordAs: 'reaper' }, async (rig) => {
      const lost = await lose(rig, 'drained', { s3Mounts: true });
      const slurm = rig.world.slurmOf(lost.clusterName);
      slurm.submit({ campaignId: 'c', jobKey: 'long', submitMs: 0, durationMs: 1e9, exitCode: 0 }, [], []);
      expect((await sweep(rig, lost)).notes).toEqual([]);
      await rig.workflowResult(reaperWorkflowId(lost));
      expect(rig.world.calls.get('cancelJobs')).toBe(1);
      expect(rig.world.effects.slice(0, 3)).toEqual(['copyLastLogs', 'settleS3Writes', 'deleteStack']);
      expect(rig.world.usageRecords.at(-1)).toMatchObject({ isLast: true, hasStack: true });
      expect(rig.world.leftovers()).toEqual([]);
    });
  });

  it('stays blocked while the head node says that something is being written', async () => {
    await run({}, async (rig) => {
      const lost = await lose(rig, 'writing', { s3Mounts: true });
      rig.world.failOn('settleS3Writes', 'S3WritesUnfinished');
      await sweep(rig, lost);
      await rig.pass(3 * 86_400);
      expect(await viewOf(rig, lost)).toMatchObject({
        state: 'blocked',
        failure: { type: 'S3WritesUnfinished' },
      });
      expect(rig.world.leftovers()).toContainEqual(expect.stringContaining('stack'));
      await rig.client.workflow.getHandle(reaperWorkflowId(lost)).terminate('the test is over');
    });
  });

  it('asks a head node for a day that runs and does not answer, then keeps that it was given up', async () => {
    await run({}, async (rig) => {
      const lost = await lose(rig, 'silent', { s3Mounts: true });
      const hits = (request: unknown) => !JSON.stringify(request).includes('discard');
      rig.world.failOn('settleS3Writes', 'HeadNodeUnreachable', { hits });
      rig.world.failOn('cancelJobs', 'HeadNodeUnreachable');
      await sweep(rig, lost);
      await rig.pass(23 * 3600);
      expect(rig.world.effects).not.toContain('deleteStack');
      await rig.pass(3 * 3600);
      await rig.workflowResult(reaperWorkflowId(lost));
      expect(rig.world.effects.slice(0, 3)).toEqual([
        'copyLastLogs',
        'settleS3Writes discarded by the sweep',
        'deleteStack',
      ]);
    });
  });

  it('does not wait for a head node that EC2 shows nothing of', async () => {
    await run({}, async (rig) => {
      const lost = await lose(rig, 'dead', { s3Mounts: true });
      const hits = (request: unknown) => !JSON.stringify(request).includes('discard');
      rig.world.failOn('settleS3Writes', 'HeadNodeUnreachable', { hits });
      expect((await sweep(rig, lost, [])).notes).toEqual([
        expect.stringContaining('EC2 shows no node of it that runs'),
      ]);
      await rig.pass(2 * 3600);
      await rig.workflowResult(reaperWorkflowId(lost));
      expect(rig.world.effects).toContain('settleS3Writes discarded by the sweep');
    });
  });

  it('says when nothing is kept of how its head node is reached, and goes on', async () => {
    await run({}, async (rig) => {
      const lost = await lose(rig, 'of-before', {});
      rig.world.keptDeployments.clear();
      const { notes } = await sweep(rig, lost);
      expect(notes).toEqual([expect.stringContaining('Nothing is kept of how its head node is reached')]);
      await rig.workflowResult(reaperWorkflowId(lost));
      expect(rig.world.effects[0]).toBe('deleteStack');
    });
  });

  it('waits for the list of file systems where the cluster may have Lustre', async () => {
    await run({}, async (rig) => {
      const lost = await lose(rig, 'unlisted', {});
      const orphan = { ...lost, resources: [{ kind: 'stack' as const, id: 'arn' }] };
      const unlisted = [{ what: 'lustre' as const, because: 'AWS denied it' }];
      rig.world.findings = { orphans: [orphan], lookAlikes: [], attended: 0, unlisted };
      const kept = rig.world.keptDeployments.get(lost.epoch);
      rig.world.keptDeployments.delete(lost.epoch);
      const held = await rig.runWorkflow<ReconcileReport>('reconcile', 'reconcile-held');
      expect(held).toMatchObject({ reapers: [], notes: [expect.stringContaining('AWS denied it')] });
      // It is known to have none.
      if (kept) rig.world.keptDeployments.set(lost.epoch, kept);
      const begun = await rig.runWorkflow<ReconcileReport>('reconcile', 'reconcile-known');
      expect(begun.reapers).toEqual([reaperWorkflowId(lost)]);
      await rig.workflowResult(reaperWorkflowId(lost));
    });
  });
});

describe('what is kept of a deployment', () => {
  it('is how it is reached before it has jobs, and what it was changed to', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('kept');
      await rig.readyCluster(tenant);
      const { epoch = '', access } = await rig.view(tenant);
      const kept = rig.world.keptDeployments.get(epoch);
      expect(kept).toMatchObject({ spec: { tier: 'debug', idleTimeoutSeconds: 120 } });
      expect(kept?.access).toMatchObject({ hostKey: access?.hostKey });
    });
  });

  it('is tried again at the next look when it fails, and the cluster is ready all the same', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('kept-later');
      rig.world.failOn('keepDeployment', 'AwsUnavailable', { times: 3 });
      await rig.ensure(tenant, rig.spec({ idleTimeoutSeconds: 3600 }));
      await rig.until(tenant, 'ready');
      await rig.pass(700);
      expect([...rig.world.keptDeployments.keys()]).toEqual([(await rig.view(tenant)).epoch]);
      expect(rig.world.calls.get('keepDeployment')).toBe(4);
    });
  });
});
