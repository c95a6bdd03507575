import { type Client, defaultPayloadConverter } from '@temporalio/client';
import { CLUSTER_VIEW_MEMO, type ClusterView } from '../domain/cluster-view.ts';
import { type RunStatus, viewInMemo } from './cluster-memo.ts';
import { decodePageToken, encodePageToken } from './page-token.ts';
import type { ClusterListRequest, Page } from './ports.ts';
import { callTemporal, unlessUnknown } from './temporal-calls.ts';

type Executions = Awaited<ReturnType<Client['workflowService']['listWorkflowExecutions']>>['executions'];
type Execution = Executions[number];

/** `temporal.api.enums.v1.WorkflowExecutionStatus` */
const statusNames: Readonly<Record<number, RunStatus>> = {
  1: 'RUNNING',
  2: 'COMPLETED',
  3: 'FAILED',
  4: 'CANCELLED',
  5: 'TERMINATED',
  7: 'TIMED_OUT',
};

/**
 * One page of the cluster entities in Temporal's index. The SDK's own list hides the page token, so the service is
 * called itself. Entities that were started but never claimed have no state and are left out.
 */
export async function listClusters(
  client: Client,
  { state, pageSize, pageToken }: ClusterListRequest,
  answerBy: Date,
): Promise<Page<ClusterView>> {
  const conditions = [
    "WorkflowType = 'cluster'",
    // Not what gives back the leavings of one.
    "WorkflowId STARTS_WITH 'cluster/'",
    "ExecutionStatus != 'ContinuedAsNew'",
    // The state is one of a closed list: there is nothing in it to escape.
    state ? `ClusterState = '${state}'` : 'ClusterState IS NOT NULL',
  ];
  const request = {
    namespace: client.options.namespace,
    query: conditions.join(' AND '),
    pageSize,
    ...(pageToken !== undefined && { nextPageToken: decodePageToken(pageToken) }),
  };
  const answer = await callTemporal(client, answerBy, async () =>
    client.workflowService.listWorkflowExecutions(request),
  );
  const views = await Promise.all(answer.executions.map(async (each) => latestView(client, each, answerBy)));
  const items = views.flatMap((view) => (view && (!state || view.state === state) ? view : []));
  const { nextPageToken } = answer;
  return { items, ...(nextPageToken.length > 0 && { nextPageToken: encodePageToken(nextPageToken) }) };
}

/** The view of a listed run; undefined if a later run of the same entity exists, which is listed on its own. */
async function latestView(
  client: Client,
  { execution, memo, status }: Execution,
  answerBy: Date,
): Promise<ClusterView | undefined> {
  const statusName = statusNames[status ?? 0] ?? 'UNKNOWN';
  if (statusName !== 'RUNNING' && !(await isLatest(client, execution, answerBy))) return undefined;
  const written = memo?.fields?.[CLUSTER_VIEW_MEMO];
  if (!written) return undefined;
  return viewInMemo({ [CLUSTER_VIEW_MEMO]: defaultPayloadConverter.fromPayload(written) }, statusName);
}

async function isLatest(client: Client, run: Execution['execution'], answerBy: Date): Promise<boolean> {
  const handle = client.workflow.getHandle(run?.workflowId ?? '');
  const latest = await unlessUnknown(callTemporal(client, answerBy, async () => handle.describe()));
  return latest !== undefined && latest.runId === run?.runId;
}
