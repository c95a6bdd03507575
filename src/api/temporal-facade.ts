import { type Client, type WorkflowHandle, WithStartWorkflowOperation } from '@temporalio/client';
import type { UpdateDefinition } from '@temporalio/common';
import type { ClusterPolicy } from '../domain/cluster-snapshot.ts';
import type { ClusterView } from '../domain/cluster-view.ts';
import { KnownFailure } from '../domain/failures.ts';
import { clusterWorkflowId, type Tenant } from '../domain/ids.ts';
import {
  changeSpec,
  type ClusterInput,
  comingSpec,
  ensureCluster,
  extendCluster,
  holdCluster,
  judgeChange,
  listJobs,
  releaseHold,
  removeBudget,
  resolveBlock,
  rotateSigningKey,
  setBudget,
  submitCampaign,
  teardownCluster,
} from '../workflows/messages.ts';
import { viewInMemo } from './cluster-memo.ts';
import type { Clusters } from './ports.ts';
import { callTemporal, unlessUnknown } from './temporal-calls.ts';
import { listClusters } from './temporal-list.ts';
import { preflightOf } from './temporal-preflight.ts';

export interface TemporalFacadeDeps {
  readonly client: Client;
  readonly taskQueue: string;
  /** Given to cluster entities that are started from here. */
  readonly policy: ClusterPolicy;
}

/** The cluster entities, reached by update-with-start, update and memo. */
export function createTemporalClusters(deps: TemporalFacadeDeps): Clusters {
  const { client } = deps;

  const describe = async (tenant: Tenant, answerBy: Date): Promise<ClusterView | undefined> => {
    const handle = client.workflow.getHandle(clusterWorkflowId(tenant));
    const description = await unlessUnknown(callTemporal(client, answerBy, async () => handle.describe()));
    return description && viewInMemo(description.memo, description.status.name);
  };

  const updateWithStart = async <Answer, Request>(
    update: UpdateDefinition<Answer, [Request]>,
    tenant: Tenant,
    request: Request,
    answerBy: Date,
  ): Promise<Answer> =>
    callTemporal(client, answerBy, async () =>
      client.workflow.executeUpdateWithStart(update, {
        args: [request],
        // An operation can be used once: a repeated attempt needs its own.
        startWorkflowOperation: startOperation(deps, tenant),
      }),
    );

  /** Undefined if no run of the entity is open. */
  const update = async <Answer, Request>(
    definition: UpdateDefinition<Answer, [Request]>,
    tenant: Tenant,
    request: Request,
    answerBy: Date,
  ): Promise<Answer | undefined> => {
    const handle = client.workflow.getHandle(clusterWorkflowId(tenant));
    return unlessUnknown(
      callTemporal(client, answerBy, async () => handle.executeUpdate(definition, { args: [request] })),
    );
  };

  const updateLive = async <Request>(
    definition: UpdateDefinition<ClusterView, [Request]>,
    tenant: Tenant,
    request: Request,
    answerBy: Date,
  ): Promise<ClusterView> => {
    const view = await update(definition, tenant, request, answerBy);
    if (view) return view;
    const last = await describe(tenant, answerBy);
    throw noneLives(tenant, last);
  };

  /** NotFound if no run of the entity is open. */
  const queryLive = async <Answer>(
    tenant: Tenant,
    answerBy: Date,
    ask: (handle: WorkflowHandle) => Promise<Answer>,
  ): Promise<Answer> => {
    const handle = client.workflow.getHandle(clusterWorkflowId(tenant));
    const answer = await unlessUnknown(callTemporal(client, answerBy, async () => ask(handle)));
    if (answer) return answer;
    throw noneLives(tenant, await describe(tenant, answerBy));
  };

  return {
    ensure: async (tenant, asked, answerBy) => updateWithStart(ensureCluster, tenant, asked, answerBy),

    preflight: async (tenant, spec, answerBy) => preflightOf(deps, { tenant, spec }, answerBy),

    view: describe,

    async teardown(tenant, reason, answerBy) {
      const view = await update(teardownCluster, tenant, { reason }, answerBy);
      if (view) return view;
      const last = await describe(tenant, answerBy);
      if (!last) throw noneLives(tenant, undefined);
      if (last.failure?.type === 'ClusterUnattended') {
        throw new KnownFailure('ClusterUnattended', last.failure.message);
      }
      return last;
    },

    hold: async (tenant, hold, answerBy) => updateLive(holdCluster, tenant, hold, answerBy),
    release: async (tenant, name, answerBy) => updateLive(releaseHold, tenant, { name }, answerBy),
    extend: async (tenant, until, answerBy) => updateLive(extendCluster, tenant, { until }, answerBy),
    resolve: async (tenant, resolution, answerBy) => updateLive(resolveBlock, tenant, resolution, answerBy),

    rotateSigningKey: async (tenant, request, answerBy) =>
      updateLive(rotateSigningKey, tenant, request, answerBy),

    comingSpec: async (tenant, answerBy) =>
      queryLive(tenant, answerBy, async (handle) => handle.query(comingSpec)),
    judgeChange: async (tenant, request, answerBy) =>
      queryLive(tenant, answerBy, async (handle) => handle.query(judgeChange, request)),

    async changeSpec(tenant, request, answerBy) {
      const answer = await update(changeSpec, tenant, request, answerBy);
      if (answer) return answer;
      throw noneLives(tenant, await describe(tenant, answerBy));
    },

    setBudget: async (tenant, budget, answerBy) => updateWithStart(setBudget, tenant, budget, answerBy),
    removeBudget: async (tenant, answerBy) => updateWithStart(removeBudget, tenant, {}, answerBy),

    async listJobs(tenant, answerBy) {
      const handle = client.workflow.getHandle(clusterWorkflowId(tenant));
      const answer = await unlessUnknown(
        callTemporal(client, answerBy, async () => handle.executeUpdate(listJobs)),
      );
      if (answer) return answer;
      throw noneLives(tenant, await describe(tenant, answerBy));
    },

    list: async (request, answerBy) => listClusters(client, request, answerBy),

    async submit(tenant, campaign, answerBy) {
      if (campaign.spec) return updateWithStart(submitCampaign, tenant, campaign, answerBy);
      const answer = await update(submitCampaign, tenant, campaign, answerBy);
      if (!answer) throw new KnownFailure('NoCluster', 'The project has no cluster.');
      return answer;
    },
  };
}

function startOperation(
  { taskQueue, policy }: TemporalFacadeDeps,
  tenant: Tenant,
): WithStartWorkflowOperation<(input: ClusterInput) => Promise<void>> {
  const { virtualLabId, projectId } = tenant;
  return new WithStartWorkflowOperation('cluster', {
    workflowId: clusterWorkflowId(tenant),
    taskQueue,
    args: [{ virtualLabId, projectId, policy }],
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    staticSummary: `Cluster of ${virtualLabId}/${projectId}`,
  });
}

function noneLives({ virtualLabId, projectId }: Tenant, last: ClusterView | undefined): KnownFailure {
  const what = last ? `is ${last.state}: ${last.message}` : 'was never asked for.';
  return new KnownFailure(
    'NotFound',
    `The cluster of project ${projectId} in virtual lab ${virtualLabId} ${what}`,
  );
}
