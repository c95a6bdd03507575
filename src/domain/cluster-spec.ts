import { z } from 'zod';
import { campaignNeedsSchema } from './campaign-needs.ts';
import { type ComputeResource, type Queue, queueSchema } from './queue.ts';
import { type LustreSpec, lustreSpecSchema } from './lustre.ts';
import { type SlurmApiSpec, slurmApiSpecSchema } from './slurm-api-spec.ts';
import { type Tier, tierNames, tiers } from './tiers.ts';

/** ParallelCluster's limit on compute resources of a whole cluster (aws-parallelcluster 3.16, `MAX_COMPUTE_RESOURCES_PER_CLUSTER`). */
const MAX_COMPUTE_RESOURCES = 50;

function refuseDuplicates(names: string[], path: (string | number)[], context: z.core.$RefinementCtx): void {
  for (const [index, name] of names.entries()) {
    if (names.indexOf(name) < index) {
      context.addIssue({
        code: 'custom',
        path: [...path, index, 'name'],
        message: `\`${name}\` is used twice`,
      });
    }
  }
}

/** What a caller may ask for: a tier, explicit queues, or what a campaign needs; and how long the cluster may live. */
export const clusterSpecInputSchema = z
  .strictObject({
    tier: z.enum(tierNames).optional(),
    queues: z.array(queueSchema).min(1).max(50).optional(),
    /** What a campaign needs, from which queues and storage are planned. */
    needs: campaignNeedsSchema.optional(),
    /** The cluster goes when nothing ran or could run on it for this long. */
    idleTimeoutSeconds: z
      .int()
      .min(5)
      .max(7 * 86_400)
      .default(1800),
    /** The cluster goes after this long in any case, its jobs having been told. */
    maxLifetimeSeconds: z
      .int()
      .min(600)
      .max(90 * 86_400)
      .default(7 * 86_400),
    slurmApi: slurmApiSpecSchema.optional(),
    /** A file system of Amazon FSx for Lustre at `/data`, linked with S3. */
    lustre: lustreSpecSchema.optional(),
    /**
     * A node that has run no job for this long is powered down (ParallelCluster's `ScaledownIdletime`, which counts
     * whole minutes and is 10 minutes if absent); those of minCount never are.
     */
    scaledownIdleTimeSeconds: z.int().min(60).max(86_400).multipleOf(60).optional(),
  })
  .superRefine((spec, context) => {
    if ([spec.tier, spec.queues, spec.needs].filter((each) => each !== undefined).length !== 1) {
      context.addIssue({
        code: 'custom',
        path: ['tier'],
        message: 'give one of `tier`, `queues` and `needs`',
      });
    }
    if (spec.needs && spec.lustre) {
      context.addIssue({ code: 'custom', path: ['lustre'], message: 'is planned; say it in `needs.lustre`' });
    }
    if (!spec.queues) return;
    refuseDuplicates(
      spec.queues.map(({ name }) => name),
      ['queues'],
      context,
    );
    for (const [index, queue] of spec.queues.entries()) {
      refuseDuplicates(
        queue.computeResources.map(({ name }) => name),
        ['queues', index, 'computeResources'],
        context,
      );
      for (const [position, resource] of queue.computeResources.entries()) {
        if (resource.minCount > resource.maxCount) {
          context.addIssue({
            code: 'custom',
            path: ['queues', index, 'computeResources', position, 'minCount'],
            message: 'must not exceed maxCount',
          });
        }
      }
    }
    const total = spec.queues.reduce((sum, queue) => sum + queue.computeResources.length, 0);
    if (total > MAX_COMPUTE_RESOURCES) {
      context.addIssue({
        code: 'custom',
        path: ['queues'],
        message: `ParallelCluster allows ${MAX_COMPUTE_RESOURCES} compute resources in a cluster, these are ${total}`,
      });
    }
  });

export type ClusterSpecInput = z.input<typeof clusterSpecInputSchema>;

