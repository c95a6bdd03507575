import {
  isCancellation,
  log,
  ParentClosePolicy,
  setCurrentDetails,
  startChild,
  WorkflowIdReusePolicy,
  workflowInfo,
} from '@temporalio/workflow';
import { defaultClusterPolicy } from '../domain/cluster-snapshot.ts';
import { reaperWorkflowId } from '../domain/ids.ts';
import { problemWith } from '../domain/lifetime.ts';
import type { Findings, Orphan } from '../domain/orphans.ts';
import { planReaper, whyHeldBack } from '../domain/reaper.ts';
import { brakeOf, type ReconcileRequest, reconcileRequestSchema } from '../domain/sweep-brake.ts';
import { type Begun, type ReconcileReport, renderSweep, reportOf } from '../domain/sweep-report.ts';
import { activities } from './activities.ts';
import { nowIso } from './clock.ts';
import { failureFrom, refuse } from './failure.ts';

/**
 * One sweep: finds deployments in AWS that no workflow looks after, and begins a workflow for each that gives it back as a
 * teardown does, exports included. Its result is the report. The schedule gives no input; an operator can.
 */
export async function reconcile(request: ReconcileRequest = {}): Promise<ReconcileReport> {
  refuse(problemWith(reconcileRequestSchema, request));
  const { claim } = request;
  const findings = await activities.surveyOrphans({ ...(claim && { claim }) });
  const { taskQueue, namespace } = workflowInfo();
  const brake = brakeOf(findings, request);
  const begun = brake === undefined ? await beginAll(findings) : { reapers: [], notes: [] };
  const { remnants = [] } = findings;
  const removed =
    brake === undefined && remnants.length > 0 ? await activities.removeRemnants({ remnants }) : [];
  const report = reportOf(findings, {
    at: nowIso(),
    ...begun,
    removed,
    ...(brake !== undefined && { brake }),
    operator: { taskQueue, namespace, request },
  });
  if (brake !== undefined) log.warn(brake);
  setCurrentDetails(renderSweep(report));
  return report;
}

async function beginAll(findings: Findings): Promise<Begun> {
  const reapers: string[] = [];
  const notes: string[] = [];
  for (const orphan of findings.orphans) {
    const about = (what: string) =>
      notes.push(`${orphan.virtualLabId}/${orphan.projectId}, epoch ${orphan.epoch}: ${what}`);
    try {
      const kept = await activities.readDeployment(orphan);
      const heldBack = whyHeldBack(findings, kept);
      if (heldBack !== undefined) {
        about(heldBack);
        continue;
      }
      const { snapshot, caveat } = planReaper(orphan, kept, nowIso());
      if (caveat !== undefined) about(caveat);
      const workflowId = await begin(orphan, snapshot);
      if (workflowId !== undefined) reapers.push(workflowId);
    } catch (error) {
      if (isCancellation(error)) throw error;
      // The others do not wait for it.
      about(`nothing was begun: ${failureFrom(error).message}`);
    }
  }
  return { reapers, notes };
}

/** The id of the workflow that gives it back; undefined when another sweep was faster. */
async function begin(
  orphan: Orphan,
  snapshot: ReturnType<typeof planReaper>['snapshot'],
): Promise<string | undefined> {
  const { virtualLabId, projectId, epoch } = orphan;
  const workflowId = reaperWorkflowId(orphan);
  try {
    await startChild('cluster', {
      workflowId,
      args: [{ virtualLabId, projectId, policy: defaultClusterPolicy, snapshot }],
      // One that ended before left something behind: it is tried again.
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      parentClosePolicy: ParentClosePolicy.ABANDON,
      staticSummary: `Left behind by ${virtualLabId}/${projectId}, epoch ${epoch}`,
    });
    return workflowId;
  } catch (error) {
    if (error instanceof Error && error.name === 'WorkflowExecutionAlreadyStartedError') return undefined;
    throw error;
  }
}
