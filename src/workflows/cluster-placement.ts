import { log, patched } from '@temporalio/workflow';
import type { ClusterSpec } from '../domain/cluster-spec.ts';
import type { DeploymentRecord } from '../domain/cluster-snapshot.ts';
import type { Failure } from '../domain/failures.ts';
import { describeTries, type NextPlace, nextPlace, type Placement } from '../domain/placement.ts';
import type { SpecNotes } from '../domain/spec-notes.ts';
import { sentence } from '../domain/wording.ts';
import { activities } from './activities.ts';
import { nowIso } from './clock.ts';
import { refuseBeyondBudget } from './cluster-costs.ts';
import type { ClusterEntity } from './cluster-entity.ts';
import { failureFrom } from './failure.ts';
import { SUPPORT_BUNDLE } from './patches.ts';

/** Of a try; the whole is in its support bundle. */
const MAX_MESSAGE_CHARACTERS = 500;

/**
 * Ends a deployment that failed before it was ready. Where another zone or a fallback tier may help, the cluster is asked for
 * again there; otherwise it has failed.
 */
export async function giveUpPlace(
  entity: ClusterEntity,
  record: DeploymentRecord,
  failure: Failure,
): Promise<void> {
  const { snapshot } = entity;
  const placement = withTry(snapshot.placement, record, failure);
  snapshot.placement = placement;
  const asked = placement.asked ?? record.spec;
  const { poolZones = [], failedChecks = [] } = record;
  const next = nextPlace(placement, asked, { poolZones, failedChecks });
  if (!next) return failed(entity, placement, failure);
  let coming: Coming;
  try {
    coming = await specOf(next, asked, record);
    refuseBeyondBudget(entity, coming.notes);
  } catch (error) {
    return failed(entity, placement, failureFrom(error));
  }
  const { spec, notes } = coming;
  // Somebody asked for its end meanwhile.
  if (snapshot.teardown) return undefined;
  if (next.kind === 'tier') snapshot.placement = { ...placement, asked };
  snapshot.requested = spec;
  if (notes) snapshot.requestedNotes = notes;
  else delete snapshot.requestedNotes;
  const where = next.kind === 'zone' ? 'in another availability zone' : `with the nodes of ${next.tier}`;
  entity.beginTeardown({
    kind: 'placed-anew',
    reason: `${sentence(failure.message)} The cluster is tried again ${where}.`,
  });
  return undefined;
}

function withTry(placement: Placement | undefined, record: DeploymentRecord, failure: Failure): Placement {
  const { epoch, startedAt, resources, spec } = record;
  const { type, message } = failure;
  const tries = placement?.tries ?? [];
  return {
    ...placement,
    tries: [
      ...tries,
      {
        epoch,
        ...(typeof resources.lease === 'object' && resources.lease),
        tier: spec.tier,
        startedAt,
        failedAt: nowIso(),
        failure: { type, message: message.slice(0, MAX_MESSAGE_CHARACTERS) },
      },
    ],
  };
}

/** Of one that was tried more than once, the failure tells of all. */
function failed(entity: ClusterEntity, placement: Placement, failure: Failure): void {
  const { tries } = placement;
  const isOfTry = failure.type === tries.at(-1)?.failure.type;
  const all = tries.length > 1 || !isOfTry ? describeTries(placement) : failure.message;
  const message = isOfTry ? all : `${sentence(failure.message)} Tried before: ${all}`;
  entity.beginTeardown({ kind: 'failed', reason: message, failure: { ...failure, message } });
}

interface Coming {
  readonly spec: ClusterSpec;
  readonly notes?: SpecNotes | undefined;
}

async function specOf(
  next: NextPlace,
  asked: ClusterSpec,
  { spec, notes }: DeploymentRecord,
): Promise<Coming> {
  if (next.kind === 'zone') return { spec, notes };
  // What a tier is and costs can change with a release, what was decided cannot.
  return activities.resolveFallback({ spec: asked, tier: next.tier });
}

/**
 * Keeps what is to be known of a deployment that failed, as long as its stack and its file system are there. No failure of that
 * keeps them: they cost money.
 */
export async function keepEvidence(entity: ClusterEntity, record: DeploymentRecord): Promise<void> {
  const last = entity.snapshot.placement?.tries.at(-1);
  if (last?.epoch !== record.epoch || last.supportBundle !== undefined || !patched(SUPPORT_BUNDLE)) return;
  try {
    const { failure } = last;
    const { uri } = await activities.saveSupportBundle({ ...entity.deployment(record), failure });
    noteBundle(entity, record.epoch, uri);
  } catch (error) {
    log.warn('No support bundle', {
      ...entity.tenant,
      epoch: record.epoch,
      problem: failureFrom(error).message,
    });
  }
}

/** Unless somebody has asked for something else meanwhile, which has no tries yet. */
function noteBundle(entity: ClusterEntity, epoch: string, supportBundle: string): void {
  const { placement } = entity.snapshot;
  if (!placement) return;
  const tries = placement.tries.map((each) => (each.epoch === epoch ? { ...each, supportBundle } : each));
  entity.snapshot.placement = { ...placement, tries };
  entity.publish();
}
