import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { z } from 'zod';
import type { DeploymentStore } from '../clients/deployment-store.ts';
import { CLUSTER_VIEW_MEMO } from '../domain/cluster-view.ts';
import type { Deployment } from '../domain/deployment.ts';
import { clusterWorkflowId, reaperWorkflowId, type Tenant } from '../domain/ids.ts';

/*
 * Who looks after what, as the memos of workflows say. An answer of Temporal that is missing is thrown, never taken for
 * nobody.
 */

/** Whether a workflow runs, and the view in its memo; undefined for one that there is not. */
export type DescribeWorkflow = (
  workflowId: string,
) => Promise<{ readonly isRunning: boolean; readonly view?: unknown } | undefined>;

export interface AttendanceDeps {
  readonly describeWorkflow: DescribeWorkflow;
  /** Temporal forgets workflows, and a memo has room for few epochs. */
  readonly deploymentStore: Pick<DeploymentStore, 'isAbandoned'>;
}

/** Whether a workflow looks after a deployment, or somebody has taken it over with the answer `abandon`. */
export async function isAttended(
  { describeWorkflow, deploymentStore }: AttendanceDeps,
  deployment: Deployment,
): Promise<boolean> {
  const { epoch } = deployment;
  const [entity, reaper] = await Promise.all([
    describe(describeWorkflow, clusterWorkflowId(deployment)),
    describe(describeWorkflow, reaperWorkflowId(deployment)),
  ]);
  if (entity.abandonedEpochs.includes(epoch) || reaper.abandonedEpochs.includes(epoch)) return true;
  if (reaper.isRunning || (entity.isRunning && entity.epoch === epoch)) return true;
  return deploymentStore.isAbandoned(deployment);
}

/** Whether a tenant has a cluster or waits for one, or a campaign of it is open: then somebody writes logs. */
export async function isBusy(describeWorkflow: DescribeWorkflow, tenant: Tenant): Promise<boolean> {
  const { isRunning, state, openCampaigns } = await describe(describeWorkflow, clusterWorkflowId(tenant));
  if (openCampaigns > 0) return true;
  return isRunning && state !== 'deleted' && state !== 'failed';
}

const viewSchema = z.object({
  epoch: z.string().optional(),
  abandonedEpochs: z.array(z.string()).default([]),
  state: z.string().optional(),
  openCampaigns: z.int().default(0),
});

async function describe(describeWorkflow: DescribeWorkflow, workflowId: string) {
  const found = await describeWorkflow(workflowId);
  return { isRunning: found?.isRunning ?? false, ...viewSchema.parse(found?.view ?? {}) };
}

/** How workflows are looked at: every failure but that there is none is thrown. */
export function describeIn(client: Client): DescribeWorkflow {
  return async (workflowId) => {
    try {
      const { status, memo } = await client.workflow.getHandle(workflowId).describe();
      return { isRunning: status.name === 'RUNNING', view: memo?.[CLUSTER_VIEW_MEMO] };
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }
  };
}
