import { describe, expect, it } from 'vitest';
import { clusterName } from '../../src/domain/cluster-name.ts';
import type { Deployment } from '../../src/domain/deployment.ts';
import { newEpochId, reaperWorkflowId } from '../../src/domain/ids.ts';
import type { OrphanResource } from '../../src/domain/orphans.ts';
import type { ReconcileReport } from '../../src/domain/sweep-report.ts';
import { resolveBlock } from '../../src/workflows/messages.ts';
import { planReaper } from '../../src/domain/reaper.ts';
import { inVirtualTime } from '../support/virtual-time.ts';
import type { WorkflowRig } from '../support/workflow-rig.ts';

/* A ready cluster with mounted buckets loses its workflow, and the sweep gives it back. */
// After a workflow was started by another one, the time-skipping server may never skip again.
const run = inVirtualTime({ serverFor: 'test' });
const NODE: OrphanResource = {
  kind: 'instance',
  id: 'i-1',
  billed: { as: 'instance', instanceType: 't3.medium', isRunning: true, isSpot: false },
};

/** A cluster that was ready, and whose workflow is no more. */
async function lose(
  rig: WorkflowRig,
  project: string,
  spec: Record<string, unknown> = {},
): Promise<Deployment> {
  const tenant = rig.tenant(project);
  const epoch = newEpochId(await rig.env.currentTimeMs(), '0123456789abcdef');
  rig.world.addStack(tenant, epoch);
  const access = {
    address: '127.0.1.1',
    port: 22,
    user: 'sim',
    hostKey: 'ssh-ed25519 HOST',
    privateKeySecretArn: 'arn:fake',
  };
  const startedAt = new Date(await rig.env.currentTimeMs()).toISOString();
  rig.world.keptDeployments.set(epoch, { spec: rig.spec(spec), access, startedAt });
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

/** Begins it without a sweep: beside a child workflow the time-skipping server stands still. */
async function reap(rig: WorkflowRig, lost: Deployment, nodes: readonly OrphanResource[]): Promise<void> {
  const orphan = { ...lost, resources: [{ kind: 'stack' as const, id: 'arn' }, ...nodes] };
  const now = new Date(await rig.env.currentTimeMs()).toISOString();
  const { snapshot } = planReaper(orphan, rig.world.keptDeployments.get(lost.epoch), now);
  const { deployment } = snapshot;
  // A day would be a thousand tries.
  const patience = deployment?.orphan?.giveUpAfterSeconds ? 7200 : 0;
  await rig.start(lost, {
    ...snapshot,
    ...(deployment && { deployment: { ...deployment, orphan: { giveUpAfterSeconds: patience } } }),
  });
}

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
      await reap(rig, lost, [NODE]);
      await rig.pass(3 * 86_400);
      expect(await rig.view(lost)).toMatchObject({
        state: 'blocked',
        failure: { type: 'S3WritesUnfinished' },
      });
      expect(rig.world.leftovers()).toContainEqual(expect.stringContaining('stack'));
      rig.world.heal('settleS3Writes');
      await rig.cluster(lost).executeUpdate(resolveBlock, {
        args: [{ choice: 'retry', by: 'alex', reason: 'it has ended' }],
      });
      await rig.cluster(lost).result();
      expect(rig.world.effects).toContain('settleS3Writes');
    });
  });

  it('asks a head node again and again that runs and does not answer, then keeps that it was given up', async () => {
    await run({}, async (rig) => {
      const lost = await lose(rig, 'silent', { s3Mounts: true });
      const hits = (request: unknown) => !JSON.stringify(request).includes('discard');
      rig.world.failOn('settleS3Writes', 'HeadNodeUnreachable', { hits });
      rig.world.failOn('cancelJobs', 'HeadNodeUnreachable');
      await reap(rig, lost, [NODE]);
      await rig.pass(7200);
      expect(rig.world.effects).not.toContain('deleteStack');
      await rig.pass(7200);
      await rig.cluster(lost).result();
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
      await reap(rig, lost, []);
      await rig.pass(2 * 3600);
      await rig.cluster(lost).result();
      expect(rig.world.effects).toContain('settleS3Writes discarded by the sweep');
    });
  });

  it('says when nothing is kept of how its head node is reached, and goes on', async () => {
    await run({}, async (rig) => {
      const lost = await lose(rig, 'of-before');
      rig.world.keptDeployments.clear();
      const { notes } = await sweep(rig, lost);
      expect(notes).toEqual([expect.stringContaining('Nothing is kept of how its head node is reached')]);
      await rig.workflowResult(reaperWorkflowId(lost));
      expect(rig.world.effects[0]).toBe('deleteStack');
    });
  });

  it('waits for the list of file systems where the cluster may have Lustre', async () => {
    await run({}, async (rig) => {
      const lost = await lose(rig, 'unlisted');
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
  it('is how it is reached, from the moment on in which it is ready', async () => {
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
      rig.world.failOn('keepDeployment', 'AwsAccessDenied', { times: 1 });
      await rig.ensure(tenant, rig.spec({ idleTimeoutSeconds: 3600 }));
      await rig.until(tenant, 'ready');
      await rig.pass(700);
      expect([...rig.world.keptDeployments.keys()]).toEqual([(await rig.view(tenant)).epoch]);
      expect(rig.world.calls.get('keepDeployment')).toBe(2);
    });
  });
});
