import type { DeploymentRecord } from '../domain/cluster-snapshot.ts';
import { failureOf } from '../domain/failures.ts';
import type { ClusterActivity } from '../domain/slurm-facts.ts';
import { pendingUpdate } from '../domain/spec-update-record.ts';
import type { ClusterEntity } from './cluster-entity.ts';

/**
 * Begins the end of a cluster that another one is to follow, once nobody needs it: the campaigns that it was told to run have
 * ended, Slurm, asked just now, has nothing that runs or could run, nobody is at work on the head node and no hold is in force.
 */
export function replaceIfDrained(
  entity: ClusterEntity,
  { epoch }: DeploymentRecord,
  activity: ClusterActivity | undefined,
): void {
  const { update, campaigns, holds } = entity.snapshot;
  const pending = pendingUpdate(update);
  if (pending?.mode !== 'after-drain' || !activity || holds.length > 0) return;
  const { running, pending: waiting, interactiveSessions } = activity;
  const isUsed = running + waiting + interactiveSessions > 0;
  if (isUsed || Object.values(campaigns).some(({ targetEpoch }) => targetEpoch === epoch)) return;
  entity.beginTeardown({
    kind: 'replaced',
    reason: 'Its campaigns have ended, and a cluster of another specification follows.',
  });
}

/**
 * What becomes of a pending change when its cluster goes: one that was to be made anew follows, whatever the reason; one that
 * was being changed in place was not.
 */
export function prepareSuccessor(entity: ClusterEntity): void {
  const { update, teardown } = entity.snapshot;
  const pending = pendingUpdate(update);
  if (!pending || teardown?.kind === 'requested') return;
  if (pending.mode !== 'after-drain') {
    entity.endUpdate(failureOf('ClusterDeleting', 'The cluster goes before it was changed.'));
    return;
  }
  entity.snapshot.requested = pending.spec;
  delete entity.snapshot.placement;
  const rates = entity.snapshot.deployment?.notes?.rates;
  // Nobody said what it costs: then about what its predecessor does, which is nearer to it than nothing.
  const notes = pending.notes ?? (rates && { rates });
  if (notes) entity.snapshot.requestedNotes = notes;
  else delete entity.snapshot.requestedNotes;
  // An idle teardown can be called back; the successor is asked for already.
  if (teardown?.kind === 'idle') entity.snapshot.teardown = { ...teardown, kind: 'replaced' };
}
