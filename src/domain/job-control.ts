import { z } from 'zod';
import { jobKeySchema } from './ids.ts';
import { sentenceSchema } from './lifetime.ts';
import { MAX_NICE } from './slurm-priority.ts';

/** As many as one call to the head node changes well within its time. */
export const MAX_CONTROLLED_JOBS = 200;
/**
 * What can be done to a job that has not ended, in Slurm's words (scontrol(1)). Slurm lets the job's own user lower a time
 * limit and raise a nice value, and only its operators the reverse: then the head node's administrator does it.
 */
export const jobActionSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('hold') }).meta({
    description:
      'A job that waits does not start until it is released. Refused for a job that has its nodes: requeue it first.',
  }),
  z.strictObject({ kind: z.literal('release') }).meta({ description: 'A job that is held may start again.' }),
  z.strictObject({ kind: z.literal('requeue') }).meta({
    description:
      'A job that runs is ended and starts from the beginning when nodes are free, under the same id, its output going on ' +
      'where it was. Not counted by `requeueLimit`; refused where that is 0.',
  }),
  z
    .strictObject({
      kind: z.literal('time-limit'),
      timeLimitSeconds: z
        .int()
        .min(1)
        .max(365 * 86_400)
        .meta({ description: 'Since the job’s start, in seconds; rounded up to whole minutes.' }),
    })
    .meta({
      description:
        'Makes the job’s time limit shorter or longer. Refused beyond `maxTimeSeconds` of its queue.',
    }),
  z
    .strictObject({
      kind: z.literal('nice'),
      nice: z.int().min(-MAX_NICE).max(MAX_NICE).meta({
        description:
          'How much priority the job gives away: above 0 other jobs go first, below 0 it goes before jobs that came earlier.',
      }),
    })
    .meta({
      description:
        'Changes the order in which waiting jobs start. All begin with nice 0 and the same priority, which nice N lowers by ' +
        'N; of equal ones the one starts first that came first. A smaller job may start earlier where it keeps none waiting.',
    }),
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
