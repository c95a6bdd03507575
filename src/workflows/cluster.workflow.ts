import { CancellationScope, allHandlersFinished, condition, setCurrentDetails } from '@temporalio/workflow';
import { renderClusterDetails } from '../domain/cluster-details.ts';
import { ClusterEntity } from './cluster-entity.ts';
import { registerClusterHandlers } from './cluster-handlers.ts';
import { provision } from './cluster-provision.ts';
import { serve } from './cluster-serve.ts';
import { awaitDecision, dismissWaitingCampaigns, drain, releaseEverything } from './cluster-teardown.ts';
import { watchingCosts } from './cost-watch.ts';
import type { ClusterInput } from './messages.ts';

/**
 * The life of one tenant's cluster, over all its deployments. The workflow stays open when a cluster is deleted, and
 * makes the next one when it is asked. Cancelling it deletes the cluster and then ends it.
 */
export async function cluster(input: ClusterInput): Promise<void> {
  const entity = new ClusterEntity(input);
  registerClusterHandlers(entity);
  // A continued run may have nothing to publish for long, e.g. while it is blocked.
  if (input.snapshot) setCurrentDetails(renderClusterDetails(entity.view()));
  CancellationScope.current().cancelRequested.catch(() => entity.cancel());
  await CancellationScope.nonCancellable(() => live(entity));
}

async function live(entity: ClusterEntity): Promise<void> {
  if (!(await isClaimed(entity))) return;
  for (;;) {
    const { state } = entity.snapshot;
    switch (state) {
      case 'requested':
      case 'provisioning':
      case 'waiting-ready':
        await provision(entity);
        break;
      case 'ready':
        await serve(entity);
        break;
      case 'draining':
      case 'exporting':
        await watchingCosts(entity, async () => drain(entity));
        break;
      case 'deleting':
        await watchingCosts(entity, async () => releaseEverything(entity));
        break;
      case 'blocked':
        await watchingCosts(entity, async (watch) => awaitDecision(entity, () => watch.isHistoryLong));
        break;
      case 'deleted':
      case 'failed':
        await rest(entity);
        if (entity.isCancelled()) return;
        break;
    }
    await entity.rollOverIfNeeded();
  }
}

/** A run that was started but never given its first update, because no worker took it in time, ends by itself. */
async function isClaimed(entity: ClusterEntity): Promise<boolean> {
  if (entity.snapshot.state !== 'requested' || entity.isAskedFor()) return true;
  const claimed = () => entity.isAskedFor() || entity.isCancelled() || entity.snapshot.state !== 'requested';
  await condition(claimed, entity.policy.unclaimedTimeoutSeconds * 1000, {
    summary: 'Wait for the first request',
  });
  await condition(allHandlersFinished);
  return entity.isAskedFor() || entity.snapshot.account?.budget !== undefined;
}

/** Waits until the cluster is asked for again. */
async function rest(entity: ClusterEntity): Promise<void> {
  await dismissWaitingCampaigns(entity);
  await condition(() => entity.isAskedFor() || entity.isCancelled());
  await condition(allHandlersFinished);
}
