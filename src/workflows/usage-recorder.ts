import { CancellationScope, log, patched } from '@temporalio/workflow';
import { type DeploymentRecord, USAGE_RECORD_SECONDS } from '../domain/cluster-snapshot.ts';
import type { ClusterAccess } from '../domain/cluster-view.ts';
import type { Observation } from '../domain/slurm-requests.ts';
import { activities } from './activities.ts';
import { nowIso } from './clock.ts';
import type { ClusterEntity } from './cluster-entity.ts';
import { failureFrom } from './failure.ts';
import { RECORD_USAGE } from './patches.ts';

/**
 * Records what jobs used beside a cluster's ticks, now and then while something runs. No failure concerns the cluster:
 * each record has everything since the epoch began, so the next one brings what one missed.
 */
export class UsageRecorder {
  private scope: CancellationScope | undefined;
  private running: Promise<void> | undefined;

  /** Begins a record, if one is due after what was just seen and the last one is long enough ago. */
  keepGoing(entity: ClusterEntity, record: DeploymentRecord, seen: Observation | undefined): void {
    if (seen && (seen.activity.running > 0 || seen.campaigns.length > 0)) record.usageDue = true;
    // A cluster that has just not answered would not answer again.
    if (!seen || !record.usageDue || this.running || !isLongAgo(entity, record)) return;
    if (!patched(RECORD_USAGE)) return;
    record.usageAskedAt = nowIso();
    delete record.usageDue;
    this.running = this.record(entity, record);
  }

  private async record(entity: ClusterEntity, record: DeploymentRecord): Promise<void> {
    const { access } = record;
    if (!access) return;
    this.scope = new CancellationScope({ cancellable: true });
    try {
      const request = requestOf(entity, record, access);
      await this.scope.run(async () => activities.recordUsage({ ...request, isLast: false }));
    } catch (error) {
      record.usageDue = true;
      log.warn('Usage could not be recorded', { epoch: record.epoch, problem: failureFrom(error).message });
    } finally {
      this.running = undefined;
    }
  }

  /** Cancels it and waits until it has ended. */
  async stop(): Promise<void> {
    this.scope?.cancel();
    await this.running;
  }
}

function requestOf(entity: ClusterEntity, record: DeploymentRecord, access: ClusterAccess) {
  const rates = record.notes?.rates;
  return { ...entity.deployment(record), access, ...(rates && { rates }) };
}

function isLongAgo({ policy }: ClusterEntity, { usageAskedAt }: DeploymentRecord): boolean {
  if (usageAskedAt === undefined) return true;
  const { usageRecordSeconds = USAGE_RECORD_SECONDS } = policy;
  return Date.now() - Date.parse(usageAskedAt) >= usageRecordSeconds * 1000;
}

/**
 * Records what an epoch used when everything in it has ended, before its accounting can no longer be asked. Returns why
 * that did not succeed, if it did not: the cluster goes all the same.
 */
export async function recordLastUsage(
  entity: ClusterEntity,
  record: DeploymentRecord,
): Promise<string | undefined> {
  const { access } = record;
  if (!access || !patched(RECORD_USAGE)) return undefined;
  try {
    await activities.recordUsage({ ...requestOf(entity, record, access), isLast: true });
    return undefined;
  } catch (error) {
    const { message } = failureFrom(error);
    log.warn('The last usage could not be recorded', { epoch: record.epoch, problem: message });
    return message;
  }
}
