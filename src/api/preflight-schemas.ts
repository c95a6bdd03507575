import { z } from 'zod';
import {
  type PreflightCheck,
  preflightCheckNames,
  type PreflightPlace,
  type PreflightReport,
} from '../domain/preflight.ts';
import { viewEstimateSchema, viewPlanSchema } from './plan-schemas.ts';
import { clusterSpecSchema } from './view-schemas.ts';

type Fields<T> = Record<keyof T, z.ZodType>;

const placeSchema = z.object({
  subnetId: z.string(),
  availabilityZone: z.string(),
} satisfies Fields<PreflightPlace>);

const checkSchema = z.object({
  name: z.enum(preflightCheckNames),
  outcome: z.enum(['ok', 'failed', 'unknown']).meta({
    description: '`unknown`: could not be found out, and keeps no cluster from being made.',
  }),
  cause: z.string(),
  nextStep: z.string().optional(),
} satisfies Fields<PreflightCheck>);

const reportSchema = z.object({
  place: placeSchema.optional().meta({ description: 'Where the cluster would be if it were made now.' }),
  checks: z.array(checkSchema),
} satisfies Fields<PreflightReport>);

/** What a dry run of a cluster answers. */
export const dryRunAnswerSchema = z.object({
  outcome: z.enum(['passed', 'failed']),
  preflight: reportSchema,
  spec: clusterSpecSchema.meta({ description: 'The specification with all that was left out.' }),
  estimate: viewEstimateSchema.optional(),
  plan: viewPlanSchema.optional(),
});
