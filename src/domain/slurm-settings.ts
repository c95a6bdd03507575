import { z } from 'zod';

/**
 * Words of `SchedulerParameters` that change only how eagerly Slurm looks for jobs to start (slurm.conf(5)). Others reach
 * into what ParallelCluster or this service rely on.
 */
const schedulerParameters = [
  'bf_continue',
  'bf_interval',
  'bf_job_part_count_reserve',
  'bf_max_job_array_resv',
  'bf_max_job_part',
  'bf_max_job_start',
  'bf_max_job_test',
  'bf_max_job_user',
  'bf_max_time',
  'bf_min_age_reserve',
  'bf_resolution',
  'bf_window',
  'default_queue_depth',
  'max_rpc_cnt',
  'partition_job_depth',
  'sched_interval',
] as const;

/** Those that stand without a value. */
const flags: readonly string[] = ['bf_continue'];

/**
 * Settings of slurm.conf that a caller may choose: none that ParallelCluster denies (`SLURM_SETTINGS_DENY_LIST`,
 * aws-parallelcluster 3.16), and none that decides how jobs are found, accounted for or set up, which is the service's.
 */
export const slurmSettingsSchema = z
  .strictObject({
    memoryBasedScheduling: z
      .boolean()
      .optional()
      .meta({
        description:
          'Whether memory is handed out to jobs like CPUs (`EnableMemoryBasedScheduling`); true if absent. Without it ' +
          'jobs on one node share its memory, whatever they asked for.',
      }),
    defaultMemoryMebibytesPerCpu: z.int().min(1).max(16_777_216).optional().meta({
      description:
        'Memory of a job that asks for none, in MiB (`DefMemPerCPU`); all memory of its nodes if absent.',
    }),
    killWaitSeconds: z.int().min(0).max(3600).optional().meta({
      description: 'Between SIGTERM and SIGKILL at a time limit (`KillWait`); 30 s if absent.',
    }),
    overTimeLimitSeconds: z.int().min(60).max(86_400).multipleOf(60).optional().meta({
      description:
        'How far jobs may exceed their time limit (`OverTimeLimit`), in whole minutes; not at all if absent.',
    }),
    completeWaitSeconds: z.int().min(0).max(65_535).optional().meta({
      description: 'How long jobs of lower priority wait for nodes of one that is ending (`CompleteWait`).',
    }),
    maxStepCount: z.int().min(1).max(1_000_000).optional().meta({
      description: 'Most steps of a job (`MaxStepCount`); 40,000 if absent.',
    }),
    schedulerParameters: z
      .partialRecord(z.enum(schedulerParameters), z.int().min(0).max(31_536_000))
      .optional()
      .meta({
        description:
          'Words of `SchedulerParameters` and their values, as slurm.conf(5) has them; `bf_continue` is on with 1.',
      }),
  })
  .superRefine(({ memoryBasedScheduling, defaultMemoryMebibytesPerCpu }, context) => {
    if (memoryBasedScheduling === false && defaultMemoryMebibytesPerCpu !== undefined)
      context.addIssue({
        code: 'custom',
        path: ['defaultMemoryMebibytesPerCpu'],
        message: 'has no effect without memoryBasedScheduling: leave one of the two out',
      });
  });

export type SlurmSettingsSpec = z.output<typeof slurmSettingsSchema>;

/** Lines of slurm.conf for what a specification chose. */
export function chosenSlurmSettings(chosen: SlurmSettingsSpec = {}): Record<string, string>[] {
  const { overTimeLimitSeconds } = chosen;
  const lines = {
    DefMemPerCPU: chosen.defaultMemoryMebibytesPerCpu,
    KillWait: chosen.killWaitSeconds,
    OverTimeLimit: overTimeLimitSeconds === undefined ? undefined : overTimeLimitSeconds / 60,
    CompleteWait: chosen.completeWaitSeconds,
    MaxStepCount: chosen.maxStepCount,
    SchedulerParameters: parameterText(chosen.schedulerParameters ?? {}),
  };
  return Object.entries(lines).flatMap(([name, value]) =>
    value === undefined ? [] : [{ [name]: String(value) }],
  );
}

function parameterText(words: Readonly<Record<string, number | undefined>>): string | undefined {
  const text = Object.entries(words)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([word, value]) => {
      if (value === undefined || (flags.includes(word) && value === 0)) return [];
      return [flags.includes(word) ? word : `${word}=${value}`];
    })
    .join(',');
  return text === '' ? undefined : text;
}
