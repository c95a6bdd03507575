import {
  type ClusterSnapshot,
  type DeploymentRecord,
  isBlockedByData,
  type Resources,
} from './cluster-snapshot.ts';
import { costFields, worthPublishing } from './cluster-cost.ts';
import { type ClusterSpec, summarizeSpec } from './cluster-spec.ts';
import type { ClusterAccess, ClusterView, PublishedAccess } from './cluster-view.ts';
import type { ExportProblem } from './export-proof.ts';
import { fingerprint, knownHosts } from './host-key.ts';
import type { Tenant } from './ids.ts';
import type { Placement, PlacementTry, PlacementTryView } from './placement.ts';
import type { PlanNote, SpecNotes } from './spec-notes.ts';
import { viewOfKeys } from './slurm-keys.ts';
import { viewOfUpdate } from './spec-update-record.ts';

/*
 * What a view has room for, so that it fits into a memo's 8 KB. The specifications of all tiers and of plans fit, with what
 * is said about them; ids, ARNs, times and a few holds take the rest. What is cut off here stays whole in the workflow's
 * history.
 */
const MAX_SPEC_BYTES = 2400;
const MAX_MESSAGE_CHARACTERS = 1000;
const MAX_PROBLEMS = 3;
const MAX_FILES = 3;
const MAX_PATH_CHARACTERS = 120;
const MAX_BUDGET_CHARACTERS = 100;
const MAX_BLIND_CHARACTERS = 300;
const MEMO_BYTES = 8192;
/** The latest, of which a view has times and message. */
const MAX_WHOLE_TRIES = 3;
const MAX_TRY_CHARACTERS = 160;

/** The view of a cluster entity's state: what the memo carries and the API answers. */
export function renderClusterView(
  tenant: Tenant,
  clusterName: string,
  snapshot: ClusterSnapshot,
  observedAt: string,
): ClusterView {
  const {
    deployment,
    requested,
    activity,
    blindSince,
    blindBecause,
    idleSince,
    failure,
    state,
    campaigns,
    placement,
  } = snapshot;
  const open = Object.values(campaigns);
  const spec = deployment?.spec ?? requested;
  const notes = deployment ? deployment.notes : snapshot.requestedNotes;
  const view: ClusterView = {
    version: 1,
    virtualLabId: tenant.virtualLabId,
    projectId: tenant.projectId,
    clusterName,
    state,
    since: snapshot.since,
    message: clipped(snapshot.message),
    observedAt,
    ...(deployment && { epoch: deployment.epoch, ...resourceFields(deployment.resources) }),
    ...(spec && specFields(spec, notes)),
    ...clippedBudget(costFields(snapshot, observedAt)),
    ...(deployment && lustreField(deployment)),
    ...(deployment?.logGroupName && { logGroupName: deployment.logGroupName }),
    ...(deployment?.access && { access: published(deployment.access) }),
    ...(deployment?.slurmKeys && { slurmKeys: viewOfKeys(deployment.slurmKeys) }),
    ...(deployment?.readyAt && { readyAt: deployment.readyAt }),
    ...(activity && { activity }),
    ...(blindSince && { blindSince }),
    // Only a ready cluster is looked at. It has no failure of its own, so there is room.
    ...(blindBecause &&
      state === 'ready' && {
        blindBecause: { ...blindBecause, message: blindBecause.message.slice(0, MAX_BLIND_CHARACTERS) },
      }),
    ...(idleSince && { idleSince }),
    ...teardownAt(snapshot),
    ...(snapshot.update && { update: viewOfUpdate(snapshot.update, state === 'ready') }),
    holds: snapshot.holds,
    openCampaigns: open.length,
    activeJobs: open.reduce((sum, { activeJobs }) => sum + activeJobs, 0),
    ...(failure && { failure: { ...failure, message: clipped(failure.message) } }),
    ...(snapshot.abandonedEpochs && { abandonedEpochs: snapshot.abandonedEpochs }),
    ...(state === 'blocked' && {
      choices: ['retry', 'abandon', ...(isBlockedByData(snapshot) ? ['discard'] : [])],
    }),
  };
  return placement ? { ...view, ...triesThatFit(view, placement) } : view;
}

function clippedBudget({
  cost,
  budget,
}: ReturnType<typeof costFields>): Pick<ClusterView, 'cost' | 'budget'> {
  return {
    ...(cost && { cost }),
    ...(budget && {
      budget: {
        ...budget,
        by: budget.by.slice(0, MAX_BUDGET_CHARACTERS),
        reason: budget.reason.slice(0, MAX_BUDGET_CHARACTERS),
      },
    }),
  };
}

/**
 * As many tries as a memo has room for beside the rest, which may be large in itself: rather more of them than more of the
 * latest.
 */
function triesThatFit(view: ClusterView, { tries }: Placement): Pick<ClusterView, 'tries'> {
  for (let count = tries.length; count > 0; count--) {
    for (let whole = Math.min(MAX_WHOLE_TRIES, count); whole >= 0; whole--) {
      const shown = tries
        .slice(-count)
        .map((each, index) => (index < count - whole ? briefTry(each) : shortenedTry(each)));
      if (bytesOf({ ...view, tries: shown }) <= MEMO_BYTES) return { tries: shown };
    }
  }
  return {};
}

