import { z } from 'zod';
import { clusterOptionsSchema } from './cluster-options.ts';
import type { ClusterSpec } from './cluster-spec.ts';
import { campaignIdSchema } from './ids.ts';
import { holdNameSchema, sentenceSchema } from './lifetime.ts';
import { lustreSpecSchema } from './lustre.ts';
import { queueDemandSchema } from './queue-demands.ts';
import { queueSchema } from './queue.ts';
import { jobTransports, slurmApiTrusts } from './slurm-api-spec.ts';
import { specNotesSchema } from './spec-notes.ts';
import { tierNames } from './tiers.ts';

/*
 * What the updates of the cluster entity must look like. The API sends nothing else; operators type them into the
 * Temporal UI, and what is wrong must be refused there too, before a handler sees it.
 */

/** A specification with every default filled in, as the API resolves it. */
export const clusterSpecSchema = z.strictObject({
  tier: z.enum([...tierNames, 'custom']),
  queues: z.array(queueSchema).min(1),
  idleTimeoutSeconds: z.int().min(1),
  maxLifetimeSeconds: z.int().min(1),
  lustre: lustreSpecSchema.optional(),
  slurmApi: z.strictObject({ trust: z.enum(slurmApiTrusts), jobsOver: z.enum(jobTransports) }).optional(),
  scaledownIdleTimeSeconds: z.int().min(60).multipleOf(60).optional(),
  ...clusterOptionsSchema.shape,
  // A field that is missing here would be refused.
} satisfies Record<keyof ClusterSpec, z.ZodType>);

export const ensureRequestSchema = z.strictObject({
  spec: clusterSpecSchema,
  notes: specNotesSchema.optional(),
});

export const changeRequestSchema = z.strictObject({
  spec: clusterSpecSchema,
  notes: specNotesSchema.optional(),
  from: clusterSpecSchema.optional(),
  reason: sentenceSchema,
});

export const teardownRequestSchema = z.strictObject({ reason: sentenceSchema });

export const releaseRequestSchema = z.strictObject({ name: holdNameSchema });

/** `jobKeys` stood in place of `jobCount` before campaigns read their content themselves. */
export const submitRequestSchema = z.strictObject({
  campaignId: campaignIdSchema,
  content: z.strictObject({ bucket: z.string().min(1), key: z.string().min(1), sha256: z.string().min(1) }),
  jobCount: z.int().min(1).optional(),
  jobKeys: z.array(z.string()).min(1).optional(),
  queues: z.array(z.string()),
  demands: z.array(queueDemandSchema).optional(),
  spec: clusterSpecSchema.optional(),
  notes: specNotesSchema.optional(),
});
