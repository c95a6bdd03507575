import { stringify } from 'yaml';
import { architectureOf } from './architecture.ts';
import type { ClusterConfigurationInput, DeploymentSettings } from './cluster-configuration-input.ts';
import type { ClusterSpec } from './cluster-spec.ts';
import { headNodeInstanceType } from './head-node.ts';
import type { LogRetentionDays } from './log-retention.ts';
import { DEFAULT_OPERATING_SYSTEM } from './operating-systems.ts';
import type { ClusterConfiguration, HeadNode } from './pcluster-document.ts';
import { computeNodeSetUp, headNodeSetUp } from './pcluster-node-setup.ts';
import { renderQueue } from './pcluster-queue.ts';
import { renderSlurmSettings } from './pcluster-slurm-settings.ts';
import { renderStorage } from './pcluster-storage.ts';
import { deploymentTags, toTagList } from './resource-tags.ts';

/** The release of ParallelCluster whose provider the installation has (infra/provider.yaml); images must be of it. */
export const PARALLELCLUSTER_RELEASE = '3.16';

const DEFAULT_LOG_RETENTION_DAYS: LogRetentionDays = 90;

/**
 * The ParallelCluster configuration of one deployment. There are no login nodes: jobs come through this service, and whoever
 * may log in does so on the head node. Metadata is always IMDSv2's.
 *
 * @throws RangeError for a file system that the installation does not allow.
 */
export function renderClusterConfiguration(input: ClusterConfigurationInput): ClusterConfiguration {
  const { spec, deployment, settings, subnetId } = input;
  const setUp = computeNodeSetUp(input);
  const networking = {
    SubnetIds: [subnetId],
    ...additionalSecurityGroups(settings.additionalSecurityGroupIds),
    AssignPublicIp: false,
  } as const;
  return {
    Region: settings.region,
    Image: renderImage(spec, settings),
    Imds: { ImdsSupport: 'v2.0' },
    ...(settings.permissionsBoundaryArn && {
      Iam: { PermissionsBoundary: settings.permissionsBoundaryArn },
    }),
    HeadNode: renderHeadNode(input),
    Scheduling: {
      Scheduler: 'slurm',
      // A parallel job that gets only some of its nodes would pay for them while it waits.
      ScalingStrategy: 'all-or-nothing',
      SlurmSettings: renderSlurmSettings(input),
      SlurmQueues: spec.queues.map((queue) => renderQueue(queue, networking, setUp)),
    },
    ...renderStorage(input),
    Monitoring: renderMonitoring(spec, settings),
    Tags: toTagList(deploymentTags(deployment)),
  };
}

/** The installation's image is for the default operating system on x86_64; for anything else it would be a wrong one. */
export function renderImage(
  spec: ClusterSpec,
  settings: Pick<DeploymentSettings, 'customAmi'>,
): ClusterConfiguration['Image'] {
  const { os = DEFAULT_OPERATING_SYSTEM } = spec;
  const isDefault =
    os === DEFAULT_OPERATING_SYSTEM && architectureOf(headNodeInstanceType(spec)) === 'x86_64';
  const customAmi = spec.customAmi ?? (isDefault ? settings.customAmi : undefined);
  return { Os: os, ...(customAmi && { CustomAmi: customAmi }) };
}

function renderHeadNode(input: ClusterConfigurationInput): HeadNode {
  const { spec, settings, subnetId, adminKeyName } = input;
  const { additionalSecurityGroupIds = [], headNodeSecurityGroupIds = [] } = settings;
  const rootVolume = spec.headNode?.rootVolumeGibibytes;
  return {
    InstanceType: headNodeInstanceType(spec),
    Networking: {
      SubnetId: subnetId,
      ...additionalSecurityGroups([...additionalSecurityGroupIds, ...headNodeSecurityGroupIds]),
    },
    ...(rootVolume !== undefined && { LocalStorage: { RootVolume: { Size: rootVolume } } }),
    // ParallelCluster's default lets the whole VPC in, and with it the clusters of other tenants.
    Ssh: { KeyName: adminKeyName, AllowedIps: settings.sshAllowedCidr },
    ...headNodeSetUp(input),
  };
}

/** ParallelCluster refuses an empty list. */
function additionalSecurityGroups(ids: readonly string[] = []): {
  readonly AdditionalSecurityGroups?: readonly string[];
} {
  return ids.length > 0 ? { AdditionalSecurityGroups: ids } : {};
}

/** What CloudWatch gets of a cluster. */
export function renderMonitoring(
  { cloudWatch }: ClusterSpec,
  { logRetentionDays = DEFAULT_LOG_RETENTION_DAYS }: Pick<DeploymentSettings, 'logRetentionDays'>,
): ClusterConfiguration['Monitoring'] {
  return {
    Logs: {
      CloudWatch: {
        RetentionInDays: cloudWatch?.retentionDays ?? logRetentionDays,
        DeletionPolicy: 'Retain',
      },
    },
    ...(cloudWatch?.dashboard !== undefined && {
      Dashboards: { CloudWatch: { Enabled: cloudWatch.dashboard } },
    }),
  };
}

/** The text that `pcluster create-cluster --cluster-configuration` takes. */
export function toYaml(configuration: ClusterConfiguration): string {
  return stringify(configuration, {
    aliasDuplicateObjects: false,
    lineWidth: 0,
    singleQuote: true,
    // ParallelCluster reads 1.1, in which `yes` and `12:30` are no strings.
    version: '1.1',
  });
}
