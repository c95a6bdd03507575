import { setHandler, uuid4 } from '@temporalio/workflow';
import type { OpenCampaign } from '../domain/cluster-snapshot.ts';
import { coversSpec, diffSpecs, type ClusterSpec } from '../domain/cluster-spec.ts';
import { changeRequestSchema } from '../domain/entity-requests.ts';
import { problemWith } from '../domain/lifetime.ts';
import type { SpecNotes } from '../domain/spec-notes.ts';
import { grownFor, planUpdate, type UpdatePlan } from '../domain/spec-update.ts';
import { MAX_CHANGES, pendingUpdate, type SpecUpdate } from '../domain/spec-update-record.ts';
import { counted } from '../domain/wording.ts';
import { nowIso } from './clock.ts';
import { refuseBeyondBudget } from './cluster-costs.ts';
import type { ClusterEntity } from './cluster-entity.ts';
import { failureFrom, refuse, rejection } from './failure.ts';
import {
  changeSpec,
  type ChangeAnswer,
  type ChangeJudgement,
  type ChangeRequest,
  comingSpec,
  judgeChange,
} from './messages.ts';

/** Registers the messages by which a living cluster's specification is changed. */
export function registerUpdateHandlers(entity: ClusterEntity): void {
  setHandler(
    comingSpec,
    () => {
      const spec = specToCome(entity);
      const notes = notesToCome(entity);
      return { ...(spec && { spec }), ...(notes && { notes }) };
    },
    { description: 'The specification of the cluster, or the one that it is about to get' },
  );

  setHandler(judgeChange, (request) => judge(entity, request), {
    description: 'What a change would be refused with at this moment; nothing is changed',
  });

  setHandler(changeSpec, (request) => change(entity, request), {
    validator: (request) => {
      check(entity, request);
    },
    description: 'Change the specification of the cluster: in place, or by another one after its campaigns',
  });
}

/** Throws what a change is refused with. */
function check(entity: ClusterEntity, request: ChangeRequest): void {
  refuse(problemWith(changeRequestSchema, request));
  decide(entity, request);
}

function judge(entity: ClusterEntity, request: ChangeRequest): ChangeJudgement {
  try {
    check(entity, request);
    return {};
  } catch (error) {
    return { refusal: failureFrom(error) };
  }
}

/** What the cluster is about to be where an update was asked for; what it is otherwise. */
export function specToCome(entity: ClusterEntity): ClusterSpec | undefined {
  const current = entity.currentSpec();
  return current && (pendingUpdate(entity.snapshot.update)?.spec ?? current);
}

export function notesToCome(entity: ClusterEntity): SpecNotes | undefined {
  const pending = pendingUpdate(entity.snapshot.update);
  return pending ? pending.notes : entity.currentNotes();
}

type Decision =
  | { readonly kind: 'nothing' | 'repeated' | 'withdraw' | 'not-made-yet' }
  | { readonly kind: 'begin'; readonly plan: UpdatePlan };

/** What a request comes to; changes nothing. Throws what it is refused with. */
function decide(entity: ClusterEntity, request: ChangeRequest): Decision {
  const { spec, from, notes } = request;
  const { snapshot } = entity;
  const current = entity.currentSpec();
  if (!current) throw rejection('NoCluster', `The cluster is ${snapshot.state}.`);
  const pending = pendingUpdate(snapshot.update);
  const coming = pending?.spec ?? current;
  const isSame = (other: ClusterSpec) => diffSpecs(other, spec).length === 0;
  if (isSame(coming)) return { kind: pending ? 'repeated' : 'nothing' };
  if (from && diffSpecs(coming, from).length > 0)
    throw rejection('ClusterSpecConflict', 'The specification was changed meanwhile.', {
      differences: diffSpecs(from, coming),
    });
  if (snapshot.requested) return notMadeYet(entity, current, request);
  if (snapshot.state === 'provisioning' || snapshot.state === 'waiting-ready')
    throw rejection(
      'ClusterNotReady',
      `The cluster is ${snapshot.state}; it can be changed when it is ready.`,
    );
  if (pending) refuseBesideAnother(entity, pending);
  if (pending && isSame(current)) return { kind: 'withdraw' };
  const plan = planUpdate(current, spec);
  if (plan.mode === 'refused') {
    const refused = plan.changes.filter(({ mode }) => mode === 'refused');
    throw rejection(
      'ChangeRefused',
      `Not changed on a living cluster: ${refused.map(({ path, because = '' }) => `${path} (${because})`).join('; ')}.`,
      { changes: plan.changes },
    );
  }
  // It is work that costs money, but for how long the cluster lives: that can always be made shorter.
  if (plan.mode !== 'at-once') refuseBeyondBudget(entity, notes);
  return { kind: 'begin', plan };
}

/** It can be anything else, unless campaigns wait for what it was to be. */
function notMadeYet(entity: ClusterEntity, current: ClusterSpec, { spec, notes }: ChangeRequest): Decision {
  const waiting = Object.values(entity.snapshot.campaigns).filter(({ targetEpoch }) => !targetEpoch);
  if (waiting.length > 0 && !coversSpec(spec, current))
    throw rejection(
      'ClusterUpdating',
      `${counted(waiting.length, 'campaign')} waits for the cluster as it was asked for.`,
    );
  if (planUpdate(current, spec).mode !== 'at-once') refuseBeyondBudget(entity, notes);
  return { kind: 'not-made-yet' };
}

