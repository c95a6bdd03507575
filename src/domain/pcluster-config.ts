import { MAX_ARRAY_INDEX } from './job-array.ts';
import { stringify } from 'yaml';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import type { ClusterSpec } from './cluster-spec.ts';
import type { SlurmApiTrust } from './slurm-api-spec.ts';
import type { Deployment } from './deployment.ts';
import { headNodeInstanceType } from './head-node.ts';
import type { EfsHome } from './home.ts';
import type {
  ClusterConfiguration,
  CustomAction,
  CustomActions,
  HeadNode,
  LogRetentionDays,
  NodeIam,
  SlurmComputeResource,
  SlurmQueue,
} from './pcluster-document.ts';
import { type LustreFileSystem, STORAGE_MOUNT_PATH, writablePaths } from './lustre.ts';
import type { ComputeResource, Queue } from './queue.ts';
import { deploymentTags, toTagList } from './resource-tags.ts';
import { parseS3ObjectUri } from './s3-uri.ts';
import { SLURM_API_PORT, slurmApiSettings } from './slurm-api.ts';
import { slurmPrioritySettings } from './slurm-priority.ts';

/** The user that every job runs as, without any right to administer the cluster. */
export const JOB_USER = 'sim';
/** One number on all nodes and in all epochs, because files in shared storage are owned by numbers. */
const JOB_USER_ID = 2000;

/** Where `assets/job-environment.sh` installs itself, below the folder that ParallelCluster exports to all nodes. */
const JOB_ENVIRONMENT_PROGRAM = '/opt/slurm/etc/parallelcluster-provisioner/job-environment';
const DEFAULT_LOG_RETENTION_DAYS: LogRetentionDays = 90;

/** What all clusters of an installation of this service have in common. */
export interface DeploymentSettings {
  readonly region: string;
  /** `s3://bucket/key` of `assets/create-job-user.sh`, where every node of every cluster can read it. */
  readonly jobUserScriptUri: string;
  /** `s3://bucket/key` of `assets/job-environment.sh`, which head nodes run. */
  readonly jobEnvironmentScriptUri: string;
  /** Where SSH to head nodes comes from, e.g. `10.0.0.0/16`: the network of the workers and the Workflow Service. */
  readonly sshAllowedCidr: string;
  /** On all nodes, beside the security groups that ParallelCluster makes for itself. */
  readonly additionalSecurityGroupIds?: readonly string[];
  /** On head nodes only, beside those: what reaches Slurm's API, SSH and the accounting database. */
  readonly headNodeSecurityGroupIds?: readonly string[];
  /** IAM policy that bounds every role that ParallelCluster makes for a cluster. */
  readonly permissionsBoundaryArn?: string;
  /** An image made from ParallelCluster's own; that one itself if none is given. */
  readonly customAmi?: string;
  /** The shared MariaDB of Slurm's accounting. Without it nobody learns how a job ended that has left the queue. */
  readonly slurmDatabase?: SlurmDatabase;
  /** How long CloudWatch keeps the logs of ParallelCluster and Slurm; they outlive the cluster. 90 if not given. */
  readonly logRetentionDays?: LogRetentionDays;
}

/** Where Slurm's accounting is kept; each cluster has a database of its own there. */
export interface SlurmDatabase {
  /** `host:port`. */
  readonly uri: string;
  readonly userName: string;
  /** Secrets Manager ARN with its suffix; the head node reads the secret, this service never does. */
  readonly passwordSecretArn: string;
}

export interface ClusterConfigurationInput {
  readonly spec: ClusterSpec;
  readonly deployment: Deployment;
  readonly settings: DeploymentSettings;
  readonly subnetId: string;
  /** EC2 key pair of the operating system's default user, who may use sudo. */
  readonly adminKeyName: string;
  /** OpenSSH form. */
  readonly jobUserPublicKey: string;
  /** The head node's own disk, exported to the compute nodes, if none is given. */
  readonly home?: EfsHome;
  /** Mounted at {@link STORAGE_MOUNT_PATH} on all nodes. */
  readonly lustre?: LustreFileSystem & {
    /** `s3://bucket/key` of `assets/storage-folders.sh`. */
    readonly scriptUri: string;
  };
  /** The cluster has no Slurm REST API if none is given. */
  readonly slurmApi?: SlurmApi;
}

/** Slurm's REST API of a cluster. */
export interface SlurmApi {
  readonly trust: SlurmApiTrust;
  /** `s3://bucket/key` of `assets/slurm-rest-api.sh`. */
  readonly scriptUri: string;
  /** Public halves of the keys whose tokens Slurm accepts, as `renderJwks` writes them. */
  readonly jwks: string;
}

/**
 * The ParallelCluster configuration of one deployment.
 *
 * @throws RangeError when the address of a script is not `s3://bucket/key`.
 */
