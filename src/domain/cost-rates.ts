import { z } from 'zod';
import { groupsOf, type NodeCounts } from './node-groups.ts';
import type { Queue } from './queue.ts';

/*
 * What a deployment costs an hour, as it is said to its workflow when it is asked for. Workflow code knows no prices: a
 * release with others changes nothing that runs.
 */

const usd = z.number().min(0);

const computeResourceRateSchema = z.strictObject({
  queue: z.string(),
  name: z.string(),
  instanceType: z.string(),
  /** Of a node that is up; absent where the type has no price. */
  usdPerHour: usd.optional(),
  /** As Slurm counts them; absent where nobody has looked at the type. */
  cpus: z.int().min(1).optional(),
});

export const costRatesSchema = z.strictObject({
  version: z.literal(1),
  region: z.string(),
  /** Day of the prices of EC2. */
  pricesAsOf: z.string().optional(),
  /** Absent where its type has no price. */
  headNodeUsdPerHour: usd.optional(),
  /** Of each node. */
  rootVolumeUsdPerHour: usd,
  /** Of the head node, where it is of another size. */
  headNodeVolumeUsdPerHour: usd.optional(),
  computeResources: z.array(computeResourceRateSchema),
  /** Absent where there is none, or it has no price. */
  lustreUsdPerHour: usd.optional(),
  /** The cluster's share of the VPC's interface endpoints. */
  endpointsUsdPerHour: usd,
  /** Nodes that are counted like on-demand ones, above which the price of spot never rises. */
  isUpperBound: z.literal(true).optional(),
  /** What has no price and is not counted, at most five of it. */
  unpriced: z.array(z.string()).max(5).optional(),
});

export type CostRates = z.output<typeof costRatesSchema>;
export type ComputeResourceRate = z.output<typeof computeResourceRateSchema>;

/**
 * What a deployment costs by what is stored or sent, and no meter here counts: the homes of all tenants lie on one file system of
 * EFS, which AWS measures as a whole, and nobody asks S3, CloudWatch Logs and the network for shares every minute either.
 */
export const notMetered = ['efs', 's3', 'cloudwatch-logs', 'data-transfer'] as const;
export type NotMetered = (typeof notMetered)[number];

export const costParts = ['headNode', 'nodes', 'rootVolumes', 'lustre', 'endpoints'] as const;
export type CostPart = (typeof costParts)[number];
/** US dollars, or US dollars an hour. */
export type PartsUsd = Readonly<Record<CostPart, number>>;

export const NOTHING: PartsUsd = { headNode: 0, nodes: 0, rootVolumes: 0, lustre: 0, endpoints: 0 };

/** What of a deployment exists in the world. */
export interface CostLoad {
  /** From the beginning of its creation until it is proven gone. */
  readonly stack: boolean;
  readonly lustre: boolean;
  /** Nodes that EC2 bills. */
  readonly nodes: NodeCounts;
}

/**
 * US dollars an hour of what exists. Parts without a price are left out: `unpriced` of the rates names them. Nodes of which nobody
 * said anything, e.g. of a queue that is on its way, count like the dearest of which somebody did.
 */
export function hourlyUsd(rates: CostRates, { stack, lustre, nodes }: CostLoad): PartsUsd {
  const byGroup = ratesByGroup(rates);
  const dearest = Math.max(0, ...byGroup.values());
  const counts = stack ? Object.entries(nodes) : [];
  const nodeCount = counts.reduce((sum, [, count]) => sum + count, 0);
  return {
    headNode: stack ? (rates.headNodeUsdPerHour ?? 0) : 0,
    nodes: counts.reduce((sum, [group, count]) => sum + count * (byGroup.get(group) ?? dearest), 0),
    rootVolumes: stack
      ? (rates.headNodeVolumeUsdPerHour ?? rates.rootVolumeUsdPerHour) +
        nodeCount * rates.rootVolumeUsdPerHour
      : 0,
    lustre: lustre ? (rates.lustreUsdPerHour ?? 0) : 0,
    endpoints: stack || lustre ? rates.endpointsUsdPerHour : 0,
  };
}

/** Whether nodes are up of which the rates say nothing. */
export function hasUnknownNodes(rates: CostRates, { stack, nodes }: CostLoad): boolean {
  const known = ratesByGroup(rates);
  return stack && Object.entries(nodes).some(([group, count]) => count > 0 && !known.has(group));
}

function ratesByGroup({ computeResources }: CostRates): ReadonlyMap<string, number> {
  return new Map(
    computeResources.flatMap((resource) => {
      const { fixed, dynamic } = groupsOf({ name: resource.queue }, resource);
      return [fixed, dynamic].map((group) => [group, resource.usdPerHour ?? 0] as const);
    }),
  );
}

/** The rates while nodes of a coming specification may be up already; what both name costs what it has. */
export function withComingRates(rates: CostRates, coming: CostRates | undefined): CostRates {
  const priced = (coming?.computeResources ?? []).filter(({ usdPerHour }) => usdPerHour !== undefined);
  return priced.length > 0 ? { ...rates, computeResources: [...priced, ...rates.computeResources] } : rates;
}

export function sumOfParts(parts: PartsUsd): number {
  return costParts.reduce((sum, part) => sum + parts[part], 0);
}

/** The nodes that are up before anybody has looked: those that never power down. */
export function fixedNodes(queues: readonly Queue[]): NodeCounts {
  return Object.fromEntries(
    queues.flatMap((queue) =>
      queue.computeResources
        .filter(({ minCount }) => minCount > 0)
        .map((resource) => [groupsOf(queue, resource).fixed, resource.minCount]),
    ),
  );
}
