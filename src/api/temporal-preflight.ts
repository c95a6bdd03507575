import { createHash } from 'node:crypto';
import { type Client, WorkflowFailedError } from '@temporalio/client';
import type { PreflightRequest } from '../domain/preflight.ts';
import { canonicalJson } from '../domain/canonical-json.ts';
import { clusterName } from '../domain/cluster-name.ts';
import type { ClusterSpec } from '../domain/cluster-spec.ts';
import { KnownFailure } from '../domain/failures.ts';
import { preflightWorkflowId, type Tenant } from '../domain/ids.ts';
import type { PreflightReport } from '../domain/preflight.ts';
import { callTemporal } from './temporal-calls.ts';

/** The same judgement of the same cluster for all who ask while it is under way. WorkerUnavailable, AwsUnavailable. */
export async function preflightOf(
  { client, taskQueue }: { readonly client: Client; readonly taskQueue: string },
  { tenant, spec }: { readonly tenant: Tenant; readonly spec: ClusterSpec },
  answerBy: Date,
): Promise<PreflightReport> {
  const { virtualLabId, projectId } = tenant;
  const request: PreflightRequest = { virtualLabId, projectId, clusterName: clusterName(tenant), spec };
  const specSha256 = createHash('sha256').update(canonicalJson(spec)).digest('hex');
  try {
    const handle = await callTemporal(client, answerBy, async () =>
      client.workflow.start<(asked: PreflightRequest) => Promise<PreflightReport>>('preflight', {
        workflowId: preflightWorkflowId(tenant, specSha256),
        taskQueue,
        args: [request],
        workflowIdConflictPolicy: 'USE_EXISTING',
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        // Nobody waits for it any longer.
        workflowExecutionTimeout: '60 s',
        staticSummary: `Dry run for ${virtualLabId}/${projectId}`,
      }),
    );
    return await callTemporal(client, answerBy, async () => handle.result());
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    throw new KnownFailure('AwsUnavailable', `The dry run did not end: ${error.cause?.message ?? 'unknown'}`);
  }
}