export function renderClusterConfiguration(input: ClusterConfigurationInput): ClusterConfiguration {
  const { spec, deployment, settings, subnetId } = input;
  const shared = sharedByAllNodes(input);
  return {
    Region: settings.region,
    Image: { Os: 'alinux2023', ...(settings.customAmi && { CustomAmi: settings.customAmi }) },
    Imds: { ImdsSupport: 'v2.0' },
    ...(settings.permissionsBoundaryArn && {
      Iam: { PermissionsBoundary: settings.permissionsBoundaryArn },
    }),
    HeadNode: {
      InstanceType: headNodeInstanceType(spec.queues),
      Networking: {
        SubnetId: subnetId,
        ...additionalSecurityGroups([
          ...(settings.additionalSecurityGroupIds ?? []),
          ...(settings.headNodeSecurityGroupIds ?? []),
        ]),
      },
      // ParallelCluster's default lets the whole VPC in, and with it the clusters of other tenants.
      Ssh: { KeyName: input.adminKeyName, AllowedIps: settings.sshAllowedCidr },
      ...headNodeSetUp(shared.setUp, input),
    },
    Scheduling: {
      Scheduler: 'slurm',
      // A parallel job that gets only some of its nodes would pay for them while it waits.
      ScalingStrategy: 'all-or-nothing',
      SlurmSettings: {
        EnableMemoryBasedScheduling: true,
        QueueUpdateStrategy: 'DRAIN',
        ...(spec.scaledownIdleTimeSeconds !== undefined && {
          ScaledownIdletime: spec.scaledownIdleTimeSeconds / 60,
        }),
        // The private subnets have no endpoint for Route 53.
        Dns: { DisableManagedDns: true, UseEc2Hostnames: true },
        ...(settings.slurmDatabase && {
          Database: renderDatabase(settings.slurmDatabase, deployment.clusterName),
        }),
        // An ended job is known by its comment: accounting keeps none unless told to.
        CustomSlurmSettings: [
          { MpiDefault: 'pmi2' },
          { TaskProlog: JOB_ENVIRONMENT_PROGRAM },
          { AccountingStoreFlags: 'job_comment' },
          { MaxArraySize: String(MAX_ARRAY_INDEX + 1) },
          { MaxJobCount: MAX_JOB_COUNT },
          ...slurmPrioritySettings,
          ...(input.slurmApi ? slurmApiSettings(input.slurmApi.trust) : []),
        ],
      },
      SlurmQueues: spec.queues.map((queue) => renderQueue(queue, subnetId, shared)),
    },
    ...sharedStorage(input),
    Monitoring: {
      Logs: {
        CloudWatch: {
          RetentionInDays: settings.logRetentionDays ?? DEFAULT_LOG_RETENTION_DAYS,
          DeletionPolicy: 'Retain',
        },
      },
    },
    Tags: toTagList(deploymentTags(deployment)),
  };
}

/**
 * Jobs that slurmctld keeps at a time, those that ended in the last minutes among them (slurm.conf(5); 10,000 unless told
 * otherwise): several of the largest campaigns. A record has some kilobytes.
 */
const MAX_JOB_COUNT = '60000';

/** ParallelCluster's rule for database names is `[0-9a-z_]+`; cluster names hold no underscore, so none collide. */
export function slurmDatabaseName(clusterName: string): string {
  return clusterName.replaceAll('-', '_');
}

/** Stands for the database's name in user and secret, where each database has an account of its own. */
export const DATABASE_PLACEHOLDER = '{database}';

function renderDatabase({ uri, userName, passwordSecretArn }: SlurmDatabase, clusterName: string) {
  return {
    Uri: uri,
    UserName: userName,
    PasswordSecretArn: passwordSecretArn,
    DatabaseName: slurmDatabaseName(clusterName),
  };
}

interface AdditionalSecurityGroups {
  readonly AdditionalSecurityGroups?: readonly string[];
}

/** ParallelCluster refuses an empty list. */
function additionalSecurityGroups(ids: readonly string[]): AdditionalSecurityGroups {
  return ids.length > 0 ? { AdditionalSecurityGroups: ids } : {};
}

/** What the nodes of all queues have in common. */
interface SharedByQueues {
  readonly securityGroups: AdditionalSecurityGroups;
  readonly setUp: { readonly CustomActions: CustomActions; readonly Iam: NodeIam };
}

interface SharedByAllNodes extends SharedByQueues {
  readonly setUp: NodeSetUp;
}

interface NodeSetUp {
  readonly CustomActions: CustomActions & { readonly OnNodeConfigured: CustomAction };
  readonly Iam: NodeIam;
}

function sharedByAllNodes({ settings, jobUserPublicKey }: ClusterConfigurationInput): SharedByAllNodes {
  const { jobUserScriptUri, additionalSecurityGroupIds = [] } = settings;
  return {
    securityGroups: additionalSecurityGroups(additionalSecurityGroupIds),
    setUp: {
      CustomActions: {
        OnNodeConfigured: {
          Script: jobUserScriptUri,
          Args: [JOB_USER, String(JOB_USER_ID), withoutComment(jobUserPublicKey)],
        },
      },
      Iam: { S3Access: [s3Access(jobUserScriptUri)] },
    },
  };
}

