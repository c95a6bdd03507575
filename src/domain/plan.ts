import { pricesIn } from './estimate.ts';
import type { InstanceTypes } from './instance-types.ts';
import { type CampaignCost, type Candidate, type PlanTimes, queueOfCandidate } from './planner-candidates.ts';
import type { LustreSpec } from './lustre.ts';
import type { PriceTable } from './prices.ts';
import type { Queue } from './queue.ts';
import type { Tier } from './tiers.ts';

/** What is true of an installation and its release. The planner is a function of this and of the needs alone. */
export interface PlanningGround {
  readonly region: string;
  readonly prices: PriceTable;
  readonly instanceTypes: InstanceTypes;
  /** Whether clusters here can have Lustre. */
  readonly hasLustre: boolean;
}

export interface PlanShape {
  readonly instanceType: string;
  readonly nodes: number;
  readonly nodesPerJob: number;
  readonly jobsPerNode: number;
  readonly jobsAtOnce: number;
  /** How often so many jobs run, one after the other. */
  readonly rounds: number;
}

export interface PlanEstimate {
  /** From the request to the end of the last job. */
  readonly seconds: number;
  /** From the request until the cluster is gone. */
  readonly billedSeconds: number;
  readonly usd: CampaignCost;
  /** Spot nodes are counted like on-demand ones, above which their price never rises. */
  readonly isUpperBound?: true;
  readonly region: string;
  /** Day of the prices of EC2. */
  readonly pricesAsOf?: string;
}

/** The part of a specification that is planned, with the times that the plan counts on. */
export interface PlannedSpec {
  readonly tier?: Tier | undefined;
  readonly queues?: Queue[] | undefined;
  readonly idleTimeoutSeconds: number;
  readonly maxLifetimeSeconds: number;
  readonly scaledownIdleTimeSeconds?: number | undefined;
  readonly lustre?: LustreSpec | undefined;
}

/** A cluster for a campaign, and what it would cost. */
export interface Plan {
  readonly spec: PlannedSpec;
  readonly shape: PlanShape;
  readonly estimate: PlanEstimate;
}

export const alternativeKinds = ['cheaper', 'faster', 'spot', 'tier'] as const;

export interface Alternative extends Plan {
  readonly kind: (typeof alternativeKinds)[number];
  /** Why somebody could want it, and why not. */
  readonly note: string;
}

export const infeasibilities = [
  'no-prices',
  'no-lustre',
  'no-type',
  'max-lifetime',
  'deadline',
  'budget',
  'deadline-and-budget',
] as const;

/** What stands in the way of needs that nothing satisfies. */
export type Infeasibility = (typeof infeasibilities)[number];

export interface FeasiblePlan extends Plan {
  readonly outcome: 'planned';
  /** In plain words: why this type, why so many nodes, what limits. */
  readonly explanation: readonly string[];
  readonly alternatives: readonly Alternative[];
  readonly assumptions: readonly string[];
}

export interface InfeasiblePlan {
  readonly outcome: 'infeasible';
  readonly limit: Infeasibility;
  readonly message: string;
  /** What comes nearest. Empty where no cluster at all would do. */
  readonly nearest: readonly Alternative[];
}

export type PlanAnswer = FeasiblePlan | InfeasiblePlan;

/** A candidate as a caller sees it. */
export function planOf(candidate: Candidate, times: PlanTimes, { region, prices }: PlanningGround): Plan {
  const { instanceType, fit, shape, lustre, capacityType, seconds, billedSeconds, cost } = candidate;
  const { asOf } = pricesIn(prices, region)?.ec2OnDemandLinux ?? {};
  return {
    spec: { queues: [queueOfCandidate(candidate)], ...specTimes(times), ...(lustre && { lustre }) },
    shape: {
      instanceType,
      nodes: shape.nodes,
      nodesPerJob: fit.nodesPerJob,
      jobsPerNode: fit.jobsPerNode,
      jobsAtOnce: shape.jobsAtOnce,
      rounds: shape.rounds,
    },
    estimate: {
      seconds,
      billedSeconds,
      usd: cost,
      ...(capacityType === 'SPOT' && { isUpperBound: true as const }),
      region,
      ...(asOf && { pricesAsOf: asOf }),
    },
  };
}

/** The times of a plan as its specification has them. */
export function specTimes(times: PlanTimes): PlanTimes {
  const { idleTimeoutSeconds, maxLifetimeSeconds, scaledownIdleTimeSeconds } = times;
  return {
    idleTimeoutSeconds,
    maxLifetimeSeconds,
    ...(scaledownIdleTimeSeconds !== undefined && { scaledownIdleTimeSeconds }),
  };
}
