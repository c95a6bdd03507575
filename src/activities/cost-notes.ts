import type { ClusterSpec } from '../domain/cluster-spec.ts';
import type { CostRates } from '../domain/cost-rates.ts';
import { estimateOf, UNSHARED_ENDPOINTS } from '../domain/estimate.ts';
import { instanceTypes } from '../domain/instance-types.ts';
import type { PriceTable } from '../domain/prices.ts';
import { ratesOf } from '../domain/rate-card.ts';
import type { ClusterEstimate } from '../domain/spec-notes.ts';

/** What a specification costs, where it is not the API that says so. */
export function costNotesOf(
  spec: ClusterSpec,
  region: string,
  prices: PriceTable,
): {
  readonly estimate: ClusterEstimate;
  readonly rates: CostRates;
} {
  return {
    estimate: estimateOf(spec, prices, region),
    rates: ratesOf(spec, { prices, region, instanceTypes, share: UNSHARED_ENDPOINTS }),
  };
}
