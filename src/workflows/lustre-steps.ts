import { ApplicationFailure, uuid4 } from '@temporalio/workflow';
import type { DeletionRequest, LustreConsent } from '../activities/port.ts';
import type { DeploymentRecord } from '../domain/cluster-snapshot.ts';
import { failureOf, failures } from '../domain/failures.ts';
import { describeProblems } from '../domain/lustre-export.ts';
import { activities } from './activities.ts';
import type { ClusterEntity } from './cluster-entity.ts';
import { failureFrom } from './failure.ts';
import { whileExporting } from './while-exporting.ts';

/** Makes the deployment's Lustre file system where the spec asks for one; before the stack, which only attaches it. */
export async function makeLustre(entity: ClusterEntity, record: DeploymentRecord): Promise<void> {
  const { resources, spec } = record;
  const { lease } = resources;
  if (!spec.lustre || typeof resources.lustre === 'object' || typeof lease !== 'object') return;
  resources.lustre = 'requested';
  entity.say('FSx makes the Lustre file system and links it with S3; this takes 10 to 20 minutes on AWS.');
  resources.lustre = await activities.ensureLustre({
    ...entity.deployment(record),
    lustre: spec.lustre,
    lease,
  });
}

/**
 * Exports what is in Lustre while the nodes are still there, so that what cannot be exported can be mended on them. Leaves
 * the entity `blocked` when something is not in S3. Returns whether the teardown goes on.
 */
export async function exportWhileMounted(entity: ClusterEntity, record: DeploymentRecord): Promise<boolean> {
  const { lustre } = record.resources;
  const { discard, lustreExport, access } = record;
  if (typeof lustre !== 'object' || !lustreExport || discard || lustreExport.firstTaskId) return true;
  record.lustreExport = { isAutomaticOff: true };
  entity.say('Everything in Lustre is exported to S3.');
  const request = { ...entity.deployment(record), ...lustre, requestId: uuid4(), ...(access && { access }) };
  const outcome = await whileExporting(entity, async () => activities.exportLustre(request));
  // What was exported until it was called back stays in S3.
  if (outcome.status === 'called-back') return false;
  const verdict = outcome.status === 'done' ? outcome.value : undefined;
  if (verdict?.status === 'proven') {
    record.lustreExport = { isAutomaticOff: true, firstTaskId: verdict.proof.taskId };
    return true;
  }
  if (verdict) {
    record.lustreExport = { isAutomaticOff: true, problems: verdict.problems };
    entity.snapshot.failure = failureOf('LustreNotExported', describeProblems(verdict.problems));
  } else if (outcome.status === 'failed') entity.snapshot.failure = failureFrom(outcome.error);
  entity.enter(
    'blocked',
    'Lustre holds data that is not in S3; the cluster stays until an operator decides.',
  );
  return false;
}

/** Deletes the file system once nothing can write into it any more, with proof, or because somebody let the data go. */
export async function releaseLustre(
  entity: ClusterEntity,
  record: DeploymentRecord,
  asked: Pick<DeletionRequest, 'askedSecondsAgo'>,
): Promise<void> {
  const { resources } = record;
  if (!resources.lustre) return;
  const consent = await consentFor(entity, record);
  await activities.deleteLustre({ ...entity.deployment(record), ...asked, consent });
  delete resources.lustre;
}

async function consentFor(entity: ClusterEntity, record: DeploymentRecord): Promise<LustreConsent> {
  const { lustreExport, discard } = record;
  const { lustre } = record.resources;
  if (discard) return { kind: 'discard', ...discard };
  if (!lustreExport || typeof lustre !== 'object') return { kind: 'never-mounted' };
  if (lustreExport.finalTaskId) return { kind: 'exported', taskId: lustreExport.finalTaskId };
  entity.say('What was written to Lustre at last is exported to S3; then the file system is deleted.');
  const verdict = await activities.exportLustre({
    ...entity.deployment(record),
    ...lustre,
    requestId: uuid4(),
  });
  if (verdict.status === 'proven') {
    const { taskId } = verdict.proof;
    record.lustreExport = { ...lustreExport, finalTaskId: taskId };
    return { kind: 'exported', taskId };
  }
  record.lustreExport = { ...lustreExport, problems: verdict.problems };
  throw ApplicationFailure.create({
    type: 'LustreNotExported',
    message: describeProblems(verdict.problems),
    nonRetryable: true,
    details: [{ nextStep: failures.LustreNotExported.nextStep }],
  });
}
