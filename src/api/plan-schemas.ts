import { z } from 'zod';
import { campaignNeedsSchema } from '../domain/campaign-needs.ts';
import { clusterSpecInputSchema } from '../domain/cluster-spec-input.ts';
import {
  type Alternative,
  alternativeKinds,
  type FeasiblePlan,
  type InfeasiblePlan,
  infeasibilities,
  type Plan,
  type PlanAnswer,
  type PlanEstimate,
  type PlanShape,
} from '../domain/plan.ts';
import type { CampaignCost } from '../domain/planner-candidates.ts';
import { clusterEstimateSchema, planNoteSchema } from '../domain/spec-notes.ts';
import { tierNames } from '../domain/tiers.ts';

type Fields<T> = Record<keyof T, z.ZodType>;

const count = z.int().min(0);
const usd = z.number().min(0);

const { queues, idleTimeoutSeconds, maxLifetimeSeconds, scaledownIdleTimeSeconds, lustre } =
  clusterSpecInputSchema.shape;

/** What a plan is asked for with: a specification of a cluster that has needs and nothing that would be planned. */
export const planRequestSchema = z.strictObject({
  needs: campaignNeedsSchema,
  idleTimeoutSeconds,
  maxLifetimeSeconds,
  scaledownIdleTimeSeconds,
});

const costFields = {
  headNode: usd,
  nodes: usd,
  lustre: usd,
  efs: usd,
  endpoints: usd.meta({
    description: 'The interface endpoints of its zone, as if no other cluster used them.',
  }),
  total: usd,
} satisfies Fields<CampaignCost>;

const estimateFields = {
  seconds: count.meta({ description: 'From the request to the end of the last job.' }),
  billedSeconds: count.meta({ description: 'From the request until the cluster is gone.' }),
  usd: z.object(costFields).meta({ description: 'US dollars of the whole cluster life.' }),
  isUpperBound: z
    .literal(true)
    .optional()
    .meta({ description: 'Spot nodes are counted like on-demand ones: they cost less than this.' }),
  region: z.string(),
  pricesAsOf: z.string().optional().meta({ format: 'date' }),
} satisfies Fields<PlanEstimate>;

const shapeFields = {
  instanceType: z.string(),
  nodes: count,
  nodesPerJob: count,
  jobsPerNode: count,
  jobsAtOnce: count,
  rounds: count.meta({ description: 'How often so many jobs run, one after the other.' }),
} satisfies Fields<PlanShape>;

const planFields = {
  spec: z
    .object({
      tier: z.enum(tierNames).optional(),
      queues,
      idleTimeoutSeconds: z.int(),
      maxLifetimeSeconds: z.int(),
      scaledownIdleTimeSeconds: z.int().optional(),
      lustre,
    })
    .meta({ description: 'Can be sent as it is, to `PUT …/cluster` or with a campaign.' }),
  shape: z.object(shapeFields),
  estimate: z.object(estimateFields),
} satisfies Fields<Plan>;

const alternativeSchema = z.object({
  ...planFields,
  kind: z.enum(alternativeKinds),
  note: z.string(),
} satisfies Fields<Alternative>);

const feasibleFields = {
  ...planFields,
  outcome: z.literal('planned'),
  explanation: z
    .array(z.string())
    .meta({ description: 'Why this type, why so many nodes, what limits, in plain words.' }),
  alternatives: z.array(alternativeSchema),
  assumptions: z.array(z.string()),
} satisfies Fields<FeasiblePlan>;

const infeasibleFields = {
  outcome: z.literal('infeasible'),
  limit: z.enum(infeasibilities).meta({ description: 'What stands in the way.' }),
  message: z.string(),
  nearest: z.array(alternativeSchema),
} satisfies Fields<InfeasiblePlan>;

export const planAnswerSchema: z.ZodType<PlanAnswer> = z.discriminatedUnion('outcome', [
  z.object(feasibleFields),
  z.object(infeasibleFields),
]);

/** Of a view: read tolerantly, as everything in it. */
export const viewEstimateSchema = z.object(clusterEstimateSchema.shape).meta({
  description: 'What the specification was estimated to cost when it was asked for, in US dollars.',
});
export const viewPlanSchema = z
  .object(planNoteSchema.shape)
  .meta({ description: 'Why the specification is as it is, where it was planned from needs.' });
