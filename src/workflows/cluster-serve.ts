import { decideIdle, type IdleVerdict, nextLookInMs } from '../domain/idle.ts';
import type { DeploymentRecord } from '../domain/cluster-snapshot.ts';
import type { ClusterActivity } from '../domain/slurm-facts.ts';
import type { Observation } from '../domain/slurm-requests.ts';
import { pendingUpdate } from '../domain/spec-update-record.ts';
import { sentence } from '../domain/wording.ts';
import { nowIso } from './clock.ts';
import { activities } from './activities.ts';
import { announceReady, passFacts } from './cluster-campaigns.ts';
import { hardLimitDueInMs, keepCostsIfDue, notifyBudget, watchBudget } from './cluster-costs.ts';
import { AutomaticExportKeeper } from './automatic-export.ts';
import { type ClusterEntity } from './cluster-entity.ts';
import { keepDeployment } from './deployment-keeper.ts';
import { failureFrom } from './failure.ts';
import { LogFollower } from './log-follower.ts';
import { StackUpdater } from './stack-updater.ts';
import { prepareSuccessor, replaceIfDrained } from './cluster-replacement.ts';
import { SlurmKeyKeeper } from './slurm-keys.ts';
import { UsageRecorder } from './usage-recorder.ts';

/** Margin for clocks that differ when accounting is asked for jobs since a campaign was accepted. */
const CLOCK_MARGIN_SECONDS = 300;

/**
 * Looks after a ready cluster: one look at Slurm per tick, its findings to the campaigns, and the decision whether
 * the cluster is still needed. Returns when a teardown began.
 */
export async function serve(entity: ClusterEntity): Promise<void> {
  const follower = new LogFollower();
  const recorder = new UsageRecorder();
  const keeper = new SlurmKeyKeeper();
  const exporter = new AutomaticExportKeeper();
  const updater = new StackUpdater();
  const stopAll = async () =>
    Promise.all(
      [follower, recorder, keeper, exporter, updater, entity.jobLister].map(async (each) => each.stop()),
    );
  while (entity.snapshot.state === 'ready') {
    const record = entity.record();
    await keepDeployment(entity, record);
    await announceReady(entity, record);
    const seen = await look(entity, record);
    const verdict = judge(entity, record, seen?.activity);
    watchBudget(entity, record);
    replaceIfDrained(entity, record, seen?.activity);
    await notifyBudget(entity);
    if (entity.snapshot.teardown) await stopAll();
    // A teardown that was asked for while we looked wins over what we saw.
    const { teardown } = entity.snapshot;
    if (teardown) {
      prepareSuccessor(entity);
      entity.enter(
        'draining',
        `${sentence(teardown.reason)} No new jobs; what is left in Slurm is cancelled.`,
      );
      return;
    }
    entity.publish();
    await keepCostsIfDue(entity, record);
    if (entity.mustRollOver) await stopAll();
    await entity.rollOverIfNeeded();
    const { access } = record;
    // Releases before 0.2.0 did not count our own jobs, and followed none.
    if (access && (seen?.runningOwn ?? 0) > 0) follower.keepGoing({ ...entity.deployment(record), access });
    recorder.keepGoing(entity, record, seen);
    keeper.keepGoing(entity, record);
    exporter.keepGoing(entity, record);
    updater.keepGoing(entity, record);
    if (seen?.more) continue;
    const endsAt = lifetimeEndsAt(record);
    const nextLook = nextLookInMs(verdict, entity.policy, Date.now(), endsAt);
    const dueInMs = Math.min(keeper.dueInMs(record), Math.max(1, hardLimitDueInMs(entity)));
    await entity.sleepUntilWoken(Math.min(nextLook, dueInMs), 'Until the next look at Slurm');
  }
}

/** One look at Slurm; passes what changed to the campaigns. Undefined when Slurm did not answer. */
export async function look(
  entity: ClusterEntity,
  record: DeploymentRecord,
): Promise<Observation | undefined> {
  const { snapshot } = entity;
  if (!record.access) return undefined;
  let observation: Observation;
  const askedAt = nowIso();
  try {
    observation = await activities.observeSlurm({
      ...entity.deployment(record),
      access: record.access,
      campaigns: Object.entries(snapshot.campaigns)
        .filter(([, { targetEpoch }]) => targetEpoch === record.epoch)
        .map(([campaignId, { acceptedAt, told }]) => ({
          campaignId,
          since: Math.floor(Date.parse(acceptedAt) / 1000) - CLOCK_MARGIN_SECONDS,
          ...(told && { told }),
        })),
    });
  } catch (error) {
    // Whatever the cause, we are blind: nothing is concluded from it, and the view says since when and why.
    snapshot.blindSince ??= askedAt;
    const failure = failureFrom(error, 'SlurmUnavailable');
    // The first of its kind: details may differ at each look, and each would be a new view.
    if (snapshot.blindBecause?.type !== failure.type) snapshot.blindBecause = failure;
    return undefined;
  }
  delete snapshot.blindSince;
  delete snapshot.blindBecause;
  if (observation.nodesUp) record.nodesUp = observation.nodesUp;
  snapshot.activity = { ...observation.activity, at: nowIso() };
  await passFacts(entity, record.epoch, observation.campaigns);
  return observation;
}

function lifetimeEndsAt(record: DeploymentRecord): number {
  return record.lifetimeEndsAt ? Date.parse(record.lifetimeEndsAt) : Number.POSITIVE_INFINITY;
}

function judge(
  entity: ClusterEntity,
  record: DeploymentRecord,
  activity: ClusterActivity | undefined,
): IdleVerdict {
  const { snapshot } = entity;
  const now = Date.now();
  snapshot.holds = snapshot.holds.filter(({ until }) => Date.parse(until) > now);
  const verdict = decideIdle({
    now,
    activity,
    blindBecause: snapshot.blindBecause,
    idleSince: snapshot.idleSince ? Date.parse(snapshot.idleSince) : undefined,
    unsubmittedJobs: Object.values(snapshot.campaigns).reduce(
      (sum, campaign) => sum + campaign.unsubmittedJobs,
      0,
    ),
    isUpdating: pendingUpdate(snapshot.update)?.mode === 'in-place',
    holds: snapshot.holds,
    idleTimeoutSeconds: record.spec.idleTimeoutSeconds,
    lifetimeEndsAt: lifetimeEndsAt(record),
  });
  apply(entity, verdict);
  return verdict;
}

function apply(entity: ClusterEntity, verdict: IdleVerdict): void {
  const { snapshot } = entity;
  switch (verdict.kind) {
    case 'busy':
      delete snapshot.idleSince;
      snapshot.message = verdict.because;
      return;
    case 'idle':
      snapshot.idleSince = new Date(verdict.since).toISOString();
      snapshot.message = `Idle; goes at ${new Date(verdict.teardownAt).toISOString()} unless something runs.`;
      return;
    case 'tear-down':
      entity.beginTeardown({ kind: verdict.cause, reason: verdict.because });
  }
}
