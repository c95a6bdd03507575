import { z } from 'zod';
import { countByState, outcome } from './campaign.ts';
import type { JobView } from './campaign-view.ts';
import { jobViewShape } from './job-view-shape.ts';
import { type JobState, jobStates } from './slurm-states.ts';

/** Members that this version does not know stay as they are: a manifest outlives the release that wrote it. */
const jobViewSchema: z.ZodType<JobView> = z.looseObject(jobViewShape);

/** How a campaign as a whole can end. */
export const campaignOutcomes = ['succeeded', 'failed', 'cancelled'] as const;

const count = z.int().min(0);
const jobsByState = z.partialRecord(z.enum(jobStates), count);

/** Some of a campaign's jobs, in the order of the whole: an object of its own in the control bucket. */
export const manifestPartSchema = z.object({ version: z.literal(1), jobs: z.array(jobViewSchema) });

const partReferenceSchema = z.object({ key: z.string(), sha256: z.string(), jobCount: count, jobsByState });

/** Where a part lies, the hash that it must have, and what it holds. */
export type ManifestPartReference = z.output<typeof partReferenceSchema>;

const common = {
  campaignId: z.string(),
  logs: z.object({ logGroupName: z.string(), epoch: z.string() }).optional(),
};

/** With the jobs in it, as every version writes it for campaigns of up to {@link JOBS_PER_PART}. */
const wholeManifestSchema = z.object({
  version: z.literal(1),
  ...common,
  /** Told by the jobs where it is absent. */
  state: z.enum(campaignOutcomes).optional(),
  contentSha256: z.string().optional(),
  jobs: z.array(jobViewSchema),
});

const partedManifestSchema = z.object({
  version: z.literal(2),
  ...common,
  state: z.enum(campaignOutcomes),
  contentSha256: z.string(),
  parts: z.array(partReferenceSchema),
});

/** Jobs of one part: some 300 KB of JSON, which is read whole for a page of the API. */
export const JOBS_PER_PART = 1000;

/**
 * How a campaign ended: the final state of each of its jobs and where their output is. It lies beside the campaign's
 * content and is what the API answers from once Temporal has forgotten the workflow.
 */
export const campaignManifestSchema = z.discriminatedUnion('version', [
  wholeManifestSchema,
  partedManifestSchema,
]);

export type CampaignManifest = z.output<typeof campaignManifestSchema>;

/** What a manifest says about the campaign as a whole. */
export function summariseManifest(manifest: CampaignManifest): {
  readonly state: (typeof campaignOutcomes)[number];
  readonly jobCount: number;
  readonly jobsByState: Partial<Record<JobState, number>>;
} {
  if (manifest.version === 1) {
    const { jobs, state = outcome(jobs) } = manifest;
    return { state, jobCount: jobs.length, jobsByState: countByState(jobs) };
  }
  const counts: Partial<Record<JobState, number>> = {};
  for (const { jobsByState } of manifest.parts) {
    for (const state of jobStates) {
      const more = jobsByState[state];
      if (more !== undefined) counts[state] = (counts[state] ?? 0) + more;
    }
  }
  const jobCount = manifest.parts.reduce((sum, part) => sum + part.jobCount, 0);
  return { state: manifest.state, jobCount, jobsByState: counts };
}

/** The parts that hold a range of jobs, and where the range begins in the first of them. */
export function partsOfRange(
  parts: readonly ManifestPartReference[],
  { offset, limit }: { readonly offset: number; readonly limit: number },
): { readonly parts: readonly ManifestPartReference[]; readonly skip: number } {
  const chosen: ManifestPartReference[] = [];
  let skip = 0;
  let begin = 0;
  for (const part of parts) {
    const end = begin + part.jobCount;
    if (end > offset && begin < offset + limit) {
      if (chosen.length === 0) skip = Math.max(0, offset - begin);
      chosen.push(part);
    }
    begin = end;
  }
  return { parts: chosen, skip };
}
