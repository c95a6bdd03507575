import { setHandler, uuid4 } from '@temporalio/workflow';
import type { ClusterAccess } from '../domain/cluster-view.ts';
import type { Deployment } from '../domain/deployment.ts';
import { isBlockedByData } from '../domain/cluster-snapshot.ts';
import { diffSpecs } from '../domain/cluster-spec.ts';
import {
  ensureRequestSchema,
  releaseRequestSchema,
  submitRequestSchema,
  teardownRequestSchema,
} from '../domain/entity-requests.ts';
import {
  extensionRequestSchema,
  holdRequestSchema,
  MAX_HOLDS,
  problemWith,
  problemWithEnd,
  resolutionSchema,
  lastHold,
} from '../domain/lifetime.ts';
import { asPlannedBefore } from '../domain/spec-notes.ts';
import { keyRotationRequestSchema, withRotation } from '../domain/slurm-keys.ts';
import { nowIso } from './clock.ts';
import { activities } from './activities.ts';
import { registerBudgetHandlers } from './budget-handlers.ts';
import type { ClusterEntity } from './cluster-entity.ts';
import { checkCampaign, refuseWhenCancelled, takeCampaign } from './cluster-campaigns.ts';
import { refuseBeyondBudget, refuseWhenExhausted } from './cluster-costs.ts';
import { specToCome } from './change-decision.ts';
import { registerUpdateHandlers } from './cluster-updates.ts';
import { refuse, rejection } from './failure.ts';
import {
  campaignProgress,
  clusterView,
  type EnsureAnswer,
  type EnsureRequest,
  ensureCluster,
  extendCluster,
  holdCluster,
  listJobs,
  releaseHold,
  resolveBlock,
  rotateSigningKey,
  submitCampaign,
  subnetAvailable,
  teardownCluster,
} from './messages.ts';

/**
 * Registers every message of the entity. Validators are synchronous and change nothing: an update that they refuse
 * leaves no trace in history.
 */
export function registerClusterHandlers(entity: ClusterEntity): void {
  setHandler(clusterView, () => entity.view(), { description: 'What the cluster is doing' });

  setHandler(ensureCluster, (request) => ensureInBudget(entity, request), {
    validator: (request) => {
      refuse(problemWith(ensureRequestSchema, request));
      checkEnsure(entity, request);
    },
    description: 'Make the cluster exist with a specification',
  });

  setHandler(submitCampaign, (request) => takeCampaign(entity, request), {
    validator: (request) => {
      refuse(problemWith(submitRequestSchema, request));
      checkCampaign(entity, request);
    },
    description: 'Run a campaign on the cluster',
  });

  setHandler(
    teardownCluster,
    ({ reason }) => {
      entity.teardown(reason);
      return entity.view();
    },
    {
      validator: (request) => refuse(problemWith(teardownRequestSchema, request)),
      description: 'Give the cluster back: jobs are cancelled, logs copied, everything deleted',
    },
  );

  setHandler(
    listJobs,
    async () => entity.jobLister.list(async () => activities.listSlurmJobs(listable(entity))),
    {
      validator: () => {
        listable(entity);
      },
      description: 'List all jobs in Slurm, of whatever user, into the control bucket',
    },
  );

  registerLifetimeHandlers(entity);

  registerKeyHandler(entity);

  registerBudgetHandlers(entity);
  registerUpdateHandlers(entity);

  setHandler(
    resolveBlock,
    (answer) => {
      entity.resolve(answer);
      return entity.view();
    },
    {
      validator: (answer) => {
        refuse(problemWith(resolutionSchema, answer));
        if (entity.snapshot.state !== 'blocked') {
          refuse({ path: 'choice', reason: `the cluster is ${entity.snapshot.state}, not blocked` });
        }
        if (answer.choice === 'discard' && !isBlockedByData(entity.snapshot))
          refuse({ path: 'choice', reason: 'no data that is not in S3 blocks the cluster' });
      },
      description: 'Decide what happens to a blocked cluster: retry, abandon, or discard what is not in S3',
    },
  );

  setHandler(subnetAvailable, () => entity.wake());

  setHandler(campaignProgress, ({ campaignId, unsubmittedJobs, activeJobs, ended }) => {
    const campaign = entity.snapshot.campaigns[campaignId];
    if (!campaign) return;
    // Looking after each of a hundred batches would only make them slower.
    const submitted = unsubmittedJobs === 0 && campaign.unsubmittedJobs > 0;
    if (ended) delete entity.snapshot.campaigns[campaignId];
    else Object.assign(campaign, { unsubmittedJobs, activeJobs });
    entity.publish();
    if (ended || submitted) entity.wake();
  });
}

