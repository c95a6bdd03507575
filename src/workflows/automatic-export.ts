import { CancellationScope, isCancellation } from '@temporalio/workflow';
import type { DeploymentRecord } from '../domain/cluster-snapshot.ts';
import { clipped } from '../domain/wording.ts';
import { activities } from './activities.ts';
import type { ClusterEntity } from './cluster-entity.ts';
import { failureFrom } from './failure.ts';

/** What a view has room for. */
const MAX_PROBLEM_CHARACTERS = 300;

/**
 * Switches automatic export on again after a teardown that was called back, beside the ticks: FSx takes minutes for it,
 * and jobs must be followed meanwhile. What did not succeed is shown, and tried again at the next tick.
 */
export class AutomaticExportKeeper {
  private scope: CancellationScope | undefined;
  private running: Promise<void> | undefined;

  /** Begins, if it is off and nobody is at it. */
  keepGoing(entity: ClusterEntity, record: DeploymentRecord): void {
    const { lustre } = record.resources;
    if (this.running || !record.lustreExport?.isAutomaticOff || typeof lustre !== 'object') return;
    this.running = this.run(entity, record, lustre.fileSystemId);
  }

  /** Cancels it and waits until it has ended. */
  async stop(): Promise<void> {
    this.scope?.cancel();
    await this.running;
  }

  private async run(entity: ClusterEntity, record: DeploymentRecord, fileSystemId: string): Promise<void> {
    this.scope = new CancellationScope({ cancellable: true });
    const request = { ...entity.deployment(record), fileSystemId, isOn: true };
    try {
      await this.scope.run(async () => activities.setAutomaticExport(request));
      record.lustreExport = { isAutomaticOff: false };
    } catch (error) {
      if (isCancellation(error)) return;
      const problem = clipped(failureFrom(error).message, MAX_PROBLEM_CHARACTERS);
      record.lustreExport = { isAutomaticOff: true, problem };
    } finally {
      this.running = undefined;
    }
    entity.publish();
  }
}
