import type { CostStore } from '../clients/cost-store.ts';
import { NEW_ACCOUNT } from '../domain/budget.ts';
import type { Activities } from './port.ts';

/** Keeps what tenants have spent where it outlives their workflows. */
export function createCostActivities(store: CostStore): Pick<Activities, 'readCostAccount' | 'keepCosts'> {
  return {
    readCostAccount: async (tenant) => (await store.getAccount(tenant)) ?? NEW_ACCOUNT,

    async keepCosts({ tenant, account, deployment, costs }) {
      await store.putAccount(tenant, account);
      if (deployment && costs) await store.putDeployment(deployment, costs);
    },
  };
}