/** A specification with every default and the tier's queues filled in: what is stored, compared and rendered. */
export interface ClusterSpec {
  readonly tier: Tier | 'custom';
  readonly queues: readonly Queue[];
  readonly idleTimeoutSeconds: number;
  readonly maxLifetimeSeconds: number;
  /** Absent where the cluster is to have no Slurm REST API. */
  readonly slurmApi?: SlurmApiSpec;
  /** Absent where the cluster is to have no Lustre file system. */
  readonly lustre?: LustreSpec;
  readonly scaledownIdleTimeSeconds?: number;
}

/** A specification without the details of its queues. */
export interface ClusterSpecSummary extends Omit<ClusterSpec, 'queues'> {
  readonly queueNames: readonly string[];
}

export function summarizeSpec({ queues, ...rest }: ClusterSpec): ClusterSpecSummary {
  return { ...rest, queueNames: queues.map(({ name }) => name) };
}

/**
 * Fills in what the caller left out. The result does not change when a later release changes a tier.
 *
 * @throws RangeError for needs, which are to be planned before.
 */
export function resolveClusterSpec(input: z.output<typeof clusterSpecInputSchema>): ClusterSpec {
  const { tier, queues, idleTimeoutSeconds, maxLifetimeSeconds, slurmApi, lustre, scaledownIdleTimeSeconds } =
    input;
  if (!tier && !queues) throw new RangeError('needs are not planned yet');
  return {
    tier: tier ?? 'custom',
    queues: tier ? z.array(queueSchema).parse(tiers[tier].queues) : (queues ?? []),
    idleTimeoutSeconds,
    maxLifetimeSeconds,
    ...(slurmApi && { slurmApi }),
    ...(lustre && { lustre }),
    ...(scaledownIdleTimeSeconds !== undefined && { scaledownIdleTimeSeconds }),
  };
}

/** One difference between two specifications, for a caller who must decide which one to keep. */
export interface SpecDifference {
  /** Path of the field, e.g. `queues.0.computeResources.0.maxCount`. */
  readonly path: string;
  readonly existing: unknown;
  readonly requested: unknown;
}

/** Every leaf in which two specifications differ; empty when they are the same. */
export function diffSpecs(existing: unknown, requested: unknown, path = ''): SpecDifference[] {
  if (Object.is(existing, requested)) return [];
  if (!isContainer(existing) || !isContainer(requested)) return [{ path, existing, requested }];
  const keys = new Set([...Object.keys(existing), ...Object.keys(requested)]);
  return [...keys].flatMap((key) => diffSpecs(existing[key], requested[key], path ? `${path}.${key}` : key));
}

function isContainer(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/**
 * Whether a cluster of one specification can run what was meant for another: it has every queue that is asked for,
 * of the same instance types, at least as large, and alike in what jobs can feel. Who asks for Slurm's REST API gets one
 * that accepts the tokens that were asked for, and nobody else's.
 */
export function coversSpec(existing: ClusterSpec, asked: ClusterSpec): boolean {
  return (
    (asked.lustre === undefined ||
      (existing.lustre !== undefined &&
        existing.lustre.sizeGibibytes >= asked.lustre.sizeGibibytes &&
        existing.lustre.throughputMegabytesPerSecondPerTebibyte >=
          asked.lustre.throughputMegabytesPerSecondPerTebibyte)) &&
    (asked.slurmApi === undefined || asked.slurmApi.trust === existing.slurmApi?.trust) &&
    asked.queues.every((queue) => existing.queues.some((candidate) => coversQueue(candidate, queue)))
  );
}

function coversQueue(existing: Queue, asked: Queue): boolean {
  const { computeResources, ...rest } = asked;
  const { computeResources: have, ...existingRest } = existing;
  return (
    diffSpecs(existingRest, rest).length === 0 &&
    // One that exists stands for one that is asked for, not for two.
    computeResources.every(
      (resource) => countAsGood(have, resource) >= countAsGood(computeResources, resource),
    )
  );
}

/** How many of these are as large as this one and otherwise alike. */
function countAsGood(resources: readonly ComputeResource[], than: ComputeResource): number {
  const kind = (resource: ComputeResource) => ({ ...resource, maxCount: 0, minCount: 0, name: '' });
  return resources.filter(
    (each) => each.maxCount >= than.maxCount && diffSpecs(kind(each), kind(than)).length === 0,
  ).length;
}
