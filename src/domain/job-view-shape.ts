import { z } from 'zod';
import type { JobView } from './campaign-view.ts';
import { pendingCauses } from './slurm-reasons.ts';
import { jobStates } from './slurm-states.ts';

/** The fields of a job's view as they are stored, all of them: one that is missing here would be lost on the way. */
export const jobViewShape = {
  key: z.string(),
  arrayKey: z.string().optional(),
  arrayTaskId: z.int().optional(),
  state: z.enum(jobStates),
  reason: z.string(),
  nextStep: z.string().optional(),
  pendingCause: z.enum(pendingCauses).optional(),
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
} satisfies Record<keyof JobView, z.ZodType>;
