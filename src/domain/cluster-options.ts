import { z } from 'zod';
import { customActionsSchema } from './custom-actions.ts';
import { fileSystemsSchema } from './file-systems.ts';
import { logRetentionDays } from './log-retention.ts';
import { operatingSystems } from './operating-systems.ts';
import { instanceTypeNameSchema } from './queue.ts';
import { slurmSettingsSchema } from './slurm-settings.ts';
import { tierNames } from './tiers.ts';

/** The head node, where a caller wants another than the smallest that can manage the nodes of the queues. */
const headNodeSpecSchema = z.strictObject({
  instanceType: instanceTypeNameSchema.optional().meta({
    description:
      'The smallest of t3 (t4g beside nodes of arm64) that can manage as many nodes as the queues have, if absent.',
  }),
  rootVolumeGibibytes: z.int().min(50).max(16_384).optional().meta({
    description: 'Size of its disk (gp3); that of the image if absent.',
  }),
});

export type HeadNodeSpec = z.output<typeof headNodeSpecSchema>;

const cloudWatchSpecSchema = z.strictObject({
  retentionDays: z
    .literal(logRetentionDays)
    .optional()
    .meta({
      description:
        'How long CloudWatch keeps the system logs of the cluster, also after it is gone; `LOG_RETENTION_DAYS` if ' +
        'absent. Logs of jobs are kept as long as the installation says.',
    }),
  dashboard: z
    .boolean()
    .optional()
    .meta({ description: 'Whether CloudWatch has a dashboard of the cluster; true if absent.' }),
});

/** What a specification may choose beside queues, Lustre and times. Absent is what ParallelCluster or the installation say. */
export const clusterOptionsSchema = z.strictObject({
  os: z.enum(operatingSystems).optional().meta({ description: 'Of all nodes; alinux2023 if absent.' }),
  customAmi: z
    .string()
    .regex(/^ami-([0-9a-f]{8}|[0-9a-f]{17})$/, 'must be an AMI id such as ami-0123456789abcdef0')
    .optional()
    .meta({
      description:
        'Image of all nodes, made from that of ParallelCluster’s own version for `os`; that of the installation, or ' +
        'ParallelCluster’s own, if absent.',
    }),
  headNode: headNodeSpecSchema.optional(),
  slurmSettings: slurmSettingsSchema.optional(),
  cloudWatch: cloudWatchSpecSchema.optional(),
  customActions: customActionsSchema.optional(),
  fallbackTiers: z
    .array(z.enum(tierNames))
    .min(1)
    .max(3)
    .optional()
    .meta({
      description:
        'Tiers whose nodes the queue gets instead, in this order, if AWS has no capacity for those that it is to have in any ' +
        'availability zone of the pool, or the account no quota. The queue keeps its name and its limits.',
    }),
  fileSystems: fileSystemsSchema.optional(),
  s3Mounts: z
    .boolean()
    .optional()
    .meta({
      description:
        'Without `lustre`: the folders that it would have at `/data`, by Mountpoint for Amazon S3 (`project/public` to read, ' +
        '`project/private` to read and write) and in the job user’s home (`scratch`). Where homes are on no file system of ' +
        'their own (installations without EFS), `scratch` goes with the cluster: write what is to stay to `project/private`.',
    }),
});

export type ClusterOptions = z.output<typeof clusterOptionsSchema>;
