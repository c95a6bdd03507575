/**
 * Slurm's job states as `squeue`, `sacct` and slurmrestd spell them (squeue(1), "JOB STATE CODES", Slurm 24.11;
 * `job_states` in slurm.h). A job can carry several flags at once (RUNNING with CONFIGURING and POWER_UP_NODE).
 */
export const slurmBaseStates = [
  'PENDING',
  'RUNNING',
  'SUSPENDED',
  'COMPLETED',
  'CANCELLED',
  'FAILED',
  'TIMEOUT',
  'NODE_FAIL',
  'PREEMPTED',
  'BOOT_FAIL',
  'DEADLINE',
  'OUT_OF_MEMORY',
] as const;

export const slurmStateFlags = [
  'LAUNCH_FAILED',
  'REQUEUED',
  'REQUEUE_HOLD',
  'SPECIAL_EXIT',
  'RESIZING',
  'CONFIGURING',
  'COMPLETING',
  'STOPPED',
  'RECONFIG_FAIL',
  'POWER_UP_NODE',
  'REVOKED',
  'REQUEUE_FED',
  'RESV_DEL_HOLD',
  'SIGNALING',
  'STAGE_OUT',
] as const;

export type SlurmBaseState = (typeof slurmBaseStates)[number];
export type SlurmStateFlag = (typeof slurmStateFlags)[number];

/**
 * What a job is doing, in the caller's terms. `unknown` is never an end: it says that we are blind or that Slurm
 * named a state that this version does not know.
 */
export const jobStates = [
  'waiting',
  'submitting',
  'pending',
  'running',
  'suspended',
  'completing',
  'succeeded',
  'failed',
  'cancelled',
  'timed-out',
  'rejected',
  'unknown',
] as const;

export type JobState = (typeof jobStates)[number];

const terminal: ReadonlySet<JobState> = new Set([
  'succeeded',
  'failed',
  'cancelled',
  'timed-out',
  'rejected',
]);

/** Whether a job in this state has ended for good. */
export function isTerminal(state: JobState): boolean {
  return terminal.has(state);
}
