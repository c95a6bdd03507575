import { z } from 'zod';
import { type SpecChange, updateModes, type UpdatePlan } from '../domain/spec-update.ts';
import type { SpecUpdateView } from '../domain/spec-update-record.ts';
import { failureSchema } from './failure-schema.ts';

type Fields<T> = Record<keyof T, z.ZodType>;

const time = z.string().meta({ format: 'date-time' });

const updateModeSchema = z.enum(updateModes).meta({
  description:
    '`at-once`: nothing in AWS changes; `in-place`: the stack is updated while jobs run; `after-drain`: another cluster ' +
    'follows when its campaigns have ended; `refused`: it would replace storage.',
});

export const specUpdateSchema = z.object({
  mode: updateModeSchema.exclude(['refused']),
  state: z.enum(['under-way', 'waits-for-campaigns', 'done', 'failed']),
  reason: z.string(),
  askedAt: time,
  endedAt: time.optional(),
  changes: z.array(z.string()).meta({ description: 'Paths of what changes.' }),
  failure: failureSchema.optional(),
} satisfies Fields<SpecUpdateView>);

const specChangeFields = {
  path: z.string().meta({
    description: 'Queues and compute resources by their names: `queues.debug.computeResources.t3.maxCount`.',
  }),
  existing: z.unknown().optional(),
  requested: z.unknown().optional(),
  mode: updateModeSchema,
  because: z.string().optional(),
} satisfies Fields<SpecChange>;

export const updatePlanSchema: z.ZodType<UpdatePlan> = z.object({
  mode: z.enum([...updateModes, 'none']).meta({ description: 'The most of what the changes take.' }),
  changes: z.array(z.object(specChangeFields)),
} satisfies Fields<UpdatePlan>);
