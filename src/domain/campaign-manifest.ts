import { z } from 'zod';
import type { JobView } from './campaign-view.ts';
import { jobStates } from './slurm-states.ts';

/** Members that this version does not know stay as they are: a manifest outlives the release that wrote it. */
const jobViewSchema: z.ZodType<JobView> = z.looseObject({
  key: z.string(),
  state: z.enum(jobStates),
  reason: z.string(),
  slurmJobId: z.string().optional(),
  slurmState: z.string().optional(),
  exitCode: z.int().optional(),
  signal: z.int().optional(),
  submittedAt: z.string().optional(),
  startedAt: z.string().optional(),
  endedAt: z.string().optional(),
  nodes: z.string().optional(),
  restarts: z.int().optional(),
  logsComplete: z.boolean(),
  logsProblem: z.string().optional(),
});

/**
 * How a campaign ended: the final state of each of its jobs and where their output is. It lies beside the campaign's
 * content and is what the API answers from once Temporal has forgotten the workflow.
 */
export const campaignManifestSchema = z.object({
  version: z.literal(1),
  campaignId: z.string(),
  logs: z.object({ logGroupName: z.string(), epoch: z.string() }).optional(),
  jobs: z.array(jobViewSchema),
});

export type CampaignManifest = z.output<typeof campaignManifestSchema>;
