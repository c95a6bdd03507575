import type { OpenCampaign } from '../domain/cluster-snapshot.ts';
import { coversSpec, diffSpecs, type ClusterSpec } from '../domain/cluster-spec.ts';
import type { SpecNotes } from '../domain/spec-notes.ts';
import { planUpdate, type UpdatePlan } from '../domain/spec-update.ts';
import { pendingUpdate, type SpecUpdate } from '../domain/spec-update-record.ts';
import { counted } from '../domain/wording.ts';
import { type refuseBeyondBudget, refuseWhenExhausted } from './cluster-costs.ts';
import type { ClusterEntity } from './cluster-entity.ts';
import { rejection } from './failure.ts';
import type { ChangeRequest } from './messages.ts';

/** What the cluster is about to be where an update was asked for; what it is otherwise. */
export function specToCome(entity: ClusterEntity): ClusterSpec | undefined {
  const current = entity.currentSpec();
  return current && (pendingUpdate(entity.snapshot.update)?.spec ?? current);
}

export function notesToCome(entity: ClusterEntity): SpecNotes | undefined {
  const pending = pendingUpdate(entity.snapshot.update);
  return pending ? pending.notes : entity.currentNotes();
}

export type Decision =
  | { readonly kind: 'nothing' | 'repeated' | 'withdraw' | 'not-made-yet' }
  | { readonly kind: 'begin'; readonly plan: UpdatePlan };

/** What a request comes to; changes nothing. Throws what it is refused with, if it costs money by `refuseCosts`. */
export function decide(
  entity: ClusterEntity,
  request: ChangeRequest,
  refuseCosts: typeof refuseBeyondBudget,
): Decision {
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
  if (snapshot.requested) return notMadeYet(entity, current, request, refuseCosts);
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
  if (plan.mode !== 'at-once') refuseCosts(entity, notes);
  else if (entity.isRecallable() || isLonger(current, spec)) refuseWhenExhausted(entity);
  return { kind: 'begin', plan };
}

/** It can be anything else, unless campaigns wait for what it was to be. */
function notMadeYet(
  entity: ClusterEntity,
  current: ClusterSpec,
  { spec, notes }: ChangeRequest,
  refuseCosts: typeof refuseBeyondBudget,
): Decision {
  const waiting = Object.values(entity.snapshot.campaigns).filter(({ targetEpoch }) => !targetEpoch);
  if (waiting.length > 0 && !coversSpec(spec, current))
    throw rejection(
      'ClusterUpdating',
      `${counted(waiting.length, 'campaign')} waits for the cluster as it was asked for.`,
    );
  if (planUpdate(current, spec).mode !== 'at-once') refuseCosts(entity, notes);
  else if (isLonger(current, spec)) refuseWhenExhausted(entity);
  return { kind: 'not-made-yet' };
}

/** Whether a cluster would live longer than before, busy or idle. */
function isLonger(before: ClusterSpec, after: ClusterSpec): boolean {
  return (
    after.maxLifetimeSeconds > before.maxLifetimeSeconds ||
    after.idleTimeoutSeconds > before.idleTimeoutSeconds
  );
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

/** Whether a campaign is told where its jobs are to run only when this update is done. */
export function waitsFor({ afterUpdate }: OpenCampaign, update: SpecUpdate | undefined): boolean {
  return update !== undefined && afterUpdate === update.id;
}
