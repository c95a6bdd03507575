import { instanceTypes } from './instance-types.ts';
import type { PlanningGround } from './plan.ts';
import { plannedInstanceTypes } from './planned-instance-types.ts';
import { type PriceTable, priceTable } from './prices.ts';

/** What an installation plans from: the prices in force there, by default those of the release. */
export function planningGround(
  installation: Pick<PlanningGround, 'region' | 'hasLustre'>,
  prices: PriceTable = priceTable,
): PlanningGround {
  const planned = new Set(plannedInstanceTypes(prices));
  return {
    ...installation,
    prices,
    instanceTypes: Object.fromEntries(Object.entries(instanceTypes).filter(([name]) => planned.has(name))),
  };
}