/**
 * What only the head node runs: it installs for all nodes what they share. Keys for the REST API are there before slurmctld
 * starts, which ends without them; the API is served once all daemons run.
 */
function headNodeSetUp(
  shared: NodeSetUp,
  { settings, lustre, slurmApi }: ClusterConfigurationInput,
): Pick<HeadNode, 'CustomActions' | 'Iam'> {
  const { jobEnvironmentScriptUri } = settings;
  const installed = [
    shared.CustomActions.OnNodeConfigured,
    { Script: jobEnvironmentScriptUri, Args: ['install'] },
    ...(lustre ? [{ Script: lustre.scriptUri, Args: [JOB_USER, ...writablePaths] }] : []),
  ];
  const readable = [
    ...shared.Iam.S3Access,
    s3Access(jobEnvironmentScriptUri),
    ...(lustre ? [s3Access(lustre.scriptUri)] : []),
  ];
  if (slurmApi === undefined)
    return {
      CustomActions: { OnNodeConfigured: { Sequence: installed } },
      Iam: { S3Access: readable },
    };
  const { scriptUri, jwks } = slurmApi;
  const serve = { Script: scriptUri, Args: ['serve', String(SLURM_API_PORT)] };
  return {
    CustomActions: {
      OnNodeStart: { Script: scriptUri, Args: ['trust', bytesToBase64(utf8ToBytes(jwks))] },
      OnNodeConfigured: { Sequence: [...installed, serve] },
    },
    Iam: { S3Access: [...readable, s3Access(scriptUri)] },
  };
}

/** This object only: the bucket may hold what belongs to other tenants. */
function s3Access(uri: string): NodeIam['S3Access'][number] {
  const { bucket, key } = parseS3ObjectUri(uri);
  return { BucketName: bucket, KeyName: key };
}

/** Without Node's Buffer: the domain is bundled into workflows. */
function bytesToBase64(bytes: Uint8Array): string {
  return btoa(String.fromCodePoint(...bytes));
}

/** EC2 adds the name of the key pair to a public key; fifty queues would repeat it. */
function withoutComment(publicKey: string): string {
  return publicKey.trim().split(/\s+/).slice(0, 2).join(' ');
}

/** One queue, whose nodes are in this subnet. */
export function renderQueue(
  queue: Queue,
  subnetId: string,
  { securityGroups, setUp }: SharedByQueues,
): SlurmQueue {
  const { maxTimeSeconds, maxNodesPerJob } = queue;
  const limits = {
    ...(maxTimeSeconds && { MaxTime: maxTimeSeconds / 60 }),
    ...(maxNodesPerJob && { MaxNodes: maxNodesPerJob }),
  };
  return {
    Name: queue.name,
    CapacityType: queue.capacityType,
    Networking: {
      SubnetIds: [subnetId],
      ...securityGroups,
      AssignPublicIp: false,
      PlacementGroup: { Enabled: queue.placementGroup },
    },
    ComputeResources: queue.computeResources.map(renderComputeResource),
    ...(Object.keys(limits).length > 0 && { CustomSlurmSettings: limits }),
    ...setUp,
  };
}

function renderComputeResource(resource: ComputeResource): SlurmComputeResource {
  return {
    Name: resource.name,
    InstanceType: resource.instanceType,
    MinCount: resource.minCount,
    MaxCount: resource.maxCount,
    Efa: { Enabled: resource.efa },
    DisableSimultaneousMultithreading: !resource.multithreading,
  };
}

function sharedStorage({
  home,
  lustre,
}: ClusterConfigurationInput): Pick<ClusterConfiguration, 'SharedStorage'> {
  const SharedStorage = [...(home ? [renderHome(home)] : []), ...(lustre ? [renderLustre(lustre)] : [])];
  return SharedStorage.length > 0 ? { SharedStorage } : {};
}

/** An existing file system: ParallelCluster mounts it, and neither makes nor deletes it. */
function renderLustre({ fileSystemId }: LustreFileSystem) {
  return {
    Name: 'lustre',
    StorageType: 'FsxLustre',
    MountDir: STORAGE_MOUNT_PATH,
    FsxLustreSettings: { FileSystemId: fileSystemId },
  } as const;
}

function renderHome({ fileSystemId, accessPointId }: EfsHome) {
  return {
    Name: 'home',
    StorageType: 'Efs',
    MountDir: '/home',
    // ParallelCluster accepts an access point only together with encryption.
    EfsSettings: { FileSystemId: fileSystemId, AccessPointId: accessPointId, EncryptionInTransit: true },
  } as const;
}

/** The text that `pcluster create-cluster --cluster-configuration` takes. */
export function toYaml(configuration: ClusterConfiguration): string {
  return stringify(configuration, { aliasDuplicateObjects: false, lineWidth: 0, singleQuote: true });
}
