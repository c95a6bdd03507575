import { CancellationScope, condition, isCancellation } from '@temporalio/workflow';
import { type Failure, isFailureType } from '../domain/failures.ts';
import type { JobListingReference } from '../domain/job-listing.ts';
import { nowIso } from './clock.ts';
import { failureFrom, rejection } from './failure.ts';
import type { ListJobsAnswer } from './messages.ts';

/** A listing is given out again for so long… */
const REUSE_SECONDS = 5;
/** …and for so many times as long as it took: never more than a tenth of Slurm's time goes into listings. */
const REUSE_FACTOR = 10;
/** Longer than the API lets its callers wait (`Retry-After`): who repeats a request learns why the one before failed. */
const FAILURE_SECONDS = 15;
/** How long a request waits for a listing: the API has 1.5 s for everything. */
const WAIT_MS = 800;

/** Asks Slurm for all its jobs, when somebody wants to know: once at a time, however many want it. */
export class JobLister {
  private scope: CancellationScope | undefined;
  private running: { readonly since: string; readonly promise: Promise<void> } | undefined;
  private last:
    { readonly result: JobListingReference | Failure; readonly reusedUntilMs: number } | undefined;

  /** A listing made just now, or that one is being made. SlurmUnavailable and what else the activity fails with. */
  async list(ask: () => Promise<JobListingReference>): Promise<ListJobsAnswer> {
    if (this.last && Date.now() < this.last.reusedUntilMs) return answerOf(this.last.result);
    const running = (this.running ??= { since: nowIso(), promise: this.make(ask) });
    await condition(() => this.running !== running, WAIT_MS);
    // Neither is there when it was stopped: then the next request begins anew, or is refused.
    if (this.running === running || !this.last) return { status: 'pending', since: running.since };
    return answerOf(this.last.result);
  }

  private async make(ask: () => Promise<JobListingReference>): Promise<void> {
    const startedMs = Date.now();
    this.last = undefined;
    this.scope = new CancellationScope({ cancellable: true });
    try {
      const listing = await this.scope.run(ask);
      this.keep(listing, Math.max(REUSE_SECONDS * 1000, REUSE_FACTOR * (Date.now() - startedMs)));
    } catch (error) {
      if (!isCancellation(error)) this.keep(failureFrom(error, 'SlurmUnavailable'), FAILURE_SECONDS * 1000);
    } finally {
      this.running = undefined;
    }
  }

  private keep(result: JobListingReference | Failure, forMs: number): void {
    this.last = { result, reusedUntilMs: Date.now() + forMs };
  }

  /** Cancels what is under way, waits until it has ended, and forgets what was listed. */
  async stop(): Promise<void> {
    this.scope?.cancel();
    await this.running?.promise;
    this.last = undefined;
  }
}

function answerOf(result: JobListingReference | Failure): ListJobsAnswer {
  if (!('type' in result)) return { status: 'listed', ...result };
  throw rejection(isFailureType(result.type) ? result.type : 'SlurmUnavailable', result.message);
}
