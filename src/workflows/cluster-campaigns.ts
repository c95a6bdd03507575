import {
  CancellationScope,
  condition,
  getExternalWorkflowHandle,
  ParentClosePolicy,
  patched,
  startChild,
  WorkflowIdReusePolicy,
} from '@temporalio/workflow';
import { adminAccessOf, type DeploymentRecord, type OpenCampaign } from '../domain/cluster-snapshot.ts';
import { pendingUpdate } from '../domain/spec-update-record.ts';
import { newCampaignSnapshot, renderViewBeforePlan } from '../domain/campaign.ts';
import { CAMPAIGN_VIEW_MEMO } from '../domain/cluster-view.ts';
import { coversSpec, diffSpecs } from '../domain/cluster-spec.ts';
import type { ClusterSpec } from '../domain/cluster-spec.ts';
import { grownFor } from '../domain/spec-update.ts';
import { type Failure, failureOf } from '../domain/failures.ts';
import { campaignWorkflowId } from '../domain/ids.ts';
import { neverAllowed } from '../domain/queue-demands.ts';
import { asPlannedBefore } from '../domain/spec-notes.ts';
import { counted } from '../domain/wording.ts';
import type { CampaignFacts } from '../domain/slurm-requests.ts';
import { nowIso } from './clock.ts';
import { refuseBeyondBudget } from './cluster-costs.ts';
import { type ClusterEntity } from './cluster-entity.ts';
import { notesToCome, specToCome, waitsFor } from './change-decision.ts';
import { canGrowFor, growFor } from './cluster-updates.ts';
import { refuse, rejection } from './failure.ts';
import { TELL_TOGETHER } from './patches.ts';
import {
  type CampaignInput,
  clusterGone,
  clusterReady,
  slurmFacts,
  type SubmitCampaignAnswer,
  type SubmitCampaignRequest,
} from './messages.ts';

/** Nothing new begins in a workflow that an operator has cancelled: it ends when the cluster is gone. */
export function refuseWhenCancelled(entity: ClusterEntity): void {
  if (entity.isCancelled()) {
    throw rejection(
      'ClusterDeleting',
      'An operator cancelled the workflow; it ends when the cluster is gone.',
    );
  }
}

/**
 * Refuses a campaign that this cluster cannot take; changes nothing. Returns what the cluster must become for it, where that
 * is more than it is.
 */
export function checkCampaign(
  entity: ClusterEntity,
  request: SubmitCampaignRequest,
): ClusterSpec | undefined {
  const { campaignId, content, spec: asked, notes } = request;
  const known = entity.snapshot.campaigns[campaignId];
  if (known) {
    if (known.content.sha256 === content.sha256) return undefined;
    throw rejection('CampaignConflict', `Campaign ${campaignId} was accepted with another body.`);
  }
  refuseWhenCancelled(entity);
  const current = specToCome(entity);
  const spec =
    current && asked
      ? asPlannedBefore({ spec: current, notes: notesToCome(entity) }, { spec: asked, notes })
      : asked;
  const isCovered = !current || !spec || coversSpec(current, spec) || isInPlaceOf(entity, spec);
  const grown = isCovered ? undefined : canGrowFor(entity, spec);
  if (!isCovered && !grown) {
    if (grownFor(current, spec)) refuseForNow(entity);
    throw rejection(
      'ClusterSpecConflict',
      `The cluster (${entity.snapshot.state}) does not cover what the campaign asks for.`,
      {
        differences: diffSpecs(current, spec),
      },
    );
  }
  const target = grown ?? current ?? spec;
  if (!target) {
    const { state } = entity.snapshot;
    const going =
      state === 'deleting' || state === 'draining' || state === 'exporting' || state === 'blocked';
    throw rejection(going ? 'ClusterDeleting' : 'NoCluster', `The cluster is ${state}.`);
  }
  checkQueues(target, request.queues);
  refuse(neverAllowed(target, request.demands ?? []));
  refuseBeyondBudget(entity, current ? notesToCome(entity) : notes);
  // What the cluster grows by must have a price as well.
  if (grown) refuseBeyondBudget(entity, notes);
  return grown;
}

/** What the cluster lacks it can be given, only not at this moment. */
function refuseForNow({ snapshot }: ClusterEntity): void {
  if (pendingUpdate(snapshot.update)) throw rejection('ClusterUpdating', 'The cluster is being changed.');
  const { state } = snapshot;
  if (state === 'requested' || state === 'provisioning' || state === 'waiting-ready')
    throw rejection('ClusterNotReady', `The cluster is ${state}; it can get more when it is ready.`);
}

