import { CancellationScope, ContinueAsNew, isCancellation, patched } from '@temporalio/workflow';
import type { DeploymentRecord } from '../domain/cluster-snapshot.ts';
import type { KeyRole } from '../domain/deployment.ts';
import { zonesToAvoid } from '../domain/placement.ts';
import { describeFailedChecks, isPassed } from '../domain/preflight.ts';
import { trustedKeys } from '../domain/slurm-keys.ts';
import { nowIso } from './clock.ts';
import { activityOptions } from './activity-options.ts';
import { sentence } from '../domain/wording.ts';
import { activities } from './activities.ts';
import { type ClusterEntity } from './cluster-entity.ts';
import { giveUpPlace } from './cluster-placement.ts';
import { CostWatch, WHILE_IT_IS_MADE } from './cost-watch.ts';
import { failureFrom, rejection } from './failure.ts';
import { makeLustre } from './lustre-steps.ts';
import { HOMES_ON_EFS, PREFLIGHT } from './patches.ts';

/**
 * A waiting cluster asks again this often in case the pool's signal was lost; less than the pool's
 * WAITER_EXPIRY_SECONDS, so that it keeps its place.
 */
const LEASE_REMINDER_SECONDS = 900;

/**
 * Makes the requested cluster, step by step, until Slurm runs a job. Each step notes in the snapshot what it is about
 * to make before it does, and skips what is there: so the function can be entered again at any point, and the one
 * teardown knows what to look for. On failure, or when a teardown is asked for, the entity is left in `deleting`.
 */
export async function provision(entity: ClusterEntity): Promise<void> {
  const record = entity.snapshot.deployment ?? entity.beginDeployment();
  const scope = new CancellationScope({ cancellable: true });
  entity.onStopProvisioning(() => scope.cancel());
  const watch = new CostWatch(entity, record, WHILE_IT_IS_MADE);
  try {
    await scope.run(() => provisionSteps(entity, record));
  } catch (error) {
    if (error instanceof ContinueAsNew) throw error;
    if (!entity.snapshot.teardown) {
      if (isCancellation(error)) throw error;
      await giveUpPlace(entity, record, failureFrom(error));
    }
  } finally {
    entity.onStopProvisioning(() => {});
    await watch.stop();
  }
  const { teardown } = entity.snapshot;
  if (teardown)
    entity.enter(
      'deleting',
      `Provisioning ends: ${sentence(teardown.reason)} Everything made so far is deleted.`,
    );
}

async function provisionSteps(entity: ClusterEntity, record: DeploymentRecord): Promise<void> {
  if (entity.snapshot.state === 'provisioning') {
    await leaseSubnet(entity, record);
    await judgeBeforeSpending(entity, record);
    await makeKeyPair(entity, record, 'admin');
    await makeKeyPair(entity, record, 'job-user');
    await makeSlurmKeys(entity, record);
    await createLogGroup(entity, record);
    await makeHome(entity, record);
    await makeLustre(entity, record);
    await createStack(entity, record);
    entity.enter('waiting-ready', 'The stack is complete; waiting until Slurm answers and runs a job.');
  }
  await awaitReadiness(entity, record);
  // It can arrive in the same workflow task as the last answer, too late to cancel anything.
  if (entity.snapshot.teardown) return;
  const readyAt = nowIso();
  record.readyAt = readyAt;
  record.lifetimeEndsAt = new Date(Date.parse(readyAt) + record.spec.maxLifetimeSeconds * 1000).toISOString();
  // One that asked for another cluster in the place of this one's predecessor.
  entity.endUpdate();
  entity.enter('ready', 'Slurm runs jobs.');
}

async function leaseSubnet(entity: ClusterEntity, record: DeploymentRecord): Promise<void> {
  const { resources } = record;
  while (typeof resources.lease !== 'object') {
    resources.lease = 'requested';
    const { placement } = entity.snapshot;
    const avoidZones = placement ? zonesToAvoid(placement, record.spec.tier) : [];
    const wish = avoidZones.length > 0 && { avoidZones };
    const answer = await activities.acquireSubnet({ ...entity.deployment(record), ...wish });
    if (answer.status === 'leased') {
      resources.lease = answer.lease;
      if (answer.zones) record.poolZones = answer.zones;
      entity.say(`Leased subnet ${answer.lease.subnetId} in ${answer.lease.availabilityZone}.`);
      return;
    }
    const { poolSize, position } = answer;
    entity.say(
      `Waiting for a subnet: all ${poolSize} of the pool${wish ? ` outside ${avoidZones.join(', ')}` : ''} are taken, place ${position} in the queue.`,
    );
    await entity.sleepUntilWoken(LEASE_REMINDER_SECONDS * 1000, 'Wait for a subnet');
    await entity.rollOverIfNeeded();
  }
}

