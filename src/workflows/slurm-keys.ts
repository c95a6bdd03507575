import { CancellationScope, isCancellation } from '@temporalio/workflow';
import type { DeploymentRecord } from '../domain/cluster-snapshot.ts';
import { adminAccessOf } from '../domain/cluster-snapshot.ts';
import { type KeyStep, nextKeyStep, type SlurmKeys, trustedKeys } from '../domain/slurm-keys.ts';
import { clipped } from '../domain/wording.ts';
import { activities } from './activities.ts';
import { nowIso } from './clock.ts';
import type { ClusterEntity } from './cluster-entity.ts';
import { failureFrom } from './failure.ts';
import { activityOptions } from './activity-options.ts';

/** What looks again in any case must not hold up a rotation for as long as a cluster waits that is being made. */
const oneLook = { ...activityOptions('readKeycloakKeys'), scheduleToCloseTimeout: '30 s' } as const;

/** What a view has room for. */
const MAX_PROBLEM_CHARACTERS = 300;

/**
 * Keeps the keys whose tokens a cluster's Slurm accepts, beside its ticks: rotates the one that signs when somebody
 * asks, and follows Keycloak where that is trusted. One step at a time; each can be repeated, and what did not succeed
 * is tried again. No failure concerns the cluster: Slurm goes by the keys that it has.
 */
export class SlurmKeyKeeper {
  private scope: CancellationScope | undefined;
  private running: Promise<void> | undefined;

  /** Begins the next step, if one is due and none is under way. */
  keepGoing(entity: ClusterEntity, record: DeploymentRecord): void {
    const next = record.slurmKeys && nextKeyStep(record.slurmKeys, Date.now());
    if (!next || this.running || next.dueAtMs > Date.now()) return;
    this.running = this.run(entity, record, next.step);
  }

  /** Milliseconds until a step is due, for as long as none is under way; the end of one wakes the entity. */
  dueInMs({ slurmKeys }: DeploymentRecord): number {
    const next = slurmKeys && nextKeyStep(slurmKeys, Date.now());
    return next && !this.running ? Math.max(1, next.dueAtMs - Date.now()) : Number.POSITIVE_INFINITY;
  }

  private async run(entity: ClusterEntity, record: DeploymentRecord, step: KeyStep): Promise<void> {
    this.scope = new CancellationScope({ cancellable: true });
    try {
      await this.scope.run(async () => take(step, entity, record));
      change(record, ({ problem, ...keys }) => ({
        ...keys,
        ...(problem && problem.step !== step && { problem }),
      }));
    } catch (error) {
      // Stopped: the step is still due.
      if (isCancellation(error)) return;
      const message = clipped(failureFrom(error).message, MAX_PROBLEM_CHARACTERS);
      change(record, (keys) => ({ ...keys, problem: { at: nowIso(), step, message } }));
    } finally {
      this.running = undefined;
    }
    entity.publish();
    entity.wake();
  }

  /** Cancels it and waits until it has ended. */
  async stop(): Promise<void> {
    this.scope?.cancel();
    await this.running;
  }
}

/** What was there is read again after each activity: a handler may have changed it meanwhile. */
function change(record: DeploymentRecord, by: (keys: SlurmKeys) => SlurmKeys): void {
  if (record.slurmKeys) record.slurmKeys = by(record.slurmKeys);
}

async function take(step: KeyStep, entity: ClusterEntity, record: DeploymentRecord): Promise<void> {
  const { slurmKeys: keys } = record;
  const adminAccess = adminAccessOf(record);
  if (!keys || !adminAccess) return;
  const request = { ...entity.deployment(record), adminAccess };
  switch (step) {
    case 'add-key': {
      if (!keys.rotation) return;
      const rotationId = keys.rotation.id;
      const signingKey = await activities.rotateSigningKey({
        ...request,
        rotationId,
        trusted: trustedKeys(keys),
      });
      record.resources.signingKey = signingKey;
      change(record, ({ own, rotation, ...rest }) => ({
        ...rest,
        own: [signingKey.jwk, ...own.filter(({ kid }) => kid !== signingKey.jwk.kid)],
        ...(rotation && { rotation: { ...rotation, bothSince: nowIso() } }),
      }));
      return;
    }
    case 'remove-old-keys': {
      const own = keys.own.slice(0, 1);
      await activities.replaceTrustedKeys({ ...request, trusted: trustedKeys({ ...keys, own }) });
      change(record, (present) => ({ ...present, own, rotation: undefined }));
      return;
    }
    case 'refresh-keycloak': {
      const keycloak = await activities.readKeycloakKeys.executeWithOptions(oneLook, []);
      // Each change restarts Slurm's controller.
      if (JSON.stringify(keycloak) !== JSON.stringify(keys.keycloak))
        await activities.replaceTrustedKeys({ ...request, trusted: trustedKeys({ ...keys, keycloak }) });
      change(record, (present) => ({ ...present, keycloak, keycloakAskedAt: nowIso() }));
    }
  }
}
