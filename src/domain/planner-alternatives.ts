import { type Alternative, type Plan, planOf, type PlanningGround, specTimes } from './plan.ts';
import {
  type Candidate,
  type CandidateOptions,
  candidatesOfType,
  isPlannable,
} from './planner-candidates.ts';
import { cheapest, fastest } from './planner-choice.ts';
import { type Tier, tierNames, tiers } from './tiers.ts';

/** What else could be had: for less money, sooner, on spot instances, with a tier. */
export function alternativesTo(
  chosen: Candidate,
  candidates: readonly Candidate[],
  options: CandidateOptions,
  ground: PlanningGround,
): Alternative[] {
  const plan = (candidate: Candidate): Plan => planOf(candidate, options.times, ground);
  const lower = cheapest(candidates);
  const sooner = fastest(candidates);
  return [
    ...(lower && lower.cost.total < chosen.cost.total
      ? [{ kind: 'cheaper' as const, note: 'The cheapest; it takes longer.', ...plan(lower) }]
      : []),
    ...(sooner && sooner.seconds < chosen.seconds
      ? [{ kind: 'faster' as const, note: 'About the fastest; it costs more.', ...plan(sooner) }]
      : []),
    ...(chosen.capacityType === 'ONDEMAND' && chosen.type.spot
      ? [
          {
            kind: 'spot' as const,
            note: 'The same on spot instances: for less than this, but EC2 can take nodes away, and their jobs begin again.',
            ...plan({ ...chosen, capacityType: 'SPOT' }),
          },
        ]
      : []),
    ...bestTier(options, ground),
  ];
}

/** The tier that costs least. One whose types have no price, or whose speed depends on credits, is none to plan with. */
function bestTier(options: CandidateOptions, ground: PlanningGround): Alternative[] {
  const found = tierNames.flatMap((tier) =>
    candidatesOfTier(tier, options, ground).map((candidate) => ({ tier, candidate })),
  );
  const best = cheapest(found.map(({ candidate }) => candidate));
  const tier = found.find(({ candidate }) => candidate === best)?.tier;
  if (!best || !tier) return [];
  const { times } = options;
  return [
    {
      kind: 'tier',
      note: `The tier ${tier}, of whose nodes ${best.shape.nodes} of type ${best.instanceType} are used.`,
      ...planOf(best, times, ground),
      spec: { tier, ...specTimes(times), ...(best.lustre && { lustre: best.lustre }) },
    },
  ];
}

function candidatesOfTier(tier: Tier, options: CandidateOptions, ground: PlanningGround): Candidate[] {
  const { workload, times } = options;
  return tiers[tier].queues.flatMap(({ maxTimeSeconds = Infinity, maxNodesPerJob = Infinity, ...queue }) =>
    workload.secondsPerJob > maxTimeSeconds
      ? []
      : queue.computeResources
          .flatMap(({ instanceType, maxCount }) => {
            const type = ground.instanceTypes[instanceType];
            if (!type || !isPlannable(type, 'ONDEMAND')) return [];
            return candidatesOfType(instanceType, type, { ...options, capacityType: 'ONDEMAND' }, maxCount);
          })
          .filter(({ seconds }) => seconds <= times.maxLifetimeSeconds)
          .filter(({ fit }) => fit.nodesPerJob <= maxNodesPerJob),
  );
}