/** Nothing but the lease is there yet, and no key pair is in the way that an earlier attempt of this step could have made. */
async function judgeBeforeSpending(entity: ClusterEntity, record: DeploymentRecord): Promise<void> {
  const { resources, spec } = record;
  const { lease, adminKey } = resources;
  if (typeof lease !== 'object' || adminKey !== undefined || !patched(PREFLIGHT)) return;
  entity.say('Looking for what could keep the cluster from coming up.');
  const report = await activities.preflight({ ...entity.deployment(record), spec, lease });
  if (isPassed(report)) return;
  record.failedChecks = report.checks.filter(({ outcome }) => outcome === 'failed').map(({ name }) => name);
  throw rejection('PreflightFailed', describeFailedChecks(report));
}

async function makeKeyPair(entity: ClusterEntity, record: DeploymentRecord, role: KeyRole): Promise<void> {
  const { resources } = record;
  const field = role === 'admin' ? 'adminKey' : 'jobUserKey';
  if (typeof resources[field] === 'object') return;
  resources[field] = 'requested';
  entity.say(`Making the ${role} key pair.`);
  resources[field] = await activities.ensureKeyPair({ ...entity.deployment(record), role });
}

/** The key that signs tokens for Slurm's REST API, and everything else that Slurm is to trust there. */
async function makeSlurmKeys(entity: ClusterEntity, record: DeploymentRecord): Promise<void> {
  const { resources } = record;
  const { slurmApi } = record.spec;
  if (!slurmApi || record.slurmKeys) return;
  if (typeof resources.signingKey !== 'object') {
    resources.signingKey = 'requested';
    entity.say('Making the key that signs tokens for Slurm’s REST API.');
    resources.signingKey = await activities.ensureSigningKey(entity.deployment(record));
  }
  const own = [resources.signingKey.jwk];
  if (slurmApi.trust === 'epoch-key') {
    record.slurmKeys = { own, keycloak: [] };
    return;
  }
  const keycloakAskedAt = nowIso();
  record.slurmKeys = { own, keycloak: await activities.readKeycloakKeys(), keycloakAskedAt };
}

async function makeHome(entity: ClusterEntity, record: DeploymentRecord): Promise<void> {
  const { resources } = record;
  if (typeof resources.home === 'object' || !patched(HOMES_ON_EFS)) return;
  resources.home = 'requested';
  const home = await activities.ensureHome(entity.deployment(record));
  if (home) resources.home = home;
  else delete resources.home;
}

async function createLogGroup(entity: ClusterEntity, record: DeploymentRecord): Promise<void> {
  if (record.logGroupName) return;
  const { logGroupName } = await activities.ensureLogGroup(entity.deployment(record));
  record.logGroupName = logGroupName;
}

async function createStack(entity: ClusterEntity, record: DeploymentRecord): Promise<void> {
  const { resources, spec, slurmKeys } = record;
  const { lease, adminKey, jobUserKey, home, lustre } = resources;
  if (typeof resources.stack === 'object') return;
  if (typeof lease !== 'object' || typeof adminKey !== 'object' || typeof jobUserKey !== 'object') return;
  resources.stack = 'requested';
  // From here on nodes may write into it.
  if (typeof lustre === 'object') record.lustreExport ??= { isAutomaticOff: false };
  entity.say('CloudFormation creates the cluster; this takes 10 to 20 minutes on AWS.');
  resources.stack = await activities.createStack({
    ...entity.deployment(record),
    spec,
    lease,
    adminKeyName: adminKey.keyName,
    jobUserPublicKey: jobUserKey.publicKey,
    ...(slurmKeys && { trusted: trustedKeys(slurmKeys) }),
    ...(typeof home === 'object' && { home }),
    ...(typeof lustre === 'object' && { lustre }),
  });
}

async function awaitReadiness(entity: ClusterEntity, record: DeploymentRecord): Promise<void> {
  const { stack, jobUserKey, signingKey } = record.resources;
  const { slurmApi } = record.spec;
  if (typeof stack !== 'object' || typeof jobUserKey !== 'object') return;
  const bounds = {
    ...activityOptions('checkReadiness'),
    scheduleToCloseTimeout: entity.policy.readyTimeoutSeconds * 1000,
  };
  record.access = await activities.checkReadiness.executeWithOptions(bounds, [
    {
      ...entity.deployment(record),
      address: stack.headNodeAddress,
      privateKeySecretArn: jobUserKey.privateKeySecretArn,
      queues: record.spec.queues.map(({ name }) => name),
      ...(slurmApi &&
        typeof signingKey === 'object' && {
          slurmApi: { ...slurmApi, signingKeySecretArn: signingKey.privateKeySecretArn },
        }),
    },
  ]);
}
