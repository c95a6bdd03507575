import type { LogRetentionDays } from './log-retention.ts';
import type { OperatingSystem } from './operating-systems.ts';

/**
 * The part of a ParallelCluster 3.16 configuration that this service uses. Names and nesting are ParallelCluster's
 * (https://docs.aws.amazon.com/parallelcluster/latest/ug/cluster-configuration-file-v3.html).
 */
export interface ClusterConfiguration {
  readonly Region: string;
  readonly Image: { readonly Os: OperatingSystem; readonly CustomAmi?: string };
  readonly Imds: { readonly ImdsSupport: 'v2.0' };
  readonly Iam?: { readonly PermissionsBoundary: string };
  readonly HeadNode: HeadNode;
  readonly Scheduling: {
    readonly Scheduler: 'slurm';
    readonly ScalingStrategy: 'all-or-nothing';
    readonly SlurmSettings: SlurmSettings;
    readonly SlurmQueues: readonly SlurmQueue[];
  };
  readonly SharedStorage?: readonly SharedStorage[];
  readonly Monitoring: {
    readonly Logs: {
      readonly CloudWatch: { readonly RetentionInDays: LogRetentionDays; readonly DeletionPolicy: 'Retain' };
    };
    readonly Dashboards?: { readonly CloudWatch: { readonly Enabled: boolean } };
  };
  readonly Tags: readonly { readonly Key: string; readonly Value: string }[];
}

export interface HeadNode {
  readonly InstanceType: string;
  readonly Networking: { readonly SubnetId: string; readonly AdditionalSecurityGroups?: readonly string[] };
  /** In GiB. */
  readonly LocalStorage?: { readonly RootVolume: { readonly Size: number } };
  readonly Ssh: { readonly KeyName: string; readonly AllowedIps: string };
  readonly CustomActions: CustomActions;
  readonly Iam: NodeIam;
}

export interface SlurmSettings {
  readonly EnableMemoryBasedScheduling: boolean;
  readonly QueueUpdateStrategy: 'DRAIN';
  /** In minutes. */
  readonly ScaledownIdletime?: number;
  readonly Dns: { readonly DisableManagedDns: boolean; readonly UseEc2Hostnames: boolean };
  readonly Database?: {
    readonly Uri: string;
    readonly UserName: string;
    readonly PasswordSecretArn: string;
    readonly DatabaseName: string;
  };
  /** Lines of slurm.conf. */
  readonly CustomSlurmSettings: readonly Readonly<Record<string, string>>[];
}

export interface SlurmQueue {
  readonly Name: string;
  readonly CapacityType: 'ONDEMAND' | 'SPOT';
  readonly Networking: {
    readonly SubnetIds: readonly [string];
    readonly AdditionalSecurityGroups?: readonly string[];
    readonly AssignPublicIp: false;
    readonly PlacementGroup: { readonly Enabled: boolean };
  };
  readonly ComputeResources: readonly SlurmComputeResource[];
  readonly JobExclusiveAllocation?: boolean;
  /** Words of the queue's partition line in slurm.conf; times in minutes. */
  readonly CustomSlurmSettings?: {
    readonly DefaultTime?: number;
    readonly MaxTime?: number;
    readonly MaxNodes?: number;
  };
  readonly CustomActions: CustomActions;
  readonly Iam: NodeIam;
}

export interface SlurmComputeResource {
  readonly Name: string;
  readonly InstanceType: string;
  readonly MinCount: number;
  readonly MaxCount: number;
  readonly Efa: { readonly Enabled: boolean };
  readonly DisableSimultaneousMultithreading: boolean;
  readonly CapacityReservationTarget?:
    { readonly CapacityReservationId: string } | { readonly CapacityReservationResourceGroupArn: string };
}

export interface CustomAction {
  readonly Script: string;
  readonly Args: readonly string[];
}

export interface CustomActions {
  readonly OnNodeStart?: CustomAction;
  readonly OnNodeConfigured: CustomAction | { readonly Sequence: readonly CustomAction[] };
}

export interface NodeIam {
  readonly AdditionalIamPolicies: readonly [{ readonly Policy: PolicyArn }];
}

/** Known, or of a resource of the same template. */
export type PolicyArn = string | { readonly Ref: string };

/** What exists and is mounted, in the words of its type. */
export type StorageSettings =
  | {
      readonly StorageType: 'Efs';
      readonly EfsSettings: {
        readonly FileSystemId: string;
        readonly AccessPointId?: string;
        readonly EncryptionInTransit: true;
      };
    }
  | { readonly StorageType: 'FsxLustre'; readonly FsxLustreSettings: { readonly FileSystemId: string } }
  | { readonly StorageType: 'FsxOpenZfs'; readonly FsxOpenZfsSettings: { readonly VolumeId: string } }
  | { readonly StorageType: 'FsxOntap'; readonly FsxOntapSettings: { readonly VolumeId: string } };

export type SharedStorage = { readonly Name: string; readonly MountDir: string } & StorageSettings;
