import type { PriceTable } from './prices.ts';
import { tierNames, tiers } from './tiers.ts';

/** EC2's types for high-performance computing. Where they are offered at all, few Regions have them. */
const HPC_TYPES = ['hpc6a.48xlarge', 'hpc7a.12xlarge', 'hpc7a.24xlarge', 'hpc7a.48xlarge', 'hpc7a.96xlarge'];

/** What the planner may choose: types with a price, those of tiers, and those for HPC. */
export function plannedInstanceTypes(prices: PriceTable): readonly string[] {
  const priced = Object.values(prices.regions).flatMap(({ ec2OnDemandLinux }) =>
    Object.keys(ec2OnDemandLinux.usdPerHour),
  );
  const inTiers = tierNames.flatMap((tier) =>
    tiers[tier].queues.flatMap(({ computeResources }) => computeResources.map((each) => each.instanceType)),
  );
  return [...new Set([...priced, ...inTiers, ...HPC_TYPES])].toSorted();
}
