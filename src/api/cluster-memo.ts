import type { WorkflowExecutionDescription } from '@temporalio/client';
import { CLUSTER_VIEW_MEMO, type ClusterView } from '../domain/cluster-view.ts';
import { failureOf } from '../domain/failures.ts';
import { clusterViewSchema } from './view-schemas.ts';

/** Temporal's word for how a run stands, e.g. `RUNNING`. */
export type RunStatus = WorkflowExecutionDescription['status']['name'];

/** The view in a cluster entity's memo; undefined for one that was started but never given its first request. */
export function viewInMemo(
  memo: Readonly<Record<string, unknown>> | undefined,
  status: RunStatus,
): ClusterView | undefined {
  const written = memo?.[CLUSTER_VIEW_MEMO];
  if (written === undefined) return undefined;
  const view = clusterViewSchema.parse(written);
  if (view.state === 'requested' && !view.spec && !view.specSummary) return undefined;
  return endedFromOutside(status) && !isOver(view) ? unattended(view) : view;
}

/** Whether a run did not come to its own end. */
export function endedFromOutside(status: RunStatus): boolean {
  return status === 'TERMINATED' || status === 'FAILED' || status === 'TIMED_OUT' || status === 'CANCELLED';
}

function isOver({ state }: ClusterView): boolean {
  return state === 'deleted' || state === 'failed';
}

/** The last view of an entity that nobody writes any more must not pass for the present. */
function unattended(view: ClusterView): ClusterView {
  const message = `The workflow ended when the cluster was ${view.state} (seen at ${view.observedAt}).`;
  return { ...view, message, failure: failureOf('ClusterUnattended', message) };
}
