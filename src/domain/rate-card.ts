import { type ComputeResourceRate, type CostRates } from './cost-rates.ts';
import { type PricedSpec, pricesIn, unpricedOf } from './estimate.ts';
import { headNodeInstanceType } from './head-node.ts';
import type { InstanceTypes } from './instance-types.ts';
import {
  type EndpointShare,
  endpointsUsdPerHour,
  HOURS_PER_MONTH,
  lustreUsdPerMonth,
  nodeUsdPerHour,
  type PriceTable,
  type RegionPrices,
} from './prices.ts';
import type { ComputeResource, Queue } from './queue.ts';

/**
 * Size of the root volumes that are counted: the specification names none, so each is as large as that of the AMI, and
 * ParallelCluster's own AMIs have some 40 GiB (gp3, which it takes by default). One of a custom AMI can differ.
 */
export const ROOT_VOLUME_GIBIBYTES = 40;

export interface RateGround {
  readonly prices: PriceTable;
  readonly region: string;
  readonly instanceTypes: InstanceTypes;
  readonly share: EndpointShare;
}

/** What a cluster of this specification costs an hour, part by part, and what of it has no price. */
export function ratesOf(
  spec: PricedSpec,
  { prices: table, region, instanceTypes, share }: RateGround,
): CostRates {
  const { queues, lustre } = spec;
  const prices = pricesIn(table, region);
  if (!prices) return withoutPrices(spec, region);
  const { asOf } = prices.ec2OnDemandLinux;
  const headNode = nodeUsdPerHour(prices, headNodeInstanceType(spec));
  const headNodeVolume = spec.headNode?.rootVolumeGibibytes;
  const ofLustre = lustre && lustreUsdPerMonth(prices, lustre);
  const unpriced = unpricedOf(spec, prices, ({ maxCount }) => maxCount);
  return {
    version: 1,
    region,
    ...(asOf && { pricesAsOf: asOf }),
    ...(headNode !== undefined && { headNodeUsdPerHour: headNode }),
    rootVolumeUsdPerHour: volumeUsdPerHour(prices, ROOT_VOLUME_GIBIBYTES),
    ...(headNodeVolume !== undefined && {
      headNodeVolumeUsdPerHour: volumeUsdPerHour(prices, headNodeVolume),
    }),
    computeResources: queues.flatMap((queue) =>
      queue.computeResources.map((resource) => rateOf(queue, resource, prices, instanceTypes)),
    ),
    ...(ofLustre !== undefined && { lustreUsdPerHour: ofLustre / HOURS_PER_MONTH }),
    endpointsUsdPerHour: endpointsUsdPerHour(prices, share),
    ...(queues.some(({ capacityType }) => capacityType === 'SPOT') && { isUpperBound: true }),
    ...(unpriced.length > 0 && { unpriced }),
  };
}

function volumeUsdPerHour({ ebsGp3 }: RegionPrices, gibibytes: number): number {
  return (ebsGp3.usdPerGibibyteMonth * gibibytes) / HOURS_PER_MONTH;
}

function withoutPrices({ queues }: Pick<PricedSpec, 'queues'>, region: string): CostRates {
  return {
    version: 1,
    region,
    rootVolumeUsdPerHour: 0,
    computeResources: queues.flatMap(({ name: queue, computeResources }) =>
      computeResources.map(({ name, instanceType }) => ({ queue, name, instanceType })),
    ),
    endpointsUsdPerHour: 0,
    unpriced: [`everything in ${region}`],
  };
}

function rateOf(
  queue: Queue,
  { name, instanceType, multithreading }: ComputeResource,
  prices: RegionPrices,
  instanceTypes: InstanceTypes,
): ComputeResourceRate {
  const usdPerHour = nodeUsdPerHour(prices, instanceType);
  const known = Object.hasOwn(instanceTypes, instanceType) ? instanceTypes[instanceType] : undefined;
  const cpus = multithreading ? known?.vcpus : known?.cores;
  return {
    queue: queue.name,
    name,
    instanceType,
    ...(usdPerHour !== undefined && { usdPerHour }),
    ...(cpus !== undefined && { cpus }),
  };
}
