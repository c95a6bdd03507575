import { type CostAccount, costAccountSchema } from '../domain/budget.ts';
import { canonicalJson } from '../domain/canonical-json.ts';
import type { Deployment } from '../domain/deployment.ts';
import { type DeploymentCosts, type KeptCosts, keptCostsSchema } from '../domain/deployment-costs.ts';
import type { Tenant } from '../domain/ids.ts';
import { type ControlBucket, readObject, writeObject } from './control-bucket.ts';
import { deploymentFolder } from './deployment-store.ts';

/** What tenants have spent and may, and what each deployment has cost: workflows come and go. */
export interface CostStore {
  /** Undefined if none was ever stored. */
  getAccount(tenant: Tenant): Promise<CostAccount | undefined>;
  putAccount(tenant: Tenant, account: CostAccount): Promise<void>;
  putDeployment(deployment: Deployment, costs: DeploymentCosts): Promise<void>;
  /** Undefined if none was stored, or none that this release can read. */
  getDeployment(deployment: Deployment): Promise<KeptCosts | undefined>;
}

function accountKey({ virtualLabId, projectId }: Tenant): string {
  return `deployments/${virtualLabId}/${projectId}/cost-account.json`;
}

function costKey(deployment: Deployment): string {
  return `${deploymentFolder(deployment)}cost.json`;
}

/** The store in the control bucket. */
export function createS3CostStore(control: ControlBucket): CostStore {
  return {
    async getAccount(tenant) {
      const text = await readObject(control, accountKey(tenant));
      return text === undefined ? undefined : costAccountSchema.parse(JSON.parse(text));
    },

    async putAccount(tenant, account) {
      await writeObject(control, accountKey(tenant), canonicalJson(account));
    },

    async putDeployment(deployment, costs) {
      const { clusterName, epoch } = deployment;
      const text = canonicalJson({ version: 1, clusterName, epoch, ...costs });
      await writeObject(control, costKey(deployment), text);
    },

    async getDeployment(deployment) {
      const text = await readObject(control, costKey(deployment));
      return text === undefined ? undefined : keptCostsSchema.safeParse(JSON.parse(text)).data;
    },
  };
}
