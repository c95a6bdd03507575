import {
  ParentClosePolicy,
  setCurrentDetails,
  startChild,
  WorkflowIdReusePolicy,
} from '@temporalio/workflow';
import { type ClusterSnapshot, defaultClusterPolicy } from '../domain/cluster-snapshot.ts';
import { reaperWorkflowId } from '../domain/ids.ts';
import type { Orphan } from '../domain/orphans.ts';
import { type ReconcileReport, renderSweep, reportOf } from '../domain/sweep-report.ts';
import { activities } from './activities.ts';
import { nowIso } from './clock.ts';

/**
 * One sweep: finds deployments in AWS that no workflow looks after, and begins a workflow for each that gives it back as a
 * teardown does, exports included. Its result is the report.
 */
export async function reconcile(): Promise<ReconcileReport> {
  const findings = await activities.surveyOrphans();
  const reapers: string[] = [];
  for (const orphan of findings.orphans) {
    const { virtualLabId, projectId, epoch } = orphan;
    const workflowId = reaperWorkflowId(orphan);
    try {
      await startChild('cluster', {
        workflowId,
        args: [
          { virtualLabId, projectId, policy: defaultClusterPolicy, snapshot: snapshotOf(orphan, nowIso()) },
        ],
        // One that ended before left something behind: it is tried again.
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
        parentClosePolicy: ParentClosePolicy.ABANDON,
        staticSummary: `Left behind by ${virtualLabId}/${projectId}, epoch ${epoch}`,
      });
      reapers.push(workflowId);
    } catch (error) {
      // Another sweep was faster.
      if (!(error instanceof Error) || error.name !== 'WorkflowExecutionAlreadyStartedError') throw error;
    }
  }
  const { remnants = [] } = findings;
  // Findings of an older release have none, so that its runs replay without this.
  const removed = remnants.length > 0 ? await activities.removeRemnants({ remnants }) : [];
  const report = reportOf(findings, { at: nowIso(), reapers, removed });
  setCurrentDetails(renderSweep(report));
  return report;
}

/** An entity in the middle of a teardown that ends when everything is gone. What is there is asked of AWS by the epoch. */
function snapshotOf({ epoch, resources }: Orphan, now: string): ClusterSnapshot {
  const lustre = resources.find(({ kind }) => kind === 'lustre');
  const home = resources.find(({ kind }) => kind === 'access-point');
  const reason = 'The sweep found it in AWS, and no workflow looked after it.';
  return {
    version: 1,
    state: 'deleting',
    since: now,
    message: reason,
    cancelled: true,
    teardown: { kind: 'requested', reason },
    holds: [],
    campaigns: {},
    deployment: {
      epoch,
      startedAt: now,
      spec: { tier: 'custom', queues: [], idleTimeoutSeconds: 0, maxLifetimeSeconds: 0 },
      resources: {
        lease: 'requested',
        adminKey: 'requested',
        jobUserKey: 'requested',
        signingKey: 'requested',
        stack: 'requested',
        home: home?.fileSystemId ? { fileSystemId: home.fileSystemId, accessPointId: home.id } : 'requested',
        ...(lustre && { lustre: { fileSystemId: lustre.id } }),
      },
      deletionBegan: true,
      // Nobody knows what was written into it.
      ...(lustre && { lustreExport: { isAutomaticOff: false } }),
    },
  };
}
