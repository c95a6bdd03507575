/** CloudWatch's periods as far as ParallelCluster takes them, in days; its 0 (for ever) is left out on purpose. */
export const logRetentionDays = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1827, 3653,
] as const;

export type LogRetentionDays = (typeof logRetentionDays)[number];
