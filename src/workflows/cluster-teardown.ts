import { patched } from '@temporalio/workflow';
import type { DeletionRequest } from '../activities/port.ts';
import type { DeploymentRecord, OpenCampaign } from '../domain/cluster-snapshot.ts';
import { failureOf } from '../domain/failures.ts';
import type { OperatorDecision } from '../domain/lustre-export.ts';
import { sentence } from '../domain/wording.ts';
import { activities } from './activities.ts';
import { nowIso } from './clock.ts';
import { announceGone } from './cluster-campaigns.ts';
import { keepEvidence } from './cluster-placement.ts';
import { budgetFailure, keepCosts, notifyBudget } from './cluster-costs.ts';
import type { ClusterEntity } from './cluster-entity.ts';
import { awaitHolds } from './cluster-holds.ts';
import { look } from './cluster-serve.ts';
import { failureFrom } from './failure.ts';
import { exportWhileMounted, releaseLustre } from './lustre-steps.ts';
import { settleS3Writes } from './s3-mount-steps.ts';
import { COSTS_THROUGHOUT, KEEP_RECORDS } from './patches.ts';
import { recordLastUsage } from './usage-recorder.ts';

/**
 * Empties a cluster before it goes: cancels what is left in Slurm, then waits until the campaigns have seen the end
 * of their jobs and copied the last logs. Ends in `deleting`, or back in `ready` when an idle cluster is called back.
 */
export async function drain(entity: ClusterEntity): Promise<void> {
  const record = entity.record();
  if (entity.snapshot.state === 'draining') {
    await cancelWhatIsLeft(entity, record);
    // Called back while we cancelled.
    if (entity.snapshot.state !== 'draining') return;
    if (record.orphan) await copyLastLogs(entity, record);
    entity.enter('exporting', 'Campaigns copy their last logs.');
  }
  const deadline = Date.parse(entity.snapshot.since) + entity.policy.drainTimeoutSeconds * 1000;
  const isExporting = () => entity.snapshot.state === 'exporting';
  while (isExporting() && openCampaigns(entity, record).length > 0 && Date.now() < deadline) {
    const seen = await look(entity, record);
    if (seen?.more) continue;
    const waitMs = Math.min(entity.policy.busyTickSeconds * 1000, deadline - Date.now());
    if (openCampaigns(entity, record).length > 0 && waitMs > 0) {
      await entity.sleepUntilWoken(waitMs, 'Until campaigns have copied their logs');
    }
  }
  if (!isExporting() || !(await awaitHolds(entity, record))) return;
  const problem = await recordLastUsage(entity, record);
  // Called back while we recorded.
  if (!isExporting()) return;
  if (!(await exportWhileMounted(entity, record))) return;
  if (!(await settleS3Writes(entity, record))) return;
  const note = problem === undefined ? '' : ` What jobs used last could not be recorded (${problem}).`;
  entity.enter('deleting', `The CloudFormation stack is deleted.${note}`);
}

function openCampaigns(entity: ClusterEntity, { epoch }: DeploymentRecord): OpenCampaign[] {
  return Object.values(entity.snapshot.campaigns).filter(({ targetEpoch }) => targetEpoch === epoch);
}

async function cancelWhatIsLeft(entity: ClusterEntity, record: DeploymentRecord): Promise<void> {
  if (!record.access) return;
  try {
    await activities.cancelJobs({ ...entity.deployment(record), access: record.access });
  } catch (error) {
    // A head node that cannot be reached must not keep its cluster: the stack's deletion ends the jobs.
    entity.say(`Cancelling jobs failed (${failureFrom(error).message}); the teardown goes on.`);
  }
}

/** Of a deployment whose campaigns nobody tells any more that their jobs have ended: what these wrote, up to the usual limit. */
async function copyLastLogs(entity: ClusterEntity, record: DeploymentRecord): Promise<void> {
  if (!record.access) return;
  try {
    await activities.followJobLogs({ ...entity.deployment(record), access: record.access, isLast: true });
  } catch (error) {
    entity.say(`Copying logs failed (${failureFrom(error).message}); the teardown goes on.`);
  }
}

