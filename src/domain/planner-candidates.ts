import { UNSHARED_ENDPOINTS, totalOf, hourlyCostOf } from './estimate.ts';
import type { InstanceType, InstanceTypes } from './instance-types.ts';
import type { LustreSpec } from './lustre.ts';
import { type Fit, fitOf, mostNodesBeside, type Shape, shapesOf, type Workload } from './planner-workload.ts';
import { efsUsdPerMonth, lustreUsdPerMonth, nodeUsdPerHour, type RegionPrices, roundUsd } from './prices.ts';
import type { Queue } from './queue.ts';

/** Seconds that a plan counts for what is not work. None was measured on AWS. */
export const overheads = {
  /** A cluster is made: CloudFormation takes 10 to 20 minutes (docs/operations.md). */
  clusterSeconds: 1200,
  /** A Lustre file system and its links to S3 are made before that. */
  lustreSeconds: 900,
  /** EC2 starts a node, and Slurm takes it in. */
  nodeBootSeconds: 300,
  /** Logs are copied and everything is deleted, after the time in which the cluster may be idle. */
  teardownSeconds: 900,
} as const;

/** What of a specification a plan does not choose, but must know. */
export interface PlanTimes {
  readonly idleTimeoutSeconds: number;
  readonly maxLifetimeSeconds: number;
  readonly scaledownIdleTimeSeconds?: number | undefined;
}

/** ParallelCluster's own, where a specification says nothing else (`ScaledownIdletime`, 10 minutes). */
export const DEFAULT_SCALEDOWN_SECONDS = 600;

/** US dollars of a whole cluster life, by what they are for. */
export interface CampaignCost {
  readonly headNode: number;
  readonly nodes: number;
  readonly lustre: number;
  readonly efs: number;
  readonly endpoints: number;
  readonly total: number;
}

/** One way to run a workload. */
export interface Candidate {
  readonly instanceType: string;
  readonly type: InstanceType;
  readonly fit: Fit;
  readonly shape: Shape;
  readonly capacityType: 'ONDEMAND' | 'SPOT';
  readonly lustre: LustreSpec | undefined;
  /** From the request to the end of the last job. */
  readonly seconds: number;
  /** From the request until the cluster is gone. */
  readonly billedSeconds: number;
  readonly cost: CampaignCost;
}

export interface CandidateOptions {
  readonly workload: Workload;
  readonly prices: RegionPrices;
  readonly times: PlanTimes;
  readonly storageGibibytes: number;
  /** Whether there is to be Lustre, for jobs on one node or on several. */
  readonly lustreFor: (isSpread: boolean) => LustreSpec | undefined;
  readonly capacityType: 'ONDEMAND' | 'SPOT';
}

/**
 * Every way to run a workload on types that have a price. Left out are those whose speed depends on credits and those that
 * ParallelCluster's image for x86_64 does not run on.
 */
export function candidatesOf(types: InstanceTypes, options: CandidateOptions): Candidate[] {
  return Object.entries(types).flatMap(([name, type]) =>
    isPlannable(type, options.capacityType) ? candidatesOfType(name, type, options) : [],
  );
}

/** The same for one type, with at most so many nodes. */
export function candidatesOfType(
  instanceType: string,
  type: InstanceType,
  options: CandidateOptions,
  maxNodes = Infinity,
): Candidate[] {
  const fit = fitOf(options.workload, type);
  if (!fit || nodeUsdPerHour(options.prices, instanceType) === undefined) return [];
  const most = Math.min(maxNodes, mostNodesBeside(options.lustreFor(fit.nodesPerJob > 1)));
  return shapesOf(options.workload, fit, most).map((shape) =>
    candidateOf({ instanceType, type, fit, shape }, options),
  );
}

export function isPlannable(type: InstanceType, capacityType: 'ONDEMAND' | 'SPOT'): boolean {
  return !type.burstable && type.architecture === 'x86_64' && (capacityType === 'ONDEMAND' || type.spot);
}

