import type { SlurmGateway } from '../clients/slurm-gateway.ts';
import type { UsageStore } from '../clients/usage-store.ts';
import { KnownFailure } from '../domain/failures.ts';
import { isAnyRunning, mergeUsage } from '../domain/usage.ts';
import { snapshotOf, usageFileOf } from '../domain/usage-file.ts';
import { withHeartbeat } from './heartbeat.ts';
import type { Activities } from './port.ts';

export interface UsageActivityDeps {
  readonly gateway: Pick<SlurmGateway, 'readUsage'>;
  readonly usageStore: Pick<UsageStore, 'get' | 'put'>;
}

/** Brings what jobs used from the accounting of clusters into the control bucket. */
export function createUsageActivities({
  gateway,
  usageStore,
}: UsageActivityDeps): Pick<Activities, 'recordUsage'> {
  return {
    async recordUsage({ virtualLabId, projectId, epoch, access, isLast }) {
      const tenant = { virtualLabId, projectId };
      const { asOfSeconds, isWhole, records } = await withHeartbeat(async ({ signal }) =>
        gateway.readUsage({ epoch, access }, { signal }),
      );
      const before = await usageStore.get(tenant, epoch);
      const merged = mergeUsage(before ? snapshotOf(before).records : [], records);
      // Jobs of others may still run: they go with the cluster, and nobody will know when.
      const isFinal = isLast && isWhole && !isAnyRunning(merged);
      await usageStore.put(tenant, usageFileOf({ epoch, asOfSeconds, records: merged }, isFinal));
      // What is known is better than nothing, should no later attempt succeed.
      if (isLast && !isWhole) {
        throw new KnownFailure('SlurmUnavailable', 'Accounting does not have the end of every job yet');
      }
    },
  };
}
