import type { DeploymentStore } from '../clients/deployment-store.ts';
import type { Activities } from './port.ts';

/** Keeps of a deployment, where it outlives its workflow, what the sweep must know of it. */
export function createRecordActivities({
  deploymentStore,
}: {
  readonly deploymentStore: DeploymentStore;
}): Pick<Activities, 'keepDeployment' | 'readDeployment' | 'keepAbandonment'> {
  return {
    keepDeployment: async ({ record, ...deployment }) => deploymentStore.putRecord(deployment, record),

    readDeployment: async (deployment) => deploymentStore.getRecord(deployment),

    keepAbandonment: async ({ by, reason, at, ...deployment }) =>
      deploymentStore.putAbandonment(deployment, { by, reason, at }),
  };
}
