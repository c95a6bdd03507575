import { z } from 'zod';

/**
 * Names of queues and compute resources: ParallelCluster's own rule (`QueueNameValidator`, aws-parallelcluster
 * 3.16): at most 25 characters, a lower-case letter first, not `default`.
 */
export const parallelClusterNameSchema = z
  .string()
  .max(25)
  .regex(/^[a-z][a-z0-9-]*$/, 'must begin with a lower-case letter and hold only a-z, 0-9 and hyphens')
  .refine((name) => name !== 'default', 'must not be `default`, which ParallelCluster reserves');

const computeResourceSchema = z.strictObject({
  name: parallelClusterNameSchema,
  instanceType: z
    .string()
    .max(32)
    .regex(/^[a-z0-9-]+\.[a-z0-9-]+$/, 'must be an EC2 instance type such as c7a.48xlarge'),
  minCount: z.int().min(0).max(1000).default(0),
  maxCount: z.int().min(1).max(1000),
  /** Elastic Fabric Adapter on every node. */
  efa: z.boolean().default(false),
  /** False switches simultaneous multithreading off: one CPU per core. */
  multithreading: z.boolean().default(true),
});

export const queueSchema = z.strictObject({
  name: parallelClusterNameSchema,
  computeResources: z.array(computeResourceSchema).min(1).max(50),
  /** All nodes of the queue close together in one cluster placement group. */
  placementGroup: z.boolean().default(false),
  capacityType: z.enum(['ONDEMAND', 'SPOT']).default('ONDEMAND'),
  /** Longest time limit of a job (Slurm `MaxTime`); Slurm counts whole minutes. */
  maxTimeSeconds: z
    .int()
    .min(60)
    .max(365 * 86_400)
    .multipleOf(60)
    .optional(),
  /** Most nodes of a job (Slurm `MaxNodes`). */
  maxNodesPerJob: z.int().min(1).max(1000).optional(),
});

export type QueueInput = z.input<typeof queueSchema>;
export type ComputeResource = z.output<typeof computeResourceSchema>;
export type Queue = z.output<typeof queueSchema>;
