import type { ClusterSpec } from './cluster-spec.ts';
import { headNodeInstanceType } from './head-node.ts';
import {
  efsUsdPerMonth,
  type EndpointShare,
  endpointsUsdPerHour,
  HOURS_PER_MONTH,
  lustreUsdPerMonth,
  nodeUsdPerHour,
  type PriceTable,
  type RegionPrices,
  roundUsd,
} from './prices.ts';
import type { ComputeResource } from './queue.ts';
import type { ClusterEstimate } from './spec-notes.ts';

/** What a cluster costs per hour, part by part, in US dollars. */
export interface HourlyCost {
  readonly headNode: number;
  readonly nodes: number;
  readonly lustre: number;
  readonly efs: number;
  /** Its part of the VPC's interface endpoints. */
  readonly endpoints: number;
}

/**
 * The interface endpoints of the zone that a cluster is in (infra/endpoints.yaml has 14 services), as if no other cluster
 * used them: an upper bound, and paid whether or not there are clusters.
 */
export const UNSHARED_ENDPOINTS: EndpointShare = {
  interfaceEndpoints: 14,
  availabilityZones: 1,
  clusters: 1,
};

/** A view has no room for more; each of them is reason enough. */
const MAX_UNPRICED = 5;

export interface EstimateOptions {
  /** Kept on EFS, in GiB. */
  readonly efsGibibytes?: number;
  readonly share?: EndpointShare;
}

/** What of a specification has a price. Reserved capacity is billed whether or not it is used, and counted like other nodes. */
export type PricedSpec = Pick<ClusterSpec, 'queues' | 'lustre' | 'headNode'>;

/** What a cluster of this specification costs per hour, idle and full, and its storage per month. */
export function estimateOf(
  spec: PricedSpec,
  table: PriceTable,
  region: string,
  { efsGibibytes = 0, share = UNSHARED_ENDPOINTS }: EstimateOptions = {},
): ClusterEstimate {
  const prices = pricesIn(table, region);
  if (!prices) return { region, unpriced: [`everything in ${region}`] };
  const { asOf } = prices.ec2OnDemandLinux;
  const storage = storageUsdPerMonth(spec, prices, efsGibibytes);
  /** Only what is up needs a price. */
  const usdWith = (countOf: (resource: ComputeResource) => number): number | undefined =>
    unpricedOf(spec, prices, countOf).length > 0
      ? undefined
      : roundUsd(totalOf(hourlyCostOf(spec, prices, countOf, { efsGibibytes, share })));
  const idle = usdWith(({ minCount }) => minCount);
  const full = usdWith(allNodes);
  const unpriced = unpricedOf(spec, prices, allNodes);
  const isSpot = spec.queues.some(({ capacityType }) => capacityType === 'SPOT');
  return {
    region,
    ...(asOf && { pricesAsOf: asOf }),
    ...(idle !== undefined && { idleUsdPerHour: idle }),
    ...(full !== undefined && { fullUsdPerHour: full }),
    ...(storage !== undefined && { storageUsdPerMonth: roundUsd(storage) }),
    ...(isSpot && { isUpperBound: true }),
    ...(unpriced.length > 0 && { unpriced }),
  };
}

const allNodes = ({ maxCount }: ComputeResource): number => maxCount;

/** Undefined where the table has nothing about the Region. */
export function pricesIn(table: PriceTable, region: string): RegionPrices | undefined {
  return Object.hasOwn(table.regions, region) ? table.regions[region] : undefined;
}

/**
 * What of a cluster, with so many nodes of each compute resource up, its Region's prices lack; at most {@link MAX_UNPRICED} of
 * it.
 */
export function unpricedOf(
  { queues, lustre, headNode }: PricedSpec,
  prices: RegionPrices,
  countOf: (resource: ComputeResource) => number,
): string[] {
  const up = queues.flatMap(({ computeResources }) => computeResources).filter((each) => countOf(each) > 0);
  const types = [headNodeInstanceType({ queues, headNode }), ...up.map(({ instanceType }) => instanceType)];
  const missing = types.filter((type) => nodeUsdPerHour(prices, type) === undefined);
  if (lustre && lustreUsdPerMonth(prices, lustre) === undefined)
    missing.push(`Lustre of ${lustre.throughputMegabytesPerSecondPerTebibyte} MB/s per TiB`);
  return [...new Set(missing)].slice(0, MAX_UNPRICED);
}

function storageUsdPerMonth(
  { lustre }: Pick<ClusterSpec, 'lustre'>,
  prices: RegionPrices,
  efsGibibytes: number,
): number | undefined {
  const efs = efsUsdPerMonth(prices, efsGibibytes);
  if (!lustre) return efs;
  const ofLustre = lustreUsdPerMonth(prices, lustre);
  return ofLustre === undefined ? undefined : ofLustre + efs;
}

/** What a cluster costs in an hour in which so many nodes of each compute resource are up. What has no price counts 0. */
export function hourlyCostOf(
  spec: PricedSpec,
  prices: RegionPrices,
  countOf: (resource: ComputeResource) => number,
  { efsGibibytes = 0, share = UNSHARED_ENDPOINTS }: EstimateOptions = {},
): HourlyCost {
  const nodes = spec.queues
    .flatMap(({ computeResources }) => computeResources)
    .reduce((sum, each) => sum + countOf(each) * (nodeUsdPerHour(prices, each.instanceType) ?? 0), 0);
  return {
    headNode: nodeUsdPerHour(prices, headNodeInstanceType(spec)) ?? 0,
    nodes,
    lustre: spec.lustre ? (lustreUsdPerMonth(prices, spec.lustre) ?? 0) / HOURS_PER_MONTH : 0,
    efs: efsUsdPerMonth(prices, efsGibibytes) / HOURS_PER_MONTH,
    endpoints: endpointsUsdPerHour(prices, share),
  };
}

/** The sum of the parts. */
export function totalOf({ headNode, nodes, lustre, efs, endpoints }: HourlyCost): number {
  return headNode + nodes + lustre + efs + endpoints;
}
