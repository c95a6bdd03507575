import { z } from 'zod';
import { campaignIdSchema, jobKeySchema } from '../domain/ids.ts';
import type { ListedJob } from '../domain/job-listing.ts';
import { jobViewFields } from './view-schemas.ts';

const { key: _key, logsComplete: _logsComplete, logsProblem: _logsProblem, ...slurmFields } = jobViewFields;

const listedJobFields = {
  ...slurmFields,
  slurmJobId: z.string(),
  campaignId: campaignIdSchema.optional().meta({
    description:
      'The campaign that it belongs to; absent for a job that was not submitted through this service.',
  }),
  jobKey: jobKeySchema.optional().meta({ description: 'Its key in that campaign.' }),
  user: z.string().meta({ description: 'Of the head node, e.g. `sim`.' }),
  name: z.string(),
  queue: z.string().meta({ description: 'Slurm’s partition.' }),
} satisfies Record<keyof ListedJob, z.ZodType>;

/** A page of the Slurm jobs of a cluster. */
export const jobListingPageSchema = z.object({
  epoch: z.string(),
  observedAt: z.string().meta({ format: 'date-time', description: 'When Slurm was asked.' }),
  jobs: z.array(z.object(listedJobFields)),
  omittedJobs: z
    .int()
    .optional()
    .meta({ description: 'Ended jobs, the oldest, that are left out because there are more than 10,000.' }),
  nextPageToken: z.string().optional(),
});

export type JobListingPage = z.output<typeof jobListingPageSchema>;