function briefTry({ epoch, availabilityZone, tier, failure, supportBundle }: PlacementTry): PlacementTryView {
  return {
    epoch,
    ...(availabilityZone !== undefined && { availabilityZone }),
    tier,
    failure: { type: failure.type },
    ...(supportBundle !== undefined && { supportBundle }),
  };
}

function bytesOf(view: ClusterView): number {
  return new TextEncoder().encode(JSON.stringify(view)).length;
}

function shortenedTry({ failure, ...rest }: PlacementTry): PlacementTry {
  const { type, message } = failure;
  return { ...rest, failure: { type, message: message.slice(0, MAX_TRY_CHARACTERS) } };
}

function lustreField({ resources, lustreExport, discard }: DeploymentRecord): Pick<ClusterView, 'lustre'> {
  const { lustre } = resources;
  if (typeof lustre !== 'object') return {};
  const { firstTaskId, finalTaskId, problem, problems } = lustreExport ?? {};
  const exportTaskId = finalTaskId ?? firstTaskId;
  return {
    lustre: {
      fileSystemId: lustre.fileSystemId,
      ...(exportTaskId && { exportTaskId }),
      ...(problem && { automaticExportProblem: problem }),
      ...(problems && { notExported: problems.slice(0, MAX_PROBLEMS).map(shortened) }),
      ...(discard && { discard }),
    },
  };
}

function shortened({ kind, message, files = [], fileCount = files.length }: ExportProblem): ExportProblem {
  return {
    kind,
    message: message.slice(0, MAX_PATH_CHARACTERS),
    ...(files.length > 0 && {
      fileCount,
      files: files
        .slice(0, MAX_FILES)
        .map(({ path, error }) => ({ path: path.slice(-MAX_PATH_CHARACTERS), error: error.slice(0, 60) })),
    }),
  };
}

function published(access: ClusterAccess): PublishedAccess {
  return {
    ...access,
    knownHosts: knownHosts(access),
    hostKeyFingerprint: fingerprint(access.hostKey),
  };
}

/**
 * A specification and what is said about it: the estimate always, of a plan as much as there is room for, which is all of it
 * beside the one queue of a planned specification. All characters of them are ASCII, so the length is the size.
 */
function specFields(
  spec: ClusterSpec,
  { estimate, plan }: SpecNotes = {},
): Pick<ClusterView, 'spec' | 'specSummary' | 'estimate' | 'plan'> {
  const said = estimate && { estimate };
  const whole = { spec, ...said };
  const fields =
    JSON.stringify(whole).length <= MAX_SPEC_BYTES ? whole : { specSummary: summarizeSpec(spec), ...said };
  const note = plan && withinBytes(plan, MAX_SPEC_BYTES - JSON.stringify(fields).length);
  return { ...fields, ...(note && { plan: note }) };
}

/** A plan with as many of its sentences as there is room for; undefined where there is none for what was needed. */
function withinBytes(plan: PlanNote, bytes: number): PlanNote | undefined {
  if (JSON.stringify(plan).length <= bytes) return plan;
  const explanation = plan.explanation.slice(0, -1);
  return plan.explanation.length > 0 ? withinBytes({ ...plan, explanation }, bytes) : undefined;
}

function clipped(message: string): string {
  return message.length <= MAX_MESSAGE_CHARACTERS ? message : `${message.slice(0, MAX_MESSAGE_CHARACTERS)}…`;
}

function resourceFields({ lease, stack, adminKey }: Resources): Partial<ClusterView> {
  return {
    ...(typeof lease === 'object' && { subnetId: lease.subnetId }),
    ...(typeof stack === 'object' && { stackId: stack.stackId }),
    ...(typeof adminKey === 'object' && { adminPrivateKeySecretArn: adminKey.privateKeySecretArn }),
  };
}

function teardownAt({ state, deployment, idleSince }: ClusterSnapshot): Pick<ClusterView, 'teardownAt'> {
  if (state !== 'ready' || !deployment?.lifetimeEndsAt) return {};
  if (!idleSince) return { teardownAt: deployment.lifetimeEndsAt };
  const whenIdle = new Date(Date.parse(idleSince) + deployment.spec.idleTimeoutSeconds * 1000).toISOString();
  return { teardownAt: whenIdle < deployment.lifetimeEndsAt ? whenIdle : deployment.lifetimeEndsAt };
}

/** Whether two views say the same, leaving out when they were written and when Slurm was last seen saying so. */
export function sameView(a: ClusterView, b: ClusterView): boolean {
  return JSON.stringify(timeless(a)) === JSON.stringify(timeless(b));
}

function timeless({ cost, budget, ...view }: ClusterView): unknown {
  return [
    { ...view, observedAt: '', ...(view.activity && { activity: { ...view.activity, at: '' } }) },
    worthPublishing({ ...(cost && { cost }), ...(budget && { budget }) }),
  ];
}
