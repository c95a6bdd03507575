import { z } from 'zod';
import { campaignIdSchema, projectIdSchema, virtualLabIdSchema } from '../domain/ids.ts';

const time = z.string().meta({ format: 'date-time' });
const count = z.int().min(0);

const usageFields = {
  cpuHours: z.number().meta({ description: '`cpuSeconds` in hours, to four decimals.' }),
  nodeHours: z.number().meta({ description: '`nodeSeconds` in hours, to four decimals.' }),
  cpuSeconds: count.meta({ description: 'Allocated processors × seconds, without suspended time.' }),
  nodeSeconds: count.meta({ description: 'Allocated nodes × seconds; suspended jobs keep their nodes.' }),
  allocations: count.meta({
    description: 'Runs of jobs that have a part in it: each task of an array and each run of a requeued job.',
  }),
  costUsd: z
    .number()
    .min(0)
    .optional()
    .meta({
      description:
        'List price of the nodes × time, shared out by allocated processors: whole for a job with whole nodes. Only of what ' +
        'has a price; absent where nothing of it has.',
    }),
  unpricedAllocations: count.optional().meta({
    description: 'How many of `allocations` have no price and are not in `costUsd`, if some.',
  }),
};

/** What was used of something. */
export const usageSchema = z.object(usageFields);

const epochUsageSchema = z.object({
  epoch: z.string(),
  startedAt: time.meta({ description: 'When the deployment began.' }),
  asOf: time.meta({
    description: 'When Slurm’s accounting was asked. What came later is not in the report.',
  }),
  pricesAsOf: z.string().optional().meta({
    format: 'date',
    description: 'Day of the prices behind `costUsd`: those at which the deployment was asked for.',
  }),
  isUpperBound: z
    .literal(true)
    .optional()
    .meta({ description: 'Spot nodes are priced like on-demand ones: `costUsd` is more than they cost.' }),
  final: z.boolean().meta({ description: 'Everything in the epoch has ended and is counted.' }),
});

/** What a project used within a range of time. */
export const usageReportSchema = z.object({
  virtualLabId: virtualLabIdSchema,
  projectId: projectIdSchema,
  from: time,
  to: time,
  total: usageSchema,
  perQueue: z.array(z.object({ queue: z.string(), ...usageFields })),
  perCampaign: z.array(z.object({ campaignId: campaignIdSchema.optional(), ...usageFields })).meta({
    description:
      'The largest first, at most 1,000. Without `campaignId`: jobs that no campaign submitted, of whatever user.',
  }),
  furtherCampaigns: z
    .object({ campaigns: count, ...usageFields })
    .optional()
    .meta({ description: 'All campaigns that `perCampaign` has no room for, together.' }),
  epochs: z
    .array(epochUsageSchema)
    .meta({ description: 'The deployments that were looked at, the oldest first.' }),
});

export type UsageReportView = z.output<typeof usageReportSchema>;

/** What the jobs of one campaign used. */
export const campaignUsageSchema = z.object({
  virtualLabId: virtualLabIdSchema,
  projectId: projectIdSchema,
  campaignId: campaignIdSchema,
  epoch: epochUsageSchema
    .optional()
    .meta({ description: 'The deployment that has the jobs. Absent before anything of it was recorded.' }),
  total: usageSchema.meta({ description: 'Of all of its jobs, not only of those on this page.' }),
  jobs: z
    .array(
      z.object({
        jobKey: z
          .string()
          .optional()
          .meta({ description: 'Absent for what releases before 0.3.0 recorded, all together.' }),
        ...usageFields,
      }),
    )
    .meta({ description: 'In the order of their keys. A job that had not started at `asOf` is missing.' }),
  nextPageToken: z.string().optional(),
});

export type CampaignUsageView = z.output<typeof campaignUsageSchema>;

/** A page of a project's epochs with recorded usage. */
export const usageEpochPageSchema = z.object({
  epochs: z.array(
    z.object({
      epoch: z.string(),
      startedAt: time,
      recordedAt: time.meta({ description: 'When usage was recorded last.' }),
      sizeBytes: count,
    }),
  ),
  nextPageToken: z.string().optional(),
});

export type UsageEpochPage = z.output<typeof usageEpochPageSchema>;
