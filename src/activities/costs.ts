import type { BudgetAlarms } from '../clients/budget-alarms.ts';
import type { CostStore } from '../clients/cost-store.ts';
import { NEW_ACCOUNT } from '../domain/budget.ts';
import type { Activities } from './port.ts';

export interface CostDeps {
  readonly costStore: CostStore;
  /** Undefined where nobody is told. */
  readonly budgetAlarms: BudgetAlarms | undefined;
}

/** Keeps what tenants have spent where it outlives their workflows, and tells how their budgets stand. */
export function createCostActivities({
  costStore: store,
  budgetAlarms,
}: CostDeps): Pick<Activities, 'readCostAccount' | 'keepCosts' | 'notifyBudget'> {
  return {
    readCostAccount: async (tenant) => (await store.getAccount(tenant)) ?? NEW_ACCOUNT,

    async keepCosts({ tenant, account, deployment, costs }) {
      await store.putAccount(tenant, account);
      if (deployment && costs) await store.putDeployment(deployment, costs);
    },

    notifyBudget: async (notice) => budgetAlarms?.tell(notice),
  };
}
