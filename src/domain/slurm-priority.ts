/** slurm.h: `NICE_OFFSET` (0x80000000) less the 3 values that have a meaning of their own. */
export const MAX_NICE = 2_147_483_645;

/**
 * Lines of slurm.conf that give every job a priority from which `nice` takes away, and to which a negative one adds. With
 * ParallelCluster's own all weights are 0: every job has priority 1, which nothing lowers (seen with 24.11).
 *
 * All partitions have the same factor, so this weight is the priority of every job: half of what 32 bits hold, so that no
 * nice value meets an end of the range. Jobs of equal priority start in the order of their ids, first come first served.
 * Neither age nor size counts: otherwise the effect of a nice value would depend on when a job came.
 */
export const slurmPrioritySettings: readonly Readonly<Record<string, string>>[] = [
  { PriorityType: 'priority/multifactor' },
  { PriorityWeightPartition: String(2 ** 31) },
];
