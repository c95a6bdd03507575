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

type ComputeResourceInput = QueueInput['computeResources'][number];

/** Up to `maxCount` nodes of one instance type, which also names the compute resource: `c7a.48xlarge`, `c7a-48xlarge`. */
function nodes(
  instanceType: string,
  maxCount: number,
  options: Pick<ComputeResourceInput, 'efa' | 'multithreading'> = {},
): ComputeResourceInput {
  return { name: instanceType.replaceAll('.', '-'), instanceType, maxCount, ...options };
}

/** A queue for tightly coupled jobs: its nodes close together, joined by EFA. */
const mpi = { placementGroup: true } as const;
const efa = { efa: true } as const;
/** Only the Intel types and c6a have two threads per core: AMD's from c7a and m7a on have one, and so has hpc7a. */
const efaOneThreadPerCore = { efa: true, multithreading: false } as const;

/** The platform's presets. Each has one queue, named like the tier, of on-demand instances. */
export const tiers: Readonly<Record<Tier, { readonly queues: readonly [QueueInput] }>> = {
  debug: {
    queues: [{ name: 'debug', computeResources: [nodes('t3.micro', 8)], maxTimeSeconds: 86_400 }],
  },
  'prod-mpi': {
    queues: [
      {
        name: 'prod-mpi',
        ...mpi,
        computeResources: [nodes('c7a.48xlarge', 20, efa)],
        maxTimeSeconds: 720 * 60,
      },
    ],
  },
  'mixed-prod-mpi': {
    queues: [
      {
        name: 'mixed-prod-mpi',
        ...mpi,
        computeResources: [nodes('c7a.48xlarge', 20, efa), nodes('c6a.48xlarge', 20, efaOneThreadPerCore)],
      },
    ],
  },
  'prod-mpi-intel': {
    queues: [
      {
        name: 'prod-mpi-intel',
        ...mpi,
        computeResources: [nodes('c7i.48xlarge', 20, efaOneThreadPerCore)],
      },
    ],
  },
  'prod-mpi-mem': {
    queues: [
      {
        name: 'prod-mpi-mem',
        ...mpi,
        computeResources: [nodes('m7a.48xlarge', 20, efa), nodes('m7i.48xlarge', 20, efaOneThreadPerCore)],
      },
    ],
  },
  'prod-mpi-hpc': {
    queues: [
      {
        name: 'prod-mpi-hpc',
        ...mpi,
        computeResources: [nodes('hpc7a.96xlarge', 20, efa)],
      },
    ],
  },
  'prod-batch': {
    queues: [
      {
        name: 'prod-batch',
        computeResources: [nodes('m5.8xlarge', 16), nodes('c7a.48xlarge', 10)],
        maxTimeSeconds: 120 * 60,
        maxNodesPerJob: 4,
      },
    ],
  },
};
