import { instanceTypes } from './instance-types.ts';
import type { PlanningGround } from './plan.ts';
import { plannedInstanceTypes } from './planned-instance-types.ts';
import { priceTable } from './prices.ts';

/** What this release plans from, in one installation. */
export function planningGround(installation: Pick<PlanningGround, 'region' | 'hasLustre'>): PlanningGround {
  const planned = new Set(plannedInstanceTypes());
  return {
    ...installation,
    prices: priceTable,
    instanceTypes: Object.fromEntries(Object.entries(instanceTypes).filter(([name]) => planned.has(name))),
  };
}
