import { z } from 'zod';
import { operatingSystems } from '../../domain/operating-systems.ts';
import type { HeadNodeSpec } from '../head-node/head-node-spec.ts';

const tagsSchema = z.array(z.object({ Key: z.string(), Value: z.string() })).default([]);

const customActionSchema = z.object({ Script: z.string(), Args: z.array(z.coerce.string()).default([]) });

const customActionsSchema = z.union([
  z.object({ Sequence: z.array(customActionSchema) }),
  customActionSchema,
]);

const computeResourceSchema = z.object({
  Name: z.string(),
  InstanceType: z.string().optional(),
  Instances: z.array(z.object({ InstanceType: z.string() })).optional(),
  /** ParallelCluster's defaults. */
  MinCount: z.coerce.number().int().default(0),
  MaxCount: z.coerce.number().int().default(10),
});

const queueSchema = z.object({
  Name: z.string(),
  CustomSlurmSettings: z.record(z.string(), z.coerce.string()).default({}),
  ComputeResources: z.array(computeResourceSchema),
});

/** The parts of a valid ParallelCluster configuration that a head node is made from. */
const configurationSchema = z.object({
  Image: z.object({ Os: z.enum(operatingSystems) }),
  Tags: tagsSchema,
  SharedStorage: z
    .array(
      z.object({
        MountDir: z.string(),
        StorageType: z.string(),
        FsxLustreSettings: z.object({ FileSystemId: z.string() }).optional(),
        EfsSettings: z.object({ FileSystemId: z.string(), AccessPointId: z.string().optional() }).optional(),
        FsxOpenZfsSettings: z.object({ VolumeId: z.string() }).optional(),
        FsxOntapSettings: z.object({ VolumeId: z.string() }).optional(),
      }),
    )
    .default([]),
  HeadNode: z.object({
    InstanceType: z.string(),
    Ssh: z.object({ KeyName: z.string() }),
    CustomActions: z
      .object({
        OnNodeStart: customActionsSchema.optional(),
        OnNodeConfigured: customActionsSchema.optional(),
      })
      .optional(),
  }),
  Scheduling: z.object({
    SlurmSettings: z
      .object({
        /** In minutes; ParallelCluster's default. */
        ScaledownIdletime: z.coerce.number().int().default(10),
        EnableMemoryBasedScheduling: z.union([z.boolean(), z.stringbool()]).default(false),
        CustomSlurmSettings: z.array(z.record(z.string(), z.coerce.string())).default([]),
      })
      .optional(),
    SlurmQueues: z.array(queueSchema),
  }),
});

/** What the stand-in takes from a configuration. */
export type ClusterConfiguration = z.infer<typeof configurationSchema>;
/** A custom action before its script is fetched. */
export type CustomActionReference = z.infer<typeof customActionSchema>;

/**
 * Reads a configuration that ParallelCluster's schema has accepted.
 *
 * @throws ZodError when it uses something that the stand-in cannot provide, such as a head node without SSH key.
 */
export function parseClusterConfiguration(configuration: object): ClusterConfiguration {
  return configurationSchema.parse(configuration);
}

/** The actions of a stage in order; ParallelCluster takes one or a `Sequence`. */
export function customActions(
  configuration: ClusterConfiguration,
  stage: 'OnNodeStart' | 'OnNodeConfigured',
): CustomActionReference[] {
  const actions = configuration.HeadNode.CustomActions?.[stage];
  if (actions === undefined) return [];
  return 'Sequence' in actions ? actions.Sequence : [actions];
}

/** Existing Lustre file systems and where they are to be mounted. */
export function lustreMounts({ SharedStorage }: ClusterConfiguration) {
  return SharedStorage.flatMap(({ MountDir, FsxLustreSettings }) =>
    FsxLustreSettings ? [{ fileSystemId: FsxLustreSettings.FileSystemId, target: MountDir }] : [],
  );
}

/** Access points of EFS and where they are to be mounted. */
export function efsMounts({ SharedStorage }: ClusterConfiguration) {
  return SharedStorage.flatMap(({ MountDir, EfsSettings }) =>
    EfsSettings?.AccessPointId === undefined
      ? []
      : [{ accessPointId: EfsSettings.AccessPointId, target: MountDir }],
  );
}