function candidateOf(
  what: Pick<Candidate, 'instanceType' | 'type' | 'fit' | 'shape'>,
  options: CandidateOptions,
): Candidate {
  const { workload, times, capacityType } = options;
  const { fit, shape } = what;
  const lustre = options.lustreFor(fit.nodesPerJob > 1);
  const seconds =
    overheads.clusterSeconds +
    (lustre ? overheads.lustreSeconds : 0) +
    overheads.nodeBootSeconds +
    shape.rounds * workload.secondsPerJob;
  const billedSeconds = seconds + times.idleTimeoutSeconds + overheads.teardownSeconds;
  const cost = costOf({ ...what, lustre, billedSeconds }, options);
  return { ...what, capacityType, lustre, seconds, billedSeconds, cost };
}

/** Each node is paid for while its jobs run, while it boots and while it waits to be powered down; the rest all the time. */
function costOf(
  {
    shape,
    billedSeconds,
    lustre,
    ...what
  }: Pick<Candidate, 'instanceType' | 'type' | 'shape' | 'fit' | 'lustre' | 'billedSeconds'>,
  { prices, times, storageGibibytes }: CandidateOptions,
): CampaignCost {
  const aroundSeconds =
    overheads.nodeBootSeconds + (times.scaledownIdleTimeSeconds ?? DEFAULT_SCALEDOWN_SECONDS);
  const nodeHours = (shape.busyNodeSeconds + shape.nodes * aroundSeconds) / 3600;
  const hours = billedSeconds / 3600;
  const spec = { queues: [queueOf(what, shape.nodes)], ...(lustre && { lustre }) };
  const hourly = hourlyCostOf(spec, prices, () => 0, {
    efsGibibytes: lustre ? 0 : storageGibibytes,
    share: UNSHARED_ENDPOINTS,
  });
  // Rounded here: what is compared with a budget is what is shown.
  const cost = {
    headNode: roundUsd(hourly.headNode * hours),
    nodes: roundUsd(nodeHours * (nodeUsdPerHour(prices, what.instanceType) ?? 0)),
    lustre: roundUsd(hourly.lustre * hours),
    efs: roundUsd(hourly.efs * hours),
    endpoints: roundUsd(hourly.endpoints * hours),
  };
  return { ...cost, total: roundUsd(totalOf(cost)) };
}

function queueOf(
  { instanceType, type, fit }: Pick<Candidate, 'instanceType' | 'type' | 'fit'>,
  nodes: number,
) {
  return {
    name: 'plan',
    placementGroup: fit.nodesPerJob > 1,
    capacityType: 'ONDEMAND' as const,
    computeResources: [
      {
        name: instanceType.replaceAll('.', '-'),
        instanceType,
        minCount: 0,
        maxCount: nodes,
        efa: fit.nodesPerJob > 1,
        // Threads off: a CPU of Slurm is then a core, as the needs count them.
        multithreading: type.vcpus === type.cores,
      },
    ],
  };
}

/** The queue of a candidate, as a specification has it. */
export function queueOfCandidate(candidate: Candidate): Queue {
  return { ...queueOf(candidate, candidate.shape.nodes), capacityType: candidate.capacityType };
}

/** The smallest Lustre file system that holds so much. FSx: 1200 GiB or a multiple of 2400. */
export function lustreHolding(gibibytes: number): LustreSpec {
  const sizeGibibytes = gibibytes <= 1200 ? 1200 : Math.ceil(gibibytes / 2400) * 2400;
  return { sizeGibibytes, throughputMegabytesPerSecondPerTebibyte: 250 };
}

/** Whether Lustre costs no more than EFS for so much. */
export function isLustreCheaper(prices: RegionPrices, gibibytes: number): boolean {
  const lustre = lustreUsdPerMonth(prices, lustreHolding(gibibytes));
  return lustre !== undefined && lustre <= efsUsdPerMonth(prices, gibibytes);
}
