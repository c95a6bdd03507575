import { log, patched } from '@temporalio/workflow';
import type { DeploymentRecord } from '../domain/cluster-snapshot.ts';
import { activities } from './activities.ts';
import type { ClusterEntity } from './cluster-entity.ts';
import { failureFrom } from './failure.ts';
import { KEEP_RECORDS } from './patches.ts';

/**
 * Keeps in the control bucket what a deployment is, before it is given jobs and after it was changed, for the case that its
 * workflow is lost. What fails is tried again at the next look: it concerns nobody as long as the workflow is there.
 */
export async function keepDeployment(entity: ClusterEntity, record: DeploymentRecord): Promise<void> {
  const { access, spec, startedAt, readyAt, notes } = record;
  if (record.isKept || !access || !patched(KEEP_RECORDS)) return;
  try {
    await activities.keepDeployment({
      ...entity.deployment(record),
      record: {
        spec,
        access,
        startedAt,
        ...(readyAt && { readyAt }),
        ...(notes?.rates && { rates: notes.rates }),
      },
    });
    // An update may have succeeded meanwhile.
    if (record.spec === spec) record.isKept = true;
  } catch (error) {
    log.warn('What the deployment is could not be kept', {
      ...entity.tenant,
      epoch: record.epoch,
      problem: failureFrom(error).message,
    });
  }
}
