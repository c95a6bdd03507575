/** Of a job that says nothing else. Missing capacity requeues a job every 10 minutes (ParallelCluster's `insufficient_capacity_timeout`). */
export const DEFAULT_REQUEUE_LIMIT = 10;
