import type { z } from 'zod';
import { clusterSpecInputSchema, resolveClusterSpec } from '../domain/cluster-spec-input.ts';
import type { ClusterSpec } from '../domain/cluster-spec.ts';
import { estimateOf, UNSHARED_ENDPOINTS } from '../domain/estimate.ts';
import { KnownFailure } from '../domain/failures.ts';
import type { FeasiblePlan, PlanningGround } from '../domain/plan.ts';
import { planCampaign } from '../domain/planner.ts';
import { ratesOf } from '../domain/rate-card.ts';
import type { SpecNotes } from '../domain/spec-notes.ts';
import { clipped } from '../domain/wording.ts';
import { type Installation, refuseWhatIsMissing, unknownIn } from './request-validation.ts';

/** A specification as the cluster's workflow gets it, and what is said about it. */
export interface AskedSpec {
  readonly spec: ClusterSpec;
  readonly notes: SpecNotes;
}

/** What plans and estimates are made from now: prices are refreshed while the API runs. */
export type Planning = () => Promise<PlanningGround>;

/** What decides which specifications are taken, and what becomes of them. */
export interface SpecGround {
  readonly installation: Installation;
  readonly planning: Planning;
}

/** A specification that is the body of a request. InvalidRequest for what this installation has not; else as {@link resolveAsked}. */
export async function takeSpec(
  input: ClusterSpecOutput,
  { installation, planning }: SpecGround,
): Promise<AskedSpec> {
  refuseWhatIsMissing(installation, input, '');
  return resolveAsked(input, await planning(), '');
}

type ClusterSpecOutput = z.output<typeof clusterSpecInputSchema>;

/**
 * Plans what is asked for by needs, fills in the rest, and estimates what it costs. NeedsInfeasible where nothing satisfies
 * the needs; InvalidRequest where what stands beside them is too little for what was planned. `path` leads to the
 * specification, and ends with a dot if it is not empty.
 */
export function resolveAsked(
  input: ClusterSpecOutput,
  ground: PlanningGround,
  path: '' | `${string}.`,
): AskedSpec {
  const { needs, ...rest } = input;
  if (!needs) {
    const spec = resolveClusterSpec(rest);
    return {
      spec,
      notes: { estimate: estimateOf(spec, ground.prices, ground.region), rates: meterRates(spec, ground) },
    };
  }
  const plan = planCampaign(needs, rest, ground);
  if (plan.outcome === 'infeasible') {
    const { limit, message, nearest } = plan;
    throw new KnownFailure('NeedsInfeasible', message, { limit, nearest });
  }
  const whole = clusterSpecInputSchema.safeParse({ ...rest, ...plan.spec });
  if (!whole.success) {
    const [issue] = whole.error.issues;
    throw unknownIn(`${path}${issue?.path.join('.') ?? ''}`, issue?.message ?? 'does not fit the plan');
  }
  const spec = resolveClusterSpec(whole.data);
  const efsGibibytes = spec.lustre ? 0 : (needs.storageGibibytes ?? 0);
  return {
    spec,
    notes: {
      estimate: estimateOf(spec, ground.prices, ground.region, { efsGibibytes }),
      plan: { needs, ...noteOf(plan) },
      rates: meterRates(spec, ground),
    },
  };
}

/** What the meter of its workflow counts with. */
function meterRates(spec: ClusterSpec, ground: PlanningGround) {
  return ratesOf(spec, { ...ground, share: UNSHARED_ENDPOINTS });
}

const MAX_SENTENCE_CHARACTERS = 400;

function noteOf({ explanation, estimate }: FeasiblePlan): Omit<NonNullable<SpecNotes['plan']>, 'needs'> {
  return {
    explanation: explanation.map((sentence) => clipped(sentence, MAX_SENTENCE_CHARACTERS)),
    seconds: estimate.seconds,
    usd: estimate.usd.total,
  };
}