/** Whether the cluster stands, with the nodes of a fallback tier, for one that would cover a specification. */
function isInPlaceOf(entity: ClusterEntity, spec: ClusterSpec): boolean {
  const asked = entity.askedSpec();
  return asked !== undefined && !pendingUpdate(entity.snapshot.update) && coversSpec(asked, spec);
}

function checkQueues(spec: ClusterSpec, queues: readonly string[]): void {
  const names = spec.queues.map(({ name }) => name);
  const missing = queues.filter((queue) => !names.includes(queue));
  if (missing.length > 0) {
    throw rejection(
      'QueueNotInCluster',
      `No queue ${missing.join(', ')}; the cluster has ${names.join(', ')}.`,
    );
  }
}

/** Takes a campaign: starts its workflow and, if there is no cluster, asks for one. */
export async function takeCampaign(
  entity: ClusterEntity,
  request: SubmitCampaignRequest,
): Promise<SubmitCampaignAnswer> {
  if (!entity.snapshot.account && request.notes?.rates) await entity.openAccount();
  // The validator saw an earlier state when several updates arrive in one task.
  const grown = checkCampaign(entity, request);
  const { campaignId, content, jobKeys = [], jobCount = jobKeys.length, spec, notes } = request;
  const { campaigns } = entity.snapshot;
  if (campaigns[campaignId]) return { outcome: 'repeated', campaignId, cluster: entity.view() };
  if (grown) growFor(entity, campaignId, grown);
  const update = pendingUpdate(entity.snapshot.update);
  // Recorded before anything is awaited: from here on the campaign keeps the cluster.
  campaigns[campaignId] = {
    content,
    acceptedAt: nowIso(),
    ...(update && !isServedNow(entity, request) && { afterUpdate: update.id }),
    unsubmittedJobs: jobCount,
    activeJobs: jobCount,
    sequence: 0,
  };
  if (!entity.currentSpec() && spec) entity.request(spec, notes);
  else if (entity.isRecallable()) entity.recall('A campaign arrived before anything was deleted.');
  const { historyEventLimit } = entity.policy;
  const input = { ...entity.tenant, campaignId, content, jobCount, historyEventLimit };
  const outcome = await startCampaign(entity, input);
  if (outcome === 'repeated') delete campaigns[campaignId];
  entity.publish();
  entity.wake();
  return { outcome, campaignId, cluster: entity.view() };
}

/** Whether the cluster as it is can run a campaign although it is being changed. One that is about to go takes none. */
function isServedNow(entity: ClusterEntity, { spec, queues }: SubmitCampaignRequest): boolean {
  const current = entity.currentSpec();
  if (!current || pendingUpdate(entity.snapshot.update)?.mode === 'after-drain') return false;
  const names = current.queues.map(({ name }) => name);
  return queues.every((queue) => names.includes(queue)) && (!spec || coversSpec(current, spec));
}

/** `repeated`: a campaign of that id has run before, or runs on although the entity forgot it. */
async function startCampaign(
  entity: ClusterEntity,
  input: CampaignInput & { readonly jobCount: number },
): Promise<'accepted' | 'repeated'> {
  const { tenant, startingCampaigns } = entity;
  const now = nowIso();
  const view = renderViewBeforePlan(tenant, input, newCampaignSnapshot([], now), now);
  startingCampaigns.add(input.campaignId);
  try {
    // An operator who cancels the cluster's workflow does not cancel its campaigns: they hear that the cluster goes.
    await CancellationScope.nonCancellable(async () =>
      startChild('campaign', {
        workflowId: campaignWorkflowId(tenant, input.campaignId),
        args: [input],
        workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
        // The campaign reports, copies logs and writes its manifest on its own feet, whatever becomes of the cluster.
        parentClosePolicy: ParentClosePolicy.ABANDON,
        // Readable from the first moment on, before a worker has begun the campaign.
        memo: { [CAMPAIGN_VIEW_MEMO]: view },
        staticSummary: `${counted(input.jobCount, 'job')} of ${tenant.virtualLabId}/${tenant.projectId}`,
      }),
    );
    return 'accepted';
  } catch (error) {
    if (error instanceof Error && error.name === 'WorkflowExecutionAlreadyStartedError') return 'repeated';
    throw error;
  } finally {
    startingCampaigns.delete(input.campaignId);
  }
}

