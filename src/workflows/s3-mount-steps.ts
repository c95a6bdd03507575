import type { DeploymentRecord } from '../domain/cluster-snapshot.ts';
import { activities } from './activities.ts';
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
  const outcome = await whileExporting(entity, step);
  if (outcome.status !== 'failed') return outcome.status === 'done';
  record.s3WritesUnfinished = true;
  entity.snapshot.failure = failureFrom(outcome.error, 'S3WritesUnfinished');
  entity.enter(
    'blocked',
    'What is being written may not be in S3; the cluster stays until an operator decides.',
  );
  return false;
}