/**
 * Gives everything back, in the only safe order: the stack first, and until it is proven gone nothing else; then the
 * subnet, which nothing uses any more; keys and secrets last, since they open the door to whatever is left. Ends in
 * `deleted`, `failed` or `blocked`.
 */
export async function releaseEverything(entity: ClusterEntity): Promise<void> {
  const record = entity.record();
  const { epoch } = record;
  const gone = entity.snapshot.failure ?? failureOf('ClusterDeleting', 'The cluster was deleted.');
  await announceGone(
    entity,
    gone,
    ({ targetEpoch, isDismissed }) => targetEpoch === epoch || isDismissed === true,
  );
  try {
    await releaseSteps(entity, record);
  } catch (error) {
    entity.snapshot.failure = failureFrom(error, 'TeardownTimedOut');
    entity.enter('blocked', 'Deleting did not succeed; subnet and keys are kept until an operator decides.');
    return;
  }
  await finish(entity, record);
}

async function releaseSteps(entity: ClusterEntity, record: DeploymentRecord): Promise<void> {
  const deployment = entity.deployment(record);
  const { resources } = record;
  const lastAskedMs = Date.now();
  const of = (resource: unknown) => askedAgo(resource, lastAskedMs);
  record.deletionBegan = true;
  if (record.access) await activities.disconnect(deployment).catch(() => undefined);
  if (resources.stack ?? resources.lustre) await keepEvidence(entity, record);
  if (resources.stack) {
    await activities.deleteStack({ ...deployment, ...of(resources.stack) });
    delete resources.stack;
    entity.say('The stack is gone; subnet and keys follow.');
  }
  await releaseLustre(entity, record, of(resources.lustre));
  if (resources.home) {
    const { home } = resources;
    await activities.deleteHome({ ...deployment, ...of(home), ...(typeof home === 'object' && { home }) });
    delete resources.home;
  }
  if (resources.lease) {
    const answer = await activities.releaseSubnet({
      ...deployment,
      ...(record.orphan && { onlyIfEmpty: true }),
    });
    if (answer?.inUse) record.leaseInUse = answer.inUse;
    delete resources.lease;
  }
  for (const [field, role] of [
    ['jobUserKey', 'job-user'],
    ['adminKey', 'admin'],
  ] as const) {
    if (!resources[field]) continue;
    await activities.deleteKeyPair({ ...deployment, ...of(resources[field]), role });
    delete resources[field];
  }
  if (resources.signingKey) {
    await activities.deleteSigningKey({ ...deployment, ...of(resources.signingKey) });
    delete resources.signingKey;
  }
}

/** What was asked for, at the latest when it was to go, and never seen may not show in AWS yet. */
function askedAgo(resource: unknown, lastAskedMs: number): Pick<DeletionRequest, 'askedSecondsAgo'> {
  return resource === 'requested' ? { askedSecondsAgo: (Date.now() - lastAskedMs) / 1000 } : {};
}

async function finish(entity: ClusterEntity, record: DeploymentRecord): Promise<void> {
  // What was noted beside these steps, and could not be told.
  await notifyBudget(entity);
  await keepCosts(entity, record);
  dropWhatTheBudgetForbids(entity);
  const { teardown } = entity.snapshot;
  if (teardown?.failure) {
    entity.snapshot.failure = teardown.failure;
    entity.endDeployment(
      'failed',
      `${sentence(teardown.reason)} Everything that this deployment made is gone.`,
    );
  } else {
    // A deletion that was blocked on the way and then succeeded leaves no failure behind.
    delete entity.snapshot.failure;
    entity.endDeployment('deleted', `${sentence(teardown?.reason ?? '')} ${whatIsLeft(record)}`.trim());
  }
  await dismissWaitingCampaigns(entity);
}