/** Tells every campaign that does not know it yet where its jobs are to run. */
export async function announceReady(entity: ClusterEntity, record: DeploymentRecord): Promise<void> {
  await announceDismissal(entity);
  const { access, logGroupName, spec, epoch } = record;
  if (!access || !logGroupName) return;
  const adminAccess = adminAccessOf(record);
  const target = {
    deployment: entity.deployment(record),
    access,
    ...(adminAccess && { adminAccess }),
    logs: { logGroupName, epoch },
    defaultQueue: spec.queues[0]?.name ?? '',
  };
  const update = pendingUpdate(entity.snapshot.update);
  const waiting = Object.entries(entity.snapshot.campaigns).filter(
    ([, campaign]) => !campaign.targetEpoch && !campaign.isDismissed && !waitsFor(campaign, update),
  );
  await tellEach(waiting, async ([campaignId, campaign]) => {
    campaign.targetEpoch = epoch;
    await tell(entity, campaignId, (handle) => handle.signal(clusterReady, target));
  });
}

/** Hands each campaign what Slurm says about its jobs, numbered. */
export async function passFacts(
  entity: ClusterEntity,
  epoch: string,
  changes: readonly CampaignFacts[],
): Promise<void> {
  await tellEach(changes, async ({ campaignId, told, facts }) => {
    const campaign = entity.snapshot.campaigns[campaignId];
    if (!campaign) return;
    campaign.told = { ...campaign.told, ...told };
    campaign.sequence += 1;
    const message = { epoch, sequence: campaign.sequence, observedAt: nowIso(), facts };
    await tell(entity, campaignId, (handle) => handle.signal(slurmFacts, message));
  });
}

/** Tells those whose cluster was deleted before they were told to use it, if nobody else has. */
async function announceDismissal(entity: ClusterEntity): Promise<void> {
  const isDismissed = (campaign: OpenCampaign) => campaign.isDismissed === true;
  if (!Object.values(entity.snapshot.campaigns).some(isDismissed)) return;
  await announceGone(entity, failureOf('ClusterDeleting', 'The cluster was deleted.'), isDismissed);
}

/** Tells campaigns that their cluster is gone and forgets them. */
export async function announceGone(
  entity: ClusterEntity,
  failure: Failure,
  concerns: (campaign: OpenCampaign) => boolean,
): Promise<void> {
  const concerned = Object.entries(entity.snapshot.campaigns).filter(([, campaign]) => concerns(campaign));
  await tellEach(concerned, async ([campaignId, { targetEpoch }]) => {
    delete entity.snapshot.campaigns[campaignId];
    await tell(entity, campaignId, (handle) =>
      handle.signal(clusterGone, { failure, ...(targetEpoch && { epoch: targetEpoch }) }),
    );
  });
  entity.publish();
}

/** Signals of one workflow that may be under way at once are limited to 2,000 (Temporal's `limit.numPendingSignals`). */
const TOLD_AT_ONCE = 1000;

/** In one workflow task for all: one after the other, each would cost a round trip and three events more. */
async function tellEach<T>(all: readonly T[], tellOne: (one: T) => Promise<void>): Promise<void> {
  // For one there is no difference.
  const atOnce = all.length > 1 && patched(TELL_TOGETHER) ? TOLD_AT_ONCE : 1;
  for (let first = 0; first < all.length; first += atOnce) {
    await Promise.all(all.slice(first, first + atOnce).map(tellOne));
  }
}

async function tell(
  entity: ClusterEntity,
  campaignId: string,
  send: (handle: ReturnType<typeof getExternalWorkflowHandle>) => Promise<void>,
): Promise<void> {
  const { startingCampaigns } = entity;
  // Until it is started it cannot be told anything: the signal would find nobody, and the campaign be forgotten.
  if (startingCampaigns.has(campaignId)) await condition(() => !startingCampaigns.has(campaignId));
  try {
    await send(getExternalWorkflowHandle(campaignWorkflowId(entity.tenant, campaignId)));
  } catch {
    // The only failure of a signal to another workflow is that it no longer runs: terminated by an operator, or ended.
    delete entity.snapshot.campaigns[campaignId];
    entity.publish();
  }
}
