import { CancellationScope } from '@temporalio/workflow';
import type { FollowRequest } from '../activities/port.ts';
import { activities } from './activities.ts';

/**
 * Keeps the copying of running jobs' output going beside a cluster's ticks. Whatever becomes of it concerns nobody: it is
 * begun again at a later tick, and the final copy of each job brings what is missing.
 */
export class LogFollower {
  private scope: CancellationScope | undefined;
  private running: Promise<void> | undefined;

  /** Begins it unless it goes on. */
  keepGoing(request: FollowRequest): void {
    this.running ??= this.follow(request);
  }

  private async follow(request: FollowRequest): Promise<void> {
    this.scope = new CancellationScope({ cancellable: true });
    try {
      await this.scope.run(async () => activities.followJobLogs(request));
    } catch {
      // Cancelled, or a head node or log group that does not answer.
    } finally {
      this.running = undefined;
    }
  }

  /** Cancels it and waits until it has ended. */
  async stop(): Promise<void> {
    this.scope?.cancel();
    await this.running;
  }
}
