import { CancellationScope, isCancellation } from '@temporalio/workflow';
import type { DeploymentRecord } from '../domain/cluster-snapshot.ts';
import type { Failure } from '../domain/failures.ts';
import { pendingUpdate, type SpecUpdate } from '../domain/spec-update-record.ts';
import { activities } from './activities.ts';
import { announceGone } from './cluster-campaigns.ts';
import type { ClusterEntity } from './cluster-entity.ts';
import { waitsFor } from './change-decision.ts';
import { applyUpdate } from './cluster-updates.ts';
import { failureFrom } from './failure.ts';

/**
 * Carries out an update in place, beside the ticks: CloudFormation takes minutes for it, and jobs go on meanwhile. It can be
 * begun again at any point.
 */
export class StackUpdater {
  private scope: CancellationScope | undefined;
  private running: Promise<void> | undefined;

  /** Begins, if there is an update to carry out and nobody is at it. */
  keepGoing(entity: ClusterEntity, record: DeploymentRecord): void {
    const update = pendingUpdate(entity.snapshot.update);
    if (this.running || update?.mode !== 'in-place') return;
    this.running = this.run(entity, record, update);
  }

  /** Cancels what is under way here, not what CloudFormation does, and waits until it has ended. */
  async stop(): Promise<void> {
    this.scope?.cancel();
    await this.running;
  }

  private async run(
    entity: ClusterEntity,
    record: DeploymentRecord,
    { id: updateId, spec }: SpecUpdate,
  ): Promise<void> {
    this.scope = new CancellationScope({ cancellable: true });
    const deployment = entity.deployment(record);
    try {
      await this.scope.run(async () => {
        const { estimate, rates } = await activities.updateStack({ ...deployment, updateId, spec });
        const { access } = record;
        const queues = spec.queues.map(({ name }) => name);
        if (access) await activities.checkQueues({ ...deployment, access, queues });
        applyUpdate(entity, { ...entity.snapshot.update?.notes, estimate, ...(rates && { rates }) });
      });
    } catch (error) {
      // Stopped: it is still to be carried out.
      if (isCancellation(error)) return;
      await failUpdate(entity, failureFrom(error));
    } finally {
      this.running = undefined;
    }
    entity.publish();
    entity.wake();
  }
}

/** The pending update has not succeeded: campaigns that were taken for its sake hear so. */
async function failUpdate(entity: ClusterEntity, failure: Failure): Promise<void> {
  const update = pendingUpdate(entity.snapshot.update);
  if (!update) return;
  entity.endUpdate(failure);
  await announceGone(entity, failure, (campaign) => waitsFor(campaign, update));
}
