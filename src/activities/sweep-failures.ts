import { Context } from '@temporalio/activity';
import { isPassing } from '../clients/aws-errors.ts';
import { KnownFailure } from '../domain/failures.ts';
import type { Unlisted } from '../domain/orphans.ts';

/** Attempts of a sweep for a list that only passing trouble keeps from it; then it goes on without. */
const PATIENT_ATTEMPTS = 3;

/** What a sweep could not see, so that one list that AWS refuses does not keep it from all the others. */
export class SweepFailures {
  readonly unlisted: Unlisted[] = [];

  /**
   * What `list` answers; undefined where AWS refuses it. What passes is thrown, so that the whole is tried again, as is a
   * cancellation.
   */
  async unlessRefused<T>(what: Unlisted['what'], list: () => Promise<T>): Promise<T | undefined> {
    try {
      return await list();
    } catch (error) {
      this.add(what, error);
      return undefined;
    }
  }

  /** Throws what is no refusal. */
  add(what: Unlisted['what'], error: unknown): void {
    this.unlisted.push({ what, because: reasonFor(error) });
  }
}

/** Why something did not succeed that the rest does not depend on; throws what the whole is to be tried again for. */
export function reasonFor(error: unknown): string {
  const { cancellationSignal, info } = Context.current();
  cancellationSignal.throwIfAborted();
  const isOfAws = error instanceof KnownFailure || (error instanceof Error && '$metadata' in error);
  // Whatever else fails, Temporal among it, leaves it open who looks after what.
  if (!isOfAws || (isPassing(error) && info.attempt < PATIENT_ATTEMPTS)) throw error;
  return error.message;
}
