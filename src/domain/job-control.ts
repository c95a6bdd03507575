import { z } from 'zod';
import { jobKeySchema } from './ids.ts';
import { sentenceSchema } from './lifetime.ts';
import { MAX_NICE } from './slurm-priority.ts';

/** As many as one call to the head node changes well within its time. */
export const MAX_CONTROLLED_JOBS = 200;
/**
 * What can be done to a job that has not ended, in Slurm's words (scontrol(1)). A higher `nice` lets other jobs go
 * first. Slurm lets the job's own user lower a time limit, and nobody but its operators raise one.
 */
export const jobActionSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('hold') }),
  z.strictObject({ kind: z.literal('release') }),
  z.strictObject({ kind: z.literal('requeue') }),
  z.strictObject({
    kind: z.literal('time-limit'),
    /** Slurm counts whole minutes: rounded up. */
    timeLimitSeconds: z
      .int()
      .min(1)
      .max(365 * 86_400),
  }),
  z.strictObject({ kind: z.literal('nice'), nice: z.int().min(-MAX_NICE).max(MAX_NICE) }),
]);

export type JobAction = z.output<typeof jobActionSchema>;

/** Changes some jobs of a campaign. */
export const controlRequestSchema = z.strictObject({
  jobKeys: z.array(jobKeySchema).min(1).max(MAX_CONTROLLED_JOBS),
  action: jobActionSchema,
  requestedBy: sentenceSchema.optional(),
});

export type ControlRequest = z.output<typeof controlRequestSchema>;

/** What became of an action at one job. `absent`: Slurm does not have it, or no longer. */
export type ControlOutcome =
  | { readonly jobKey: string; readonly status: 'done' | 'absent' }
  /** The message is Slurm's own. */
  | { readonly jobKey: string; readonly status: 'refused'; readonly message: string };
