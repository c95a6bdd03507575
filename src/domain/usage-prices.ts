import { z } from 'zod';
import type { CostRates } from './cost-rates.ts';
import { groupsOf, type NodeCounts } from './node-groups.ts';

/*
 * What jobs cost, from what accounting says of their allocations. A job pays for the nodes that it holds; the head node, disks,
 * storage, and nodes that boot or idle are the cluster's, by its meter (cost-meter.ts).
 */

/** What is known of the nodes of a group; each is absent where nobody knows it. */
const nodePriceSchema = z.object({
  /** US dollars. */
  usdPerHour: z.number().min(0).optional(),
  /** As Slurm counts them. */
  cpus: z.int().min(1).optional(),
});

export type NodePrice = z.output<typeof nodePriceSchema>;

/** As it lies beside an epoch's usage: a member that is added must be optional. */
export const usagePricesSchema = z.object({
  /** Day of the prices of EC2. */
  pricesAsOf: z.string().optional(),
  /** Spot nodes are priced like on-demand ones, above which their price never rises. */
  isUpperBound: z.literal(true).optional(),
  nodeGroups: z.record(z.string(), nodePriceSchema),
});

export type UsagePrices = z.output<typeof usagePricesSchema>;

/**
 * What is known of an epoch's nodes.
 *
 * @param nodeCpus of one node of each group, as Slurm says. What EC2's data say of a type counts where Slurm shows no node.
 */
export function usagePricesOf(rates: CostRates, nodeCpus: NodeCounts): UsagePrices {
  const nodeGroups = rates.computeResources.flatMap(({ queue, name, usdPerHour, cpus: expectedCpus }) => {
    const { fixed, dynamic } = groupsOf({ name: queue }, { name });
    return [fixed, dynamic].map((group) => {
      const cpus = nodeCpus[group] ?? expectedCpus;
      return [group, { ...(usdPerHour !== undefined && { usdPerHour }), ...(cpus && { cpus }) }] as const;
    });
  });
  return {
    ...(rates.pricesAsOf && { pricesAsOf: rates.pricesAsOf }),
    ...(rates.isUpperBound && { isUpperBound: true }),
    nodeGroups: Object.fromEntries(nodeGroups),
  };
}

/** What is known after it was said again: the first price stands, so that no job becomes dearer once it has ended. */
export function mergePrices(before: UsagePrices | undefined, now: UsagePrices): UsagePrices {
  const nodeGroups: Record<string, NodePrice> = { ...before?.nodeGroups };
  for (const [group, price] of Object.entries(now.nodeGroups)) {
    const known = nodeGroups[group];
    const usdPerHour = known?.usdPerHour ?? price.usdPerHour;
    nodeGroups[group] = { ...known, ...price, ...(usdPerHour !== undefined && { usdPerHour }) };
  }
  return { ...now, ...before, nodeGroups };
}

/**
 * US dollars for one allocated processor and hour: the price of the nodes, shared out over their processors. So a job with
 * whole nodes pays for them, and jobs that share a node never pay for more than it together. It is what Slurm itself bills by
 * where nothing else is set ("the job is billed against the total number of allocated CPUs", `TRESBillingWeights` of
 * slurm.conf): memory that leaves the other processors of a node without work costs nobody anything.
 *
 * @returns undefined if the price or the size of one of the nodes is not known.
 */
export function usdPerCpuHour(nodes: NodeCounts, { nodeGroups }: UsagePrices): number | undefined {
  let usdPerHour = 0;
  let cpus = 0;
  for (const [group, count] of Object.entries(nodes)) {
    const price = nodeGroups[group];
    if (price?.usdPerHour === undefined || price.cpus === undefined) return undefined;
    usdPerHour += count * price.usdPerHour;
    cpus += count * price.cpus;
  }
  return cpus > 0 ? usdPerHour / cpus : undefined;
}
