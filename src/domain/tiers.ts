import type { QueueInput } from './queue.ts';

export const tierNames = [
  'debug',
  'prod-mpi',
  'mixed-prod-mpi',
  'prod-mpi-intel',
  'prod-mpi-mem',
  'prod-mpi-hpc',
  'prod-batch',
] as const;

export type Tier = (typeof tierNames)[number];

/** The platform's presets. Each has one queue, named like the tier. */
export const tiers: Readonly<Record<Tier, { readonly queues: readonly QueueInput[] }>> = {} as never;
