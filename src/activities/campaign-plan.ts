import type { CampaignStore } from '../clients/campaign-store.ts';
import { planOf } from '../domain/campaign-plan.ts';
import type { Activities } from './port.ts';

/** Reads what campaigns consist of, for workflows, whose history may hold no scripts and environments. */
export function createCampaignPlanActivities(deps: {
  readonly campaignStore: Pick<CampaignStore, 'get'>;
}): Pick<Activities, 'loadCampaign'> {
  return {
    async loadCampaign({ content }) {
      const { jobs, dependsOn } = await deps.campaignStore.get(content);
      return { ...planOf(jobs), ...(dependsOn && { dependsOn }) };
    },
  };
}