/** Volumes, and file systems of EFS as a whole, that existed before, and where they are to be mounted. */
export function attachedMounts({ SharedStorage }: ClusterConfiguration) {
  return SharedStorage.flatMap(({ MountDir, EfsSettings, FsxOpenZfsSettings, FsxOntapSettings }) => {
    const volume = FsxOpenZfsSettings ?? FsxOntapSettings;
    const id =
      volume?.VolumeId ?? (EfsSettings?.AccessPointId === undefined ? EfsSettings?.FileSystemId : undefined);
    return id === undefined ? [] : [{ id, target: MountDir }];
  });
}

/** Queues in the words of Slurm. */
export function headNodeQueues(configuration: ClusterConfiguration): HeadNodeSpec['queues'] {
  return configuration.Scheduling.SlurmQueues.map((queue) => {
    const maxTime = queue.CustomSlurmSettings['MaxTime'];
    const maxTimeSeconds = maxTime === undefined ? undefined : slurmTimeSeconds(maxTime);
    return {
      name: queue.Name,
      computeResources: queue.ComputeResources.map((resource) => ({
        name: resource.Name,
        instanceType: resource.InstanceType ?? resource.Instances?.[0]?.InstanceType ?? 'unknown',
        minCount: resource.MinCount,
        maxCount: resource.MaxCount,
      })),
      ...(maxTimeSeconds === undefined ? {} : { maxTimeSeconds }),
    };
  });
}

/** After how many minutes without a job nodes are powered down. */
export function scaledownIdleTimeMinutes({ Scheduling }: ClusterConfiguration): number | undefined {
  return Scheduling.SlurmSettings?.ScaledownIdletime;
}

/**
 * Settings for the whole of slurm.conf; later entries win, as the last line does there. Whether memory is scheduled
 * comes first, as in ParallelCluster's own slurm_parallelcluster.conf.
 */
export function clusterSlurmSettings(configuration: ClusterConfiguration): Record<string, string> {
  const { EnableMemoryBasedScheduling = false, CustomSlurmSettings = [] } =
    configuration.Scheduling.SlurmSettings ?? {};
  const SelectTypeParameters = EnableMemoryBasedScheduling ? 'CR_CPU_Memory' : 'CR_CPU';
  return Object.assign({ SelectTypeParameters }, ...CustomSlurmSettings);
}

/**
 * A time limit in Slurm's notations: `minutes`, `minutes:seconds`, `hours:minutes:seconds`, `days-hours`,
 * `days-hours:minutes`, `days-hours:minutes:seconds`. Undefined for UNLIMITED and INFINITE.
 *
 * https://slurm.schedmd.com/slurm.conf.html (MaxTime)
 */
export function slurmTimeSeconds(text: string): number | undefined {
  if (/^(unlimited|infinite|-1)$/i.test(text)) return undefined;
  const match = /^(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?$/.exec(text);
  if (match === null) throw new RangeError(`${JSON.stringify(text)} is not a time limit that Slurm knows`);
  const [days, ...rest] = match.slice(1).map((part) => (part === undefined ? undefined : Number(part)));
  const [first = 0, second, third] = rest;
  if (days !== undefined) return days * 86_400 + first * 3600 + (second ?? 0) * 60 + (third ?? 0);
  if (third !== undefined) return first * 3600 + (second ?? 0) * 60 + third;
  return first * 60 + (second ?? 0);
}

/**
 * The tags of the cluster: those of the outer stack, then the configuration's own, then the provider's, in the
 * order in which the official provider joins them. The configuration wins over the stack.
 */
export function mergedTags(
  stackTags: readonly { Key: string; Value: string }[],
  configuration: Readonly<Record<string, unknown>>,
): { Key: string; Value: string }[] {
  const own = tagsSchema.parse(configuration['Tags']);
  const inherited = stackTags.filter(
    ({ Key }) => !Key.startsWith('aws:') && !own.some((tag) => tag.Key === Key),
  );
  return [...inherited, ...own, { Key: 'parallelcluster:custom_resource', Value: 'cluster' }];
}
