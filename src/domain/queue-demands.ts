import { z } from 'zod';
import type { ClusterSpec } from './cluster-spec.ts';
import type { JobSpec } from './job.ts';
import type { FieldProblem } from './lifetime.ts';
import { parallelClusterNameSchema, type Queue } from './queue.ts';

/** The most that jobs of a campaign ask of a queue, and which job does. */
export const queueDemandSchema = z.strictObject({
  /** Place of the job in the campaign's body, from 0 on. */
  index: z.int().min(0),
  jobKey: z.string(),
  /** The first one of the cluster if absent. */
  queue: parallelClusterNameSchema.optional(),
  field: z.enum(['nodes', 'timeLimitSeconds']),
  value: z.int().min(1),
});

export type QueueDemand = z.output<typeof queueDemandSchema>;

/** What asks for no more than this asks for nothing that a queue could lack. */
const least = { nodes: 1, timeLimitSeconds: 0 } as const;
const fields = ['nodes', 'timeLimitSeconds'] as const;

/** Two for each queue that jobs name at most, however many jobs there are. */
export function demandsOf(
  jobs: readonly Pick<JobSpec, 'key' | 'queue' | 'nodes' | 'timeLimitSeconds'>[],
): QueueDemand[] {
  const most = new Map<string, QueueDemand>();
  for (const [index, job] of jobs.entries()) {
    for (const field of fields) {
      const { [field]: value, key: jobKey, queue } = job;
      const name = `${field} ${queue ?? ''}`;
      if (value === undefined || value <= (most.get(name)?.value ?? least[field])) continue;
      most.set(name, { index, jobKey, ...(queue !== undefined && { queue }), field, value });
    }
  }
  return [...most.values()];
}

/**
 * What of this no limit of the cluster's queues ever allows: Slurm would let such a job wait for ever (PartitionTimeLimit,
 * PartitionNodeLimit) and its campaign with it, or refuse it. Queues that the cluster does not have are another problem.
 */
export function neverAllowed(
  { queues }: ClusterSpec,
  demands: readonly QueueDemand[],
): FieldProblem | undefined {
  for (const { index, jobKey, queue: name, field, value } of demands) {
    const queue = name === undefined ? queues[0] : queues.find((each) => each.name === name);
    const limit = queue && limitOf(queue, field);
    if (limit === undefined || value <= limit.most) continue;
    const reason = `the job \`${jobKey}\` could never run: ${limit.words}, not ${value}`;
    return { path: `jobs.${index}.${field}`, reason };
  }
  return undefined;
}

function limitOf(
  { name, maxTimeSeconds, maxNodesPerJob, computeResources }: Queue,
  field: QueueDemand['field'],
): { readonly most: number; readonly words: string } | undefined {
  if (field === 'timeLimitSeconds') {
    if (maxTimeSeconds === undefined) return undefined;
    return { most: maxTimeSeconds, words: `the queue \`${name}\` gives a job ${maxTimeSeconds} s at most` };
  }
  const nodes = computeResources.reduce((sum, { maxCount }) => sum + maxCount, 0);
  return maxNodesPerJob !== undefined && maxNodesPerJob < nodes
    ? { most: maxNodesPerJob, words: `the queue \`${name}\` gives a job ${maxNodesPerJob} nodes at most` }
    : { most: nodes, words: `the queue \`${name}\` has ${nodes} nodes at most` };
}