function registerLifetimeHandlers(entity: ClusterEntity): void {
  setHandler(
    holdCluster,
    ({ name, reason, durationSeconds }) => {
      const until = new Date(Date.now() + durationSeconds * 1000).toISOString();
      entity.snapshot.holds = [
        ...entity.snapshot.holds.filter((hold) => hold.name !== name),
        { name, reason, until },
      ];
      if (entity.isRecallable()) entity.recall(`Held by ${name}: ${reason}`);
      entity.publish();
      entity.wake();
      return entity.view();
    },
    {
      validator: (request) => {
        refuse(problemWith(holdRequestSchema, request));
        const isPlacedAnew = entity.snapshot.teardown?.kind === 'placed-anew';
        if (!entity.isLive() && !entity.isRecallable() && !isPlacedAnew) {
          throw rejection('NoCluster', `The cluster is ${entity.snapshot.state}; there is nothing to hold.`);
        }
        const others = entity.snapshot.holds.filter(({ name }) => name !== request.name);
        if (others.length >= MAX_HOLDS) {
          refuse({ path: 'name', reason: `the cluster has ${MAX_HOLDS} holds: release one first` });
        }
        // One that ends before another does keeps nothing longer; none keeps a cluster that can be called back.
        const last = lastHold(entity.snapshot.holds, Date.now());
        const until = Date.now() + request.durationSeconds * 1000;
        if (!last || until > Date.parse(last.until)) refuseWhenExhausted(entity);
      },
      description: 'Keep the cluster although idle, for a named reason and a bounded time',
    },
  );

  setHandler(
    releaseHold,
    ({ name }) => {
      entity.snapshot.holds = entity.snapshot.holds.filter((hold) => hold.name !== name);
      entity.publish();
      entity.wake();
      return entity.view();
    },
    {
      validator: (request) => refuse(problemWith(releaseRequestSchema, request)),
      description: 'Take a hold back',
    },
  );

  setHandler(
    extendCluster,
    ({ until }) => {
      const { deployment } = entity.snapshot;
      if (deployment) deployment.lifetimeEndsAt = new Date(until).toISOString();
      entity.publish();
      entity.wake();
      return entity.view();
    },
    {
      validator: (request) => {
        refuse(problemWith(extensionRequestSchema, request) ?? problemWithEnd(request.until, Date.now()));
        const endsAt = entity.snapshot.deployment?.lifetimeEndsAt;
        if (!entity.isLive() || !endsAt) {
          throw rejection(
            'ClusterNotReady',
            `The cluster is ${entity.snapshot.state}; its lifetime has not begun.`,
          );
        }
        if (Date.parse(request.until) > Date.parse(endsAt)) refuseWhenExhausted(entity);
      },
      description: 'Move the end of the maximum lifetime',
    },
  );
}

const NO_SIGNING_KEY = 'The cluster has no Slurm REST API, and so no key that signs tokens for it.';
const ASK_FOR_SLURM_API =
  'A cluster gets both from the beginning on when its specification has `slurmApi`; it cannot be added to a living one.';

function registerKeyHandler(entity: ClusterEntity): void {
  setHandler(
    rotateSigningKey,
    (request) => {
      const { deployment } = entity.snapshot;
      if (deployment?.slurmKeys) {
        const parsed = keyRotationRequestSchema.parse(request);
        deployment.slurmKeys = withRotation(deployment.slurmKeys, parsed, { id: uuid4(), now: nowIso() });
      }
      entity.publish();
      entity.wake();
      return entity.view();
    },
    {
      validator: (request) => {
        refuse(problemWith(keyRotationRequestSchema, request));
        const { state, deployment } = entity.snapshot;
        if (deployment && !deployment.spec.slurmApi)
          throw rejection('NotFound', NO_SIGNING_KEY, { nextStep: ASK_FOR_SLURM_API });
        if (state !== 'ready' || entity.snapshot.teardown)
          throw rejection('ClusterNotReady', `The cluster is ${state}; its keys cannot be changed.`);
      },
      description: 'Replace the key that signs tokens for Slurm’s REST API',
    },
  );
}

/** The deployment whose Slurm can be asked for its jobs. */
function listable(entity: ClusterEntity): Deployment & { readonly access: ClusterAccess } {
  const { state, message } = entity.snapshot;
  const access = entity.snapshot.deployment?.access;
  const what = `The cluster is ${state}: ${message}`;
  switch (state) {
    case 'ready':
      if (!access) throw rejection('ClusterNotReady', what);
      return { ...entity.deployment(entity.record()), access };
    case 'requested':
    case 'provisioning':
    case 'waiting-ready':
      throw rejection('ClusterNotReady', what);
    case 'deleted':
    case 'failed':
      throw rejection('NotFound', what);
    default:
      throw rejection('ClusterDeleting', what);
  }
}

function checkEnsure(entity: ClusterEntity, asked: EnsureRequest): void {
  refuseWhenCancelled(entity);
  const current = entity.currentSpec();
  const existing = current && { spec: current, notes: entity.currentNotes() };
  const same = existing ? asPlannedBefore(existing, asked) : asked.spec;
  const differences = existing ? diffSpecs(existing.spec, same) : [];
  // What it is about to become is as good, and what it stands for with the nodes of a fallback tier.
  const others = [specToCome(entity), entity.askedSpec()];
  const isAnother = others.some((other) => other && diffSpecs(other, same).length === 0);
  if (differences.length > 0 && !isAnother) {
    const fields = differences.map(({ path }) => path).join(', ');
    throw rejection(
      'ClusterSpecConflict',
      `The cluster is ${entity.snapshot.state} with other values of: ${fields}.`,
      {
        differences,
      },
    );
  }
  if (!existing) refuseBeyondBudget(entity, asked.notes);
  else if (entity.isRecallable()) refuseWhenExhausted(entity);
}

/** Who says what a cluster costs is told by an entity that knows what the tenant has spent. */
function ensureInBudget(entity: ClusterEntity, request: EnsureRequest): EnsureAnswer | Promise<EnsureAnswer> {
  if (entity.snapshot.account || !request.notes?.rates) return ensure(entity, request);
  return entity.openAccount().then(() => ensure(entity, request));
}

function ensure(entity: ClusterEntity, request: EnsureRequest): EnsureAnswer {
  // The validator saw an earlier state when several updates arrive in one task.
  checkEnsure(entity, request);
  const outcome = entity.currentSpec() ? ('exists' as const) : ('created' as const);
  if (outcome === 'created') entity.request(request.spec, request.notes);
  else if (entity.isRecallable()) entity.recall('Asked for again before anything was deleted.');
  entity.wake();
  return { outcome, view: entity.view() };
}
