import type { DeploymentRecord, OrphanOrders } from '../domain/cluster-snapshot.ts';
import type { Failure } from '../domain/failures.ts';
import { activities } from './activities.ts';
import { nowIso } from './clock.ts';
import type { ClusterEntity } from './cluster-entity.ts';
import { failureFrom } from './failure.ts';
import { whileExporting } from './while-exporting.ts';

/**
 * Waits, where buckets are mounted, until everything that was written is in S3. Leaves the entity `blocked` when that is not
 * seen. Returns whether the teardown goes on.
 */
export async function settleS3Writes(entity: ClusterEntity, record: DeploymentRecord): Promise<boolean> {
  const { spec, discard, access } = record;
  if (!spec.s3Mounts || !access) return true;
  const deployment = entity.deployment(record);
  delete record.s3WritesUnfinished;
  entity.say('Everything that was written is being completed in S3.');
  const step = async () => activities.settleS3Writes({ ...deployment, access, ...(discard && { discard }) });
  for (;;) {
    const outcome = await whileExporting(entity, step);
    if (outcome.status !== 'failed') return outcome.status === 'done';
    const failure = failureFrom(outcome.error, 'S3WritesUnfinished');
    if (!record.orphan || !unanswered.has(failure.type)) return block(entity, record, failure);
    if (await isLost(entity, record, record.orphan, failure)) return true;
  }
}

function block(entity: ClusterEntity, record: DeploymentRecord, failure: Failure): false {
  record.s3WritesUnfinished = true;
  entity.snapshot.failure = failure;
  entity.enter(
    'blocked',
    'What is being written may not be in S3; the cluster stays until an operator decides.',
  );
  return false;
}

/** Nobody said anything about what is being written. */
const unanswered: ReadonlySet<Failure['type']> = new Set(['HeadNodeUnreachable', 'SlurmUnavailable']);
/** Between two tries of a head node that does not answer. */
const UNANSWERED_PAUSE_SECONDS = 1800;

/**
 * A head node that does not answer keeps what nobody looks after only for a time: then what is being written counts as lost
 * with it, which is kept in the control bucket. Before that it waits, and answers false: it is to be tried again.
 */
async function isLost(
  entity: ClusterEntity,
  record: DeploymentRecord,
  orders: OrphanOrders,
  failure: Failure,
): Promise<boolean> {
  const { access } = record;
  const since = (orders.unansweredSince ??= nowIso());
  const untilMs = Date.parse(since) + orders.giveUpAfterSeconds * 1000;
  if (Date.now() < untilMs) {
    entity.say(
      `The head node does not answer (${failure.message}): tried again until ${new Date(untilMs).toISOString()}, then it is given up.`,
    );
    await entity.sleepUntilWoken(
      Math.min(UNANSWERED_PAUSE_SECONDS * 1000, untilMs - Date.now()),
      'Until the head node is asked again',
    );
    return false;
  }
  try {
    const reason = `The head node of an orphan has not answered since ${since}: ${failure.message}`;
    const discard = { by: 'the sweep', reason, at: nowIso() };
    if (access) await activities.settleS3Writes({ ...entity.deployment(record), access, discard });
  } catch (error) {
    entity.say(`It could not be kept that the head node is given up (${failureFrom(error).message}).`);
    return false;
  }
  entity.say('The head node did not answer; what was being written counts as lost.');
  return true;
}
