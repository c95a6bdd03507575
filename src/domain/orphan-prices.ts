import { costParts } from './cost-rates.ts';
import type { KeptCosts } from './deployment-costs.ts';
import type { Billed, OrphanCost, ResourceCost } from './orphan-costs.ts';
import type { Orphan, OrphanResource } from './orphans.ts';
import { HOURS_PER_MONTH, lustreUsdPerMonth, nodeUsdPerHour, type RegionPrices } from './prices.ts';
import { ROOT_VOLUME_GIBIBYTES } from './rate-card.ts';

export interface OrphanPricing {
  /** Undefined where the price table does not have the Region. */
  readonly prices: RegionPrices | undefined;
  readonly region: string;
  /** What the control bucket has of the deployment's cost. */
  readonly kept?: KeptCosts | undefined;
  /** Since 1970. */
  readonly nowSeconds: number;
}

/** The orphan with the cost of each of its things, and of all together. */
export function pricedOrphan(orphan: Orphan, pricing: OrphanPricing): Orphan {
  const hasInstances = orphan.resources.some(({ kind }) => kind === 'instance');
  let isHeadNodeCounted = hasInstances;
  const resources = orphan.resources.map((resource): OrphanResource => {
    const { billed, ...rest } = resource;
    if (billed === undefined) return { ...rest, cost: { usdPerHour: 0 } };
    if (billed.as !== 'stack') return { ...rest, cost: costOf(billed, pricing) };
    // The outer stack and the cluster's own have one head node between them.
    if (isHeadNodeCounted) return { ...rest, cost: { usdPerHour: 0 } };
    isHeadNodeCounted = true;
    return { ...rest, cost: headNodeCost(pricing.kept) };
  });
  return { ...orphan, resources, cost: sumOf(resources, pricing) };
}

function costOf(billed: Exclude<Billed, { as: 'stack' }>, { prices, region }: OrphanPricing): ResourceCost {
  if (!prices) return { unpriced: `the price table has nothing about ${region}` };
  if (billed.as === 'secret') return { usdPerHour: prices.secret.usdPerMonth / HOURS_PER_MONTH };
  return billed.as === 'lustre' ? lustreCost(billed, prices) : instanceCost(billed, prices);
}

function lustreCost(
  {
    sizeGibibytes,
    type,
    throughputMegabytesPerSecondPerTebibyte: throughput,
  }: Extract<Billed, { as: 'lustre' }>,
  prices: RegionPrices,
): ResourceCost {
  const isKnown = type === 'PERSISTENT_2 SSD' && isPricedThroughput(throughput);
  const monthly = isKnown
    ? lustreUsdPerMonth(prices, { sizeGibibytes, throughputMegabytesPerSecondPerTebibyte: throughput })
    : undefined;
  if (monthly !== undefined) return { usdPerHour: monthly / HOURS_PER_MONTH };
  return { unpriced: `no price of ${type} with ${throughput ?? 'unknown'} MB/s per TiB` };
}

function instanceCost(
  { instanceType, isRunning, isSpot }: Extract<Billed, { as: 'instance' }>,
  prices: RegionPrices,
): ResourceCost {
  const disk = (prices.ebsGp3.usdPerGibibyteMonth * ROOT_VOLUME_GIBIBYTES) / HOURS_PER_MONTH;
  const node = isRunning ? nodeUsdPerHour(prices, instanceType) : 0;
  if (node === undefined) return { unpriced: `no price of ${instanceType}` };
  return { usdPerHour: node + disk, ...(isSpot && isRunning && { isUpperBound: true }) };
}

function isPricedThroughput(value: number | undefined): value is 125 | 250 | 500 | 1000 {
  return value === 125 || value === 250 || value === 500 || value === 1000;
}

/** As the deployment's workflow was told, where EC2 shows no instance with its tag: it may not be tagged. */
function headNodeCost(kept: KeptCosts | undefined): ResourceCost {
  const rates = kept?.rates;
  if (rates?.headNodeUsdPerHour === undefined)
    return { unpriced: 'EC2 shows no instance with its tag, and no record says what its head node is' };
  const disk = rates.headNodeVolumeUsdPerHour ?? rates.rootVolumeUsdPerHour;
  return { usdPerHour: rates.headNodeUsdPerHour + disk };
}

function sumOf(resources: readonly OrphanResource[], { kept, nowSeconds }: OrphanPricing): OrphanCost {
  const meteredUpTo = kept ? Date.parse(kept.meter.upTo) / 1000 : undefined;
  // The endpoints of the network are there whoever is in it.
  let usdSoFar = kept
    ? costParts.reduce((sum, part) => sum + (part === 'endpoints' ? 0 : kept.meter.usd[part]), 0)
    : 0;
  let usdPerHour = 0;
  const unpriced: string[] = [];
  let isUpperBound = false;
  for (const { kind, id, madeAt, cost } of resources) {
    if (!cost || 'unpriced' in cost) {
      unpriced.push(`${kind} ${id}: ${cost?.unpriced ?? 'not looked at'}`);
      continue;
    }
    usdPerHour += cost.usdPerHour;
    isUpperBound ||= cost.isUpperBound === true;
    if (cost.usdPerHour === 0) continue;
    const begin = Math.max(madeAt ? Date.parse(madeAt) / 1000 : 0, isMetered(kind) ? (meteredUpTo ?? 0) : 0);
    if (begin > 0) usdSoFar += (cost.usdPerHour * Math.max(0, nowSeconds - begin)) / 3600;
    else unpriced.push(`${kind} ${id}: since when is not known, and what it has cost is not counted`);
  }
  return {
    usdPerHour,
    usdPerMonth: usdPerHour * HOURS_PER_MONTH,
    usdSoFar,
    unpriced,
    ...(isUpperBound && { isUpperBound: true }),
  };
}

/** Whether a deployment's meter counts it. */
function isMetered(kind: OrphanResource['kind']): boolean {
  return kind === 'stack' || kind === 'instance' || kind === 'lustre';
}
