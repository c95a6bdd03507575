import type { Hold } from './cluster-view.ts';
import type { Failure } from './failures.ts';
import { lastHold } from './lifetime.ts';
import type { ClusterActivity } from './slurm-facts.ts';
import { counted } from './wording.ts';

/** What the decision is made from. All times are milliseconds since 1970. */
export interface IdleInput {
  readonly now: number;
  /** The look at Slurm that was made just now; undefined when it failed. A failed look counts as busy. */
  readonly activity: ClusterActivity | undefined;
  /** Why it failed. */
  readonly blindBecause?: Failure | undefined;
  /** Since when every successful look, without a gap, found the cluster idle. */
  readonly idleSince: number | undefined;
  /** Jobs that were accepted and are not in Slurm yet, over all open campaigns. */
  readonly unsubmittedJobs: number;
  /** An update of the cluster is under way. */
  readonly isUpdating?: boolean;
  readonly holds: readonly Hold[];
  readonly idleTimeoutSeconds: number;
  readonly lifetimeEndsAt: number;
}

export type IdleVerdict =
  /** The cluster is needed; `because` says by whom, in plain words. */
  | {
      readonly kind: 'busy';
      readonly because: string;
      /** Something is likely to change soon, so that looking often is worth it. */
      readonly isMoving: boolean;
      /** When what keeps the cluster ends by itself. */
      readonly endsAt?: number;
    }
  /** Idle since `since`; it goes at `teardownAt` if that lasts. */
  | { readonly kind: 'idle'; readonly since: number; readonly teardownAt: number }
  /** It goes now. */
  | { readonly kind: 'tear-down'; readonly cause: 'idle' | 'lifetime'; readonly because: string };

/**
 * Whether a cluster goes. Idle means that Slurm itself, asked just now, says that nothing of any user runs or can
 * run, that no accepted job waits to be submitted, that nobody is at work on the head node and that no hold is in force. Jobs that
 * can never run do not keep a cluster. The maximum lifetime ends a cluster that is not idle too, and one that
 * cannot be looked into.
 */
export function decideIdle(input: IdleInput): IdleVerdict {
  const { now, lifetimeEndsAt, idleTimeoutSeconds } = input;
  if (now >= lifetimeEndsAt) {
    return { kind: 'tear-down', cause: 'lifetime', because: 'The maximum lifetime of the cluster is over.' };
  }
  const busy = busyBecause(input);
  if (busy) return busy;
  const since = input.idleSince ?? now;
  const teardownAt = since + idleTimeoutSeconds * 1000;
  if (now < teardownAt) return { kind: 'idle', since, teardownAt };
  return {
    kind: 'tear-down',
    cause: 'idle',
    because: `Nothing ran or could run for ${idleTimeoutSeconds} s.`,
  };
}

function busyBecause({
  activity,
  blindBecause,
  unsubmittedJobs,
  isUpdating,
  holds,
  now,
}: IdleInput): IdleVerdict | undefined {
  const busy = (because: string, isMoving = true): IdleVerdict => ({ kind: 'busy', because, isMoving });
  if (!activity) {
    const why = blindBecause ? ` (${blindBecause.type})` : '';
    return busy(`Slurm did not answer${why}, so the cluster counts as busy.`);
  }
  const { running, pending, interactiveSessions, unreadable } = activity;
  if (running + pending > 0) {
    const which = unreadable === undefined ? '' : ` (${unreadable} with a record that cannot be read)`;
    return busy(`Slurm has ${counted(running, 'job')} running${which} and ${pending} waiting.`);
  }
  if (unsubmittedJobs > 0) return busy(`Not in Slurm yet: ${counted(unsubmittedJobs, 'accepted job')}.`);
  if (isUpdating) return busy('The cluster is being updated.', false);
  if (interactiveSessions > 0) {
    return busy(`Open on the head node: ${counted(interactiveSessions, 'interactive session')}.`, false);
  }
  const hold = lastHold(holds, now);
  if (!hold) return undefined;
  const because = `Held by ${hold.name} until ${hold.until}: ${hold.reason}`;
  return { kind: 'busy', because, isMoving: false, endsAt: Date.parse(hold.until) };
}

/** Milliseconds until the next look: soon while busy, rarely while idle, and exactly when something is due. */
export function nextLookInMs(
  verdict: IdleVerdict,
  pace: { readonly busyTickSeconds: number; readonly idleTickSeconds: number },
  now: number,
  lifetimeEndsAt: number,
): number {
  const due = Math.min(lifetimeEndsAt, dueAt(verdict));
  const isMoving = verdict.kind === 'busy' && verdict.isMoving;
  const tickSeconds = isMoving ? pace.busyTickSeconds : pace.idleTickSeconds;
  return Math.max(1, Math.min(tickSeconds * 1000, due - now));
}

function dueAt(verdict: IdleVerdict): number {
  if (verdict.kind === 'idle') return verdict.teardownAt;
  return (verdict.kind === 'busy' ? verdict.endsAt : undefined) ?? Number.POSITIVE_INFINITY;
}
