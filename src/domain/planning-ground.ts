import { instanceTypes } from './instance-types.ts';
import type { PlanningGround } from './plan.ts';
import { priceTable } from './prices.ts';

/** What this release plans from, in one installation. */
export function planningGround(installation: Pick<PlanningGround, 'region' | 'hasLustre'>): PlanningGround {
  return { ...installation, prices: priceTable, instanceTypes };
}