function whatIsLeft({ leaseInUse }: DeploymentRecord): string {
  if (leaseInUse === undefined) return 'Nothing is left but the logs.';
  return `The lease of its subnet is left, and a later sweep gives it back: ${leaseInUse}`;
}

/** Campaigns that were promised a cluster which will not come are told so. */
export async function dismissWaitingCampaigns(entity: ClusterEntity): Promise<void> {
  const { failure, state } = entity.snapshot;
  const isEnd = !entity.isAskedFor();
  const concerns = ({ isDismissed }: OpenCampaign) => isEnd || isDismissed === true;
  if (!Object.values(entity.snapshot.campaigns).some(concerns)) return;
  const reason =
    failure ?? failureOf('ClusterDeleting', `The cluster is ${state} and was not asked for again.`);
  await announceGone(entity, reason, concerns);
}

/** What was asked for to come next does not come if the budget is used up by now: who waits for it hears so. */
function dropWhatTheBudgetForbids(entity: ClusterEntity): void {
  const { snapshot } = entity;
  const failure = snapshot.requested && budgetFailure(entity);
  if (!failure) return;
  delete snapshot.requested;
  delete snapshot.requestedNotes;
  snapshot.teardown = { kind: 'budget', reason: 'The budget is used up.', ...snapshot.teardown, failure };
}

/** What a view has room for. */
const MAX_ABANDONED = 8;

/** Waits for an operator's answer to a teardown that did not succeed, or until the run is to continue as new. */
export async function awaitDecision(entity: ClusterEntity, mustRollOver: () => boolean): Promise<void> {
  const record = entity.record();
  const answer = await entity.awaitResolution(mustRollOver);
  if (!answer) return;
  const { choice, by, reason } = answer;
  if (choice === 'retry') {
    resume(entity, `Tried again, as ${by} decided: ${reason}`);
    return;
  }
  if (choice === 'discard') {
    record.discard = { by, reason, at: nowIso() };
    resume(entity, `What is not in S3 is given up, as ${by} decided: ${reason}`);
    return;
  }
  if (!(await keepAbandonment(entity, record, { by, reason, at: nowIso() }))) return;
  const { abandonedEpochs = [] } = entity.snapshot;
  entity.snapshot.abandonedEpochs = [record.epoch, ...abandonedEpochs].slice(0, MAX_ABANDONED);
  const left = entity.snapshot.failure?.message ?? 'unknown';
  entity.snapshot.failure = failureOf(
    'ClusterAbandoned',
    `Epoch ${record.epoch}, given up by ${by}: ${reason}. What did not go: ${left}`,
  );
  entity.endDeployment(
    'failed',
    `Given up by ${by}: ${reason}. Subnet, keys and what is left of the stack remain, and cost what nothing here counts any more.`,
  );
  if (patched(COSTS_THROUGHOUT)) await keepCosts(entity, record);
  await dismissWaitingCampaigns(entity);
}

/** No sweep may touch it from now on, also when Temporal has forgotten this workflow. False, and still blocked, if that fails. */
async function keepAbandonment(
  entity: ClusterEntity,
  record: DeploymentRecord,
  abandonment: OperatorDecision,
): Promise<boolean> {
  if (!patched(KEEP_RECORDS)) return true;
  try {
    await activities.keepAbandonment({ ...entity.deployment(record), ...abandonment });
    return true;
  } catch (error) {
    const { message } = failureFrom(error);
    entity.say(
      `Not abandoned, because that could not be kept in the control bucket (${message}): answer again.`,
    );
    return false;
  }
}

/** Goes on where the teardown was blocked. What has begun to go is never `exporting` again, which can be called back. */
function resume(entity: ClusterEntity, message: string): void {
  const { lustreExport, s3WritesUnfinished, deletionBegan } = entity.record();
  const isExport = (lustreExport ?? s3WritesUnfinished) && !deletionBegan;
  entity.enter(isExport ? 'exporting' : 'deleting', message);
}
