import type { CampaignStore } from '../clients/campaign-store.ts';
import type { Activities } from './port.ts';

/** Writes how campaigns ended, for the time when Temporal has forgotten them. */
export function createManifestActivities(deps: {
  readonly campaignStore: Pick<CampaignStore, 'putManifest'>;
}): Pick<Activities, 'writeManifest'> {
  return {
    async writeManifest({ content, campaignId, logs, jobs }) {
      await deps.campaignStore.putManifest(content, {
        version: 1,
        campaignId,
        ...(logs && { logs }),
        jobs: [...jobs],
      });
    },
  };
}
