import type { CampaignNeeds } from './campaign-needs.ts';
import { pricesIn } from './estimate.ts';
import {
  type Alternative,
  type Infeasibility,
  type InfeasiblePlan,
  type PlanAnswer,
  planOf,
  type PlanningGround,
} from './plan.ts';
import { alternativesTo } from './planner-alternatives.ts';
import {
  type Candidate,
  type CandidateOptions,
  candidatesOf,
  isLustreCheaper,
  lustreHolding,
  type PlanTimes,
} from './planner-candidates.ts';
import { cheapest, fastest } from './planner-choice.ts';
import { assumptionsOf, explain, whyInfeasible, whyNoType } from './planner-words.ts';
import { workloadOf } from './planner-workload.ts';
import { lustreUsdPerMonth, type RegionPrices } from './prices.ts';

/** Who names neither deadline nor budget gets the cheapest plan that ends within a day, if any does. */
const USUAL_SECONDS = 86_400;

/**
 * A cluster for what a campaign needs: with a budget the fastest that it pays for, otherwise the cheapest that is in time.
 * A pure function: the same needs, times, prices and types give the same plan.
 */
export function planCampaign(needs: CampaignNeeds, times: PlanTimes, ground: PlanningGround): PlanAnswer {
  const { region } = ground;
  const prices = pricesIn(ground.prices, region);
  if (!prices) return infeasible('no-prices', `This release has no prices of ${region}.`);
  if (needs.lustre === 'yes' && !ground.hasLustre)
    return infeasible('no-lustre', 'This installation has no Lustre file systems.');
  const options: CandidateOptions = {
    workload: workloadOf(needs),
    prices,
    times,
    storageGibibytes: needs.storageGibibytes ?? 0,
    capacityType: needs.capacityType ?? 'ONDEMAND',
    lustreFor: lustreRule(needs, prices, ground.hasLustre),
  };
  const candidates = candidatesOf(ground.instanceTypes, options);
  if (candidates.length === 0) return infeasible('no-type', whyNoType(options, ground));
  const alive = candidates.filter(({ seconds }) => seconds <= times.maxLifetimeSeconds);
  const { deadlineSeconds = Infinity, budgetUsd = Infinity } = needs;
  const inTime = alive.filter(({ seconds }) => seconds <= deadlineSeconds);
  const affordable = alive.filter(({ cost }) => cost.total <= budgetUsd);
  const possible = inTime.filter(({ cost }) => cost.total <= budgetUsd);
  const chosen = choose(possible, needs);
  if (chosen)
    return {
      outcome: 'planned',
      ...planOf(chosen, times, ground),
      explanation: explain(chosen, needs, options, possible.length),
      alternatives: alternativesTo(chosen, alive, options, ground),
      assumptions: assumptionsOf(options),
    };
  const limit = limitOf(alive, inTime, affordable);
  const nearest = nearestTo(limit, { candidates, alive, inTime, affordable }, options, ground);
  return { ...infeasible(limit, whyInfeasible(limit, needs, options, nearest)), nearest };
}

function infeasible(limit: Infeasibility, message: string): InfeasiblePlan {
  return { outcome: 'infeasible', limit, message, nearest: [] };
}

/** Lustre for jobs that run on several nodes, and where it costs no more than EFS would, unless the needs say otherwise. */
function lustreRule(
  { lustre = 'auto', storageGibibytes = 0 }: CampaignNeeds,
  prices: RegionPrices,
  hasLustre: boolean,
): CandidateOptions['lustreFor'] {
  const fileSystem = lustreHolding(storageGibibytes);
  if (lustre === 'yes') return () => fileSystem;
  const hasPrice = lustreUsdPerMonth(prices, fileSystem) !== undefined;
  if (lustre === 'no' || !hasLustre || !hasPrice) return () => undefined;
  const isCheaper = isLustreCheaper(prices, storageGibibytes);
  return (isSpread) => (isSpread || isCheaper ? fileSystem : undefined);
}

function choose(possible: readonly Candidate[], needs: CampaignNeeds): Candidate | undefined {
  if (needs.budgetUsd !== undefined) return fastest(possible);
  if (needs.deadlineSeconds !== undefined) return cheapest(possible);
  const usual = possible.filter(({ seconds }) => seconds <= USUAL_SECONDS);
  return cheapest(usual) ?? fastest(possible);
}

function limitOf(
  alive: readonly Candidate[],
  inTime: readonly Candidate[],
  affordable: readonly Candidate[],
): Infeasibility {
  if (alive.length === 0) return 'max-lifetime';
  if (inTime.length === 0) return 'deadline';
  return affordable.length === 0 ? 'budget' : 'deadline-and-budget';
}

type Sets = Readonly<Record<'candidates' | 'alive' | 'inTime' | 'affordable', readonly Candidate[]>>;

/** The fastest where time is short, the cheapest where money is; each keeps to the other limit if anything does. */
function nearestTo(
  limit: Infeasibility,
  { candidates, alive, inTime, affordable }: Sets,
  options: CandidateOptions,
  ground: PlanningGround,
): Alternative[] {
  const any = alive.length > 0 ? alive : candidates;
  const soonest = limit === 'budget' ? undefined : fastest(affordable.length > 0 ? affordable : any);
  const least =
    limit === 'budget' || limit === 'deadline-and-budget'
      ? cheapest(inTime.length > 0 ? inTime : any)
      : undefined;
  return [
    ...(soonest
      ? [
          {
            kind: 'faster' as const,
            note:
              affordable.length > 0
                ? 'About the fastest that the budget, if any, pays for.'
                : 'About the fastest there is.',
            ...planOf(soonest, options.times, ground),
          },
        ]
      : []),
    ...(least
      ? [
          {
            kind: 'cheaper' as const,
            note: inTime.length > 0 ? 'The cheapest that is in time.' : 'The cheapest there is.',
            ...planOf(least, options.times, ground),
          },
        ]
      : []),
  ];
}
