import type { SlurmAccounting } from '../clients/slurm-gateway.ts';
import type { UsageStore } from '../clients/usage-store.ts';
import { KnownFailure } from '../domain/failures.ts';
import { isAnyRunning, mergeUsage } from '../domain/usage.ts';
import { snapshotOf, type UsageFile, usageFileOf } from '../domain/usage-file.ts';
import { mergePrices, usagePricesOf } from '../domain/usage-prices.ts';
import { withHeartbeat } from './heartbeat.ts';
import type { Activities } from './port.ts';

export interface UsageActivityDeps {
  readonly gateway: SlurmAccounting;
  readonly usageStore: Pick<UsageStore, 'get' | 'put'>;
}

/**
 * Slurm can say later that a job had ended earlier: after an outage, at the moment at which its node last answered. 100,000
 * jobs take sacct 10 s, so not everything is asked for each time.
 */
const OVERLAP_SECONDS = 6 * 3600;

/** Brings what jobs used from the accounting of clusters into the control bucket. */
export function createUsageActivities({
  gateway,
  usageStore,
}: UsageActivityDeps): Pick<Activities, 'recordUsage'> {
  return {
    async recordUsage({ virtualLabId, projectId, epoch, access, isLast, rates }) {
      const tenant = { virtualLabId, projectId };
      const known = await usageStore.get(tenant, epoch);
      const usage = await withHeartbeat(async ({ signal }) =>
        gateway.readUsage({ epoch, access }, newSince(known), { signal }),
      );
      const { asOfSeconds, isWhole, nodeCpus } = usage;
      const before = await usageStore.get(tenant, epoch);
      // Another attempt, of which nobody knew that it still runs, has asked later and written already.
      if (before && before.asOfSeconds > asOfSeconds) return;
      const records = mergeUsage(before ? snapshotOf(before).records : [], usage.records);
      const prices = rates ? mergePrices(before?.prices, usagePricesOf(rates, nodeCpus)) : before?.prices;
      const wholeAsOfSeconds = isWhole ? asOfSeconds : before?.wholeAsOfSeconds;
      // Jobs of others may still run: they go with the cluster, and nobody will know when.
      const final = isLast && isWhole && !isAnyRunning(records);
      await usageStore.put(
        tenant,
        usageFileOf(
          { epoch, asOfSeconds, records, ...(prices && { prices }) },
          { final, ...(wholeAsOfSeconds !== undefined && { wholeAsOfSeconds }) },
        ),
      );
      // What is known is better than nothing, should no later attempt succeed.
      if (isLast && !isWhole) {
        throw new KnownFailure('SlurmUnavailable', 'Accounting does not have the end of every job yet');
      }
    },
  };
}

/** What an earlier record does not have. Without one, or one that is sure of anything, everything. */
function newSince(before: UsageFile | undefined): { readonly sinceSeconds?: number } {
  const since = before?.wholeAsOfSeconds;
  return since === undefined ? {} : { sinceSeconds: since - OVERLAP_SECONDS };
}