/** One that waits for campaigns can still be changed; one that CloudFormation carries out cannot. */
function refuseBesideAnother(entity: ClusterEntity, pending: SpecUpdate): void {
  const waiting = Object.values(entity.snapshot.campaigns).filter((each) => waitsFor(each, pending));
  if (pending.mode === 'after-drain' && waiting.length === 0) return;
  throw rejection(
    'ClusterUpdating',
    pending.mode === 'after-drain'
      ? `The cluster is about to be replaced, and ${counted(waiting.length, 'campaign')} waits for that.`
      : 'The cluster is being updated.',
  );
}

function change(entity: ClusterEntity, request: ChangeRequest): ChangeAnswer {
  // The validator saw an earlier state when several updates arrive in one task.
  const decision = decide(entity, request);
  const { spec, notes } = request;
  switch (decision.kind) {
    case 'nothing':
      return answer(entity, 'unchanged');
    case 'repeated':
      return answer(entity, 'accepted');
    case 'withdraw':
      delete entity.snapshot.update;
      entity.publish();
      return answer(entity, 'unchanged');
    case 'not-made-yet':
      askForAnother(entity, spec, notes);
      return answer(entity, 'done');
    default: {
      const update = beginUpdate(entity, { spec, notes, plan: decision.plan, reason: request.reason });
      return answer(entity, update.endedAt ? 'done' : 'accepted');
    }
  }
}

/** Nothing of the cluster that comes was begun yet. */
function askForAnother(entity: ClusterEntity, spec: ClusterSpec, notes: SpecNotes | undefined): void {
  const pending = pendingUpdate(entity.snapshot.update);
  if (pending) entity.snapshot.update = { ...pending, spec, ...(notes && { notes }) };
  entity.request(spec, notes);
}

function answer(entity: ClusterEntity, outcome: ChangeAnswer['outcome']): ChangeAnswer {
  return { outcome, view: entity.view() };
}

function beginUpdate(
  entity: ClusterEntity,
  {
    spec,
    notes,
    plan,
    ...why
  }: {
    readonly spec: ClusterSpec;
    readonly notes: SpecNotes | undefined;
    readonly plan: UpdatePlan;
  } & Pick<SpecUpdate, 'reason' | 'isGrowth'>,
): SpecUpdate {
  const { mode, changes } = plan;
  if (mode === 'none' || mode === 'refused') throw new TypeError(`nothing begins with ${mode}`);
  const update: SpecUpdate = {
    id: uuid4(),
    mode,
    spec,
    ...(notes && { notes }),
    changes: changes.slice(0, MAX_CHANGES).map(({ path }) => path),
    ...why,
    askedAt: nowIso(),
  };
  entity.snapshot.update = update;
  if (entity.isRecallable()) entity.recall('Changed before anything was deleted.');
  if (mode === 'at-once') applyUpdate(entity);
  entity.publish();
  entity.wake();
  return entity.snapshot.update;
}

/** The pending update has succeeded: from now on the cluster is what it says. */
export function applyUpdate(entity: ClusterEntity, notes?: SpecNotes): void {
  const { update, deployment } = entity.snapshot;
  if (!update || !deployment) return;
  const { spec: before, lifetimeEndsAt } = deployment;
  const { spec } = update;
  deployment.spec = spec;
  delete deployment.isKept;
  noteAsked(entity, update, before);
  const known = notes ?? update.notes;
  if (known) deployment.notes = known;
  else delete deployment.notes;
  const longer = spec.maxLifetimeSeconds - before.maxLifetimeSeconds;
  if (lifetimeEndsAt && longer !== 0)
    deployment.lifetimeEndsAt = new Date(Date.parse(lifetimeEndsAt) + longer * 1000).toISOString();
  entity.endUpdate();
}

/**
 * A cluster with the nodes of a fallback tier stands for what was asked for, as does one that has grown, as long as only its times
 * change; otherwise it is what it was changed to.
 */
function noteAsked(
  { snapshot }: ClusterEntity,
  { mode, spec, isGrowth }: SpecUpdate,
  before: ClusterSpec,
): void {
  const { placement } = snapshot;
  if (isGrowth) {
    snapshot.placement = { tries: [], asked: before, ...placement };
    return;
  }
  if (mode !== 'at-once' || !placement?.asked) {
    delete snapshot.placement;
    return;
  }
  const { tier: _tier, queues: _queues, ...changed } = spec;
  const { tier, queues } = placement.asked;
  snapshot.placement = { ...placement, asked: { ...changed, tier, queues } };
}

/** Whether a campaign is told where its jobs are to run only when this update is done. */
export function waitsFor({ afterUpdate }: OpenCampaign, update: SpecUpdate | undefined): boolean {
  return update !== undefined && afterUpdate === update.id;
}

/**
 * What a cluster would be that has what a campaign asks for and it lacks. Undefined where that takes more than a change in
 * place, or cannot begin now.
 */
export function canGrowFor(entity: ClusterEntity, asked: ClusterSpec): ClusterSpec | undefined {
  const current = entity.currentSpec();
  const { state, requested, update } = entity.snapshot;
  const isServed = state === 'ready' || entity.isRecallable();
  if (!current || requested || !isServed || pendingUpdate(update)) return undefined;
  return grownFor(current, asked);
}

/** Begins the update by which a cluster gets what a campaign needs. */
export function growFor(entity: ClusterEntity, campaignId: string, grown: ClusterSpec): void {
  const current = entity.currentSpec();
  if (!current) return;
  beginUpdate(entity, {
    spec: grown,
    // What it costs is said anew when it is done. Who asks for the needs that it was planned for still means this cluster.
    notes: entity.currentNotes(),
    plan: planUpdate(current, grown),
    reason: `Campaign ${campaignId} needs it.`,
    isGrowth: true,
  });
}
