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

/** Of the form that EC2's names have; whether there is such a type is another question. */
export const instanceTypeNameSchema = z
  .string()
  .max(32)
  .regex(/^[a-z0-9-]+\.[a-z0-9-]+$/, 'must be an EC2 instance type such as c7a.48xlarge');

/** On-demand capacity that was reserved beforehand, and is paid whether or not nodes use it. */
const capacityReservationSchema = z
  .strictObject({
    id: z
      .string()
      .regex(/^cr-[0-9a-f]{17}$/, 'must be the id of a capacity reservation such as cr-0123456789abcdef0')
      .optional(),
    resourceGroupArn: z
      .string()
      .max(300)
      .regex(
        /^arn:aws[a-z-]*:resource-groups:[a-z0-9-]+:\d{12}:group\/[\w.-]{1,128}$/,
        'must be the ARN of a resource group of capacity reservations',
      )
      .optional(),
  })
  .refine(({ id, resourceGroupArn }) => (id === undefined) !== (resourceGroupArn === undefined), {
    path: ['id'],
    message: 'give one of `id` and `resourceGroupArn`',
  });

const computeResourceSchema = z.strictObject({
  name: parallelClusterNameSchema,
  instanceType: instanceTypeNameSchema,
  minCount: z.int().min(0).max(1000).default(0),
  maxCount: z.int().min(1).max(1000),
  /** Elastic Fabric Adapter on every node. */
  efa: z.boolean().default(false),
  /** False switches simultaneous multithreading off: one CPU per core. Without effect where cores have one thread. */
  multithreading: z.boolean().default(true),
  capacityReservation: capacityReservationSchema.optional().meta({
    description: 'Nodes start in this reservation, or in one of this group; on-demand queues only.',
  }),
});

export const queueSchema = z.strictObject({
  name: parallelClusterNameSchema,
  computeResources: z.array(computeResourceSchema).min(1).max(50),
  /** All nodes of a compute resource close together in one cluster placement group. */
  placementGroup: z.boolean().default(false),
  capacityType: z.enum(['ONDEMAND', 'SPOT']).default('ONDEMAND'),
  /** Longest time limit of a job (Slurm `MaxTime`); Slurm counts whole minutes. */
  maxTimeSeconds: z
    .int()
    .min(60)
    .max(365 * 86_400)
    .multipleOf(60)
    .optional(),
  defaultTimeSeconds: z
    .int()
    .min(60)
    .max(365 * 86_400)
    .multipleOf(60)
    .optional()
    .meta({
      description:
        'Time limit of a job that names none (Slurm `DefaultTime`), in whole minutes; maxTimeSeconds if absent.',
    }),
  /** Most nodes of a job (Slurm `MaxNodes`). */
  maxNodesPerJob: z.int().min(1).max(1000).optional(),
  exclusiveNodes: z.boolean().optional().meta({
    description: 'Whether a job has its nodes to itself (`JobExclusiveAllocation`); false if absent.',
  }),
});

export type QueueInput = z.input<typeof queueSchema>;
export type ComputeResource = z.output<typeof computeResourceSchema>;
export type Queue = z.output<typeof queueSchema>;
