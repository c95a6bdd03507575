import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { z } from 'zod';
import type { CostStore } from '../clients/cost-store.ts';
import { CLUSTER_VIEW_MEMO } from '../domain/cluster-view.ts';
import type { Deployment } from '../domain/deployment.ts';
import { pricesIn } from '../domain/estimate.ts';
import { clusterWorkflowId, reaperWorkflowId } from '../domain/ids.ts';
import { pricedOrphan } from '../domain/orphan-prices.ts';
import { deploymentsOf, findOrphans, type Orphan, type TaggedResource } from '../domain/orphans.ts';
import { priceTable } from '../domain/prices.ts';
import { tagKeys } from '../domain/resource-tags.ts';
import { withHeartbeat } from './heartbeat.ts';
import type { Activities } from './port.ts';
import { type SweepListDeps, sweepLists } from './sweep-lists.ts';

export interface SweepDeps extends SweepListDeps {
  readonly region: string;
  readonly costStore: Pick<CostStore, 'getDeployment'>;
  /** Whether a workflow runs, and the view in its memo. */
  readonly describeWorkflow: (
    workflowId: string,
  ) => Promise<{ readonly isRunning: boolean; readonly view?: unknown } | undefined>;
}

/**
 * Looks at everything in the account that carries the tag of an epoch, and at the workflows that could look after it; says
 * what costs how much.
 */
export function createSweepActivities(deps: SweepDeps): Pick<Activities, 'surveyOrphans'> {
  return {
    async surveyOrphans() {
      return withHeartbeat(async ({ report }) => {
        const resources: TaggedResource[] = [];
        for (const list of sweepLists) {
          for await (const resource of list(deps)) if (resource.tags[tagKeys.epoch]) resources.push(resource);
          report({ resources: resources.length });
        }
        const attended = new Set<string>();
        for (const deployment of deploymentsOf(resources))
          if (await isAttended(deps, deployment)) attended.add(keyOf(deployment));
        const now = Date.now() / 1000;
        const found = findOrphans(resources, (deployment) => attended.has(keyOf(deployment)), now);
        const orphans: Orphan[] = [];
        for (const orphan of found.orphans) orphans.push(await priced(deps, orphan, now));
        return { ...found, orphans };
      });
    },
  };
}

async function priced(deps: SweepDeps, orphan: Orphan, nowSeconds: number): Promise<Orphan> {
  const { region, costStore } = deps;
  const kept = await costStore.getDeployment(orphan);
  return pricedOrphan(orphan, { prices: pricesIn(priceTable, region), region, kept, nowSeconds });
}

const keyOf = ({ virtualLabId, projectId, epoch }: Deployment) => `${virtualLabId}/${projectId}/${epoch}`;

/**
 * Whether a workflow looks after a deployment, or somebody has taken it over with the answer `abandon`. An answer of
 * Temporal that is missing is thrown, never taken for no.
 */
async function isAttended(deps: SweepDeps, deployment: Deployment): Promise<boolean> {
  const { epoch } = deployment;
  const [entity, reaper] = await Promise.all([
    describe(deps, clusterWorkflowId(deployment)),
    describe(deps, reaperWorkflowId(deployment)),
  ]);
  if (entity.abandonedEpochs.includes(epoch) || reaper.abandonedEpochs.includes(epoch)) return true;
  return reaper.isRunning || (entity.isRunning && entity.epoch === epoch);
}

const viewSchema = z.object({
  epoch: z.string().optional(),
  abandonedEpochs: z.array(z.string()).default([]),
});

async function describe({ describeWorkflow }: SweepDeps, workflowId: string) {
  const found = await describeWorkflow(workflowId);
  return { isRunning: found?.isRunning ?? false, ...viewSchema.parse(found?.view ?? {}) };
}

/** How workflows are looked at: undefined for one that there is not, and every other failure is thrown. */
export function describeIn(client: Client): SweepDeps['describeWorkflow'] {
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
