import { log, patched, setHandler, uuid4 } from '@temporalio/workflow';
import type { ClusterSpec } from '../domain/cluster-spec.ts';
import { changeRequestSchema } from '../domain/entity-requests.ts';
import { problemWith } from '../domain/lifetime.ts';
import type { SpecNotes } from '../domain/spec-notes.ts';
import { grownFor, planUpdate, type UpdatePlan } from '../domain/spec-update.ts';
import { MAX_CHANGES, pendingUpdate, type SpecUpdate } from '../domain/spec-update-record.ts';
import { nowIso } from './clock.ts';
import { activities } from './activities.ts';
import { refuseBeyondBudget, refuseWhenExhausted } from './cluster-costs.ts';
import type { ClusterEntity } from './cluster-entity.ts';
import { decide, notesToCome, specToCome } from './change-decision.ts';
import { failureFrom, refuse } from './failure.ts';
import { COSTS_THROUGHOUT } from './patches.ts';
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

  setHandler(changeSpec, (request) => changePriced(entity, request), {
    validator: (request) => {
      check(entity, request);
    },
    description: 'Change the specification of the cluster: in place, or by another one after its campaigns',
  });
}

/** Throws what a change is refused with. */
function check(entity: ClusterEntity, request: ChangeRequest): void {
  refuse(problemWith(changeRequestSchema, request));
  // Where nobody says what it costs, that is asked for after the change was taken in hand.
  decide(entity, request, request.notes ? refuseBeyondBudget : refuseWhenExhausted);
}

function judge(entity: ClusterEntity, request: ChangeRequest): ChangeJudgement {
  try {
    check(entity, request);
    return {};
  } catch (error) {
    return { refusal: failureFrom(error) };
  }
}

/** Asks for what a change costs where nobody said it: an operator in the Temporal UI does not know. */
function changePriced(entity: ClusterEntity, request: ChangeRequest): ChangeAnswer | Promise<ChangeAnswer> {
  const isMetered = entity.snapshot.account !== undefined;
  if (request.notes || !isMetered || !patched(COSTS_THROUGHOUT)) return change(entity, request);
  const decision = decide(entity, request, refuseWhenExhausted);
  const isWork =
    decision.kind === 'not-made-yet' || (decision.kind === 'begin' && decision.plan.mode !== 'at-once');
  if (!isWork) return change(entity, request);
  return activities.priceSpec({ spec: request.spec }).then(
    (notes) => change(entity, { ...request, notes }),
    (error: unknown) => {
      log.warn('Nobody said what a change costs', { ...entity.tenant, problem: failureFrom(error).message });
      return change(entity, request);
    },
  );
}

function change(entity: ClusterEntity, request: ChangeRequest): ChangeAnswer {
  // The validator saw an earlier state when several updates arrive in one task.
  const decision = decide(entity, request, refuseBeyondBudget);
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
  const rates = deployment.notes?.rates;
  // Where nobody says what it costs now, what was known goes on counting: a meter never stops while something exists.
  if (known) deployment.notes = { ...(rates && { rates }), ...known };
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
