import { z } from 'zod';
import { campaignNeedsSchema } from './campaign-needs.ts';
import { type ClusterOptions, clusterOptionsSchema } from './cluster-options.ts';
import { fallbackIssues } from './fallback-tiers.ts';
import { sizeIssues, specIssues } from './cluster-spec-rules.ts';
import type { Issue } from './queue-rules.ts';
import type { ClusterSpec } from './cluster-spec.ts';
import { lustreSpecSchema } from './lustre.ts';
import { DEFAULT_OPERATING_SYSTEM } from './operating-systems.ts';
import { type Queue, queueSchema } from './queue.ts';
import { slurmApiSpecSchema } from './slurm-api-spec.ts';
import { tierNames, tiers } from './tiers.ts';

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
    ...clusterOptionsSchema.shape,
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
    if (spec.needs && spec.s3Mounts && spec.needs.lustre !== 'no') {
      const message = 'is for clusters without Lustre: say `no` in `needs.lustre` as well';
      context.addIssue({ code: 'custom', path: ['s3Mounts'], message });
    }
    const checked = { ...spec, queues: askedQueues(spec) };
    const add = ({ path, message }: Issue) => {
      context.addIssue({ code: 'custom', path: [...path], message });
    };
    specIssues(checked).forEach(add);
    fallbackIssues(checked).forEach(add);
    if (context.issues.length === 0) sizeIssues(checked).forEach(add);
  });

export type ClusterSpecInput = z.input<typeof clusterSpecInputSchema>;

/** Who says that nodes are shared says nothing. */
function withoutDefaults({ exclusiveNodes, ...queue }: Queue): Queue {
  return { ...queue, ...(exclusiveNodes && { exclusiveNodes }) };
}

/** Undefined for needs, which are to be planned before. */
function askedQueues({ tier, queues }: Pick<z.output<typeof clusterSpecInputSchema>, 'tier' | 'queues'>) {
  return tier ? z.array(queueSchema).parse(tiers[tier].queues) : queues;
}

/**
 * Fills in what the caller left out. The result does not change when a later release changes a tier.
 *
 * @throws RangeError for needs, which are to be planned before.
 */
export function resolveClusterSpec(input: z.output<typeof clusterSpecInputSchema>): ClusterSpec {
  const { tier, idleTimeoutSeconds, maxLifetimeSeconds, slurmApi, lustre, scaledownIdleTimeSeconds } = input;
  const queues = askedQueues(input);
  if (!queues) throw new RangeError('needs are not planned yet');
  return {
    tier: tier ?? 'custom',
    queues: queues.map(withoutDefaults),
    idleTimeoutSeconds,
    maxLifetimeSeconds,
    ...(slurmApi && { slurmApi }),
    ...(lustre && { lustre }),
    ...(scaledownIdleTimeSeconds !== undefined && { scaledownIdleTimeSeconds }),
    ...chosenOptions(input),
  };
}

/**
 * What of the options was chosen. One that is undefined or empty, or says what is so in any case, is as good as absent, but
 * would not be equal to it.
 */
function chosenOptions(input: z.output<typeof clusterOptionsSchema>): ClusterOptions {
  const {
    os = DEFAULT_OPERATING_SYSTEM,
    customAmi,
    headNode,
    customActions,
    fallbackTiers,
    s3Mounts,
    fileSystems,
  } = input;
  const { memoryBasedScheduling = true, ...settings } = input.slurmSettings ?? {};
  const { dashboard = true, ...logs } = input.cloudWatch ?? {};
  const slurmSettings = { ...settings, ...(!memoryBasedScheduling && { memoryBasedScheduling }) };
  const cloudWatch = { ...logs, ...(!dashboard && { dashboard }) };
  return {
    ...(os !== DEFAULT_OPERATING_SYSTEM && { os }),
    ...(customAmi && { customAmi }),
    ...(hasFields(headNode) && { headNode }),
    ...(hasFields(slurmSettings) && { slurmSettings }),
    ...(hasFields(cloudWatch) && { cloudWatch }),
    ...(customActions && { customActions }),
    ...(fallbackTiers && { fallbackTiers }),
    ...(s3Mounts && { s3Mounts }),
    // In one order, because the order of mounts says nothing.
    ...(fileSystems && { fileSystems: fileSystems.toSorted((a, b) => (a.id < b.id ? -1 : 1)) }),
  };
}

function hasFields(value: object | undefined): value is object {
  return value !== undefined && Object.values(value).some((field) => field !== undefined);
}
