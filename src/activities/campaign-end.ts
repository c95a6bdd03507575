import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { CampaignStore } from '../clients/campaign-store.ts';
import { summariseManifest } from '../domain/campaign-manifest.ts';
import { KnownFailure } from '../domain/failures.ts';
import { campaignWorkflowId } from '../domain/ids.ts';
import type { Activities } from './port.ts';

export interface CampaignEndDeps {
  readonly isRunning: (workflowId: string) => Promise<boolean>;
  readonly campaignStore: Pick<CampaignStore, 'getManifest'>;
}

/** Reads how campaigns ended, for those that wait for them. */
export function createCampaignEndActivities({
  isRunning,
  campaignStore,
}: CampaignEndDeps): Pick<Activities, 'readCampaignEnd'> {
  return {
    async readCampaignEnd({ campaignId, ...tenant }) {
      // Asked first: the manifest is written before the workflow ends.
      const running = await isRunning(campaignWorkflowId(tenant, campaignId));
      const manifest = await campaignStore.getManifest(tenant, campaignId);
      if (manifest) return summariseManifest(manifest).state;
      if (running) throw new KnownFailure('CampaignRunning', `Campaign ${campaignId} has not ended yet.`);
      throw new KnownFailure(
        'CampaignUnattended',
        `Campaign ${campaignId} is followed by no workflow, and nothing says how it ended.`,
      );
    },
  };
}

/** Whether a workflow runs; one that Temporal has forgotten does not. */
export function isRunningIn(client: Client): CampaignEndDeps['isRunning'] {
  return async (workflowId) => {
    try {
      return (await client.workflow.getHandle(workflowId).describe()).status.name === 'RUNNING';
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  };
}
