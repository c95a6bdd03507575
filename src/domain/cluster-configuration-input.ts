import type { ClusterSpec } from './cluster-spec.ts';
import type { Deployment } from './deployment.ts';
import type { AttachableFileSystems } from './file-systems.ts';
import type { EfsHome } from './home.ts';
import type { LogRetentionDays } from './log-retention.ts';
import type { LustreFileSystem, StorageBuckets } from './lustre.ts';
import type { PolicyArn } from './pcluster-document.ts';
import type { SlurmApiTrust } from './slurm-api-spec.ts';

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
  /** Where scripts of operators must lie; without it specifications may name none. */
  readonly customActionsBucket?: string;
  /** Existing file systems that specifications may name; none without it. */
  readonly attachableFileSystems?: AttachableFileSystems;
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
  /** Lets nodes read their scripts, and use the tenant's data in S3. */
  readonly nodePolicy: PolicyArn;
  /** EC2 key pair of the operating system's default user, who may use sudo. */
  readonly adminKeyName: string;
  /** OpenSSH form. */
  readonly jobUserPublicKey: string;
  /** The head node's own disk, exported to the compute nodes, if none is given. */
  readonly home?: EfsHome;
  /** Mounted at `STORAGE_MOUNT_PATH` on all nodes. */
  readonly lustre?: LustreFileSystem & {
    /** `s3://bucket/key` of `assets/storage-folders.sh`. */
    readonly scriptUri: string;
  };
  /** Mounted below `STORAGE_MOUNT_PATH` on all nodes, in place of Lustre. */
  readonly s3Mounts?: S3Mounts;
  /** The cluster has no Slurm REST API if none is given. */
  readonly slurmApi?: SlurmApi;
}

/** Buckets that nodes mount: all of the first to read, the tenant's prefix of the second to read and write. */
export interface S3Mounts extends Pick<StorageBuckets, 'projectPublic' | 'projectPrivate'> {
  /** `s3://bucket/key` of `assets/s3-mounts.sh`. */
  readonly scriptUri: string;
}

/** Slurm's REST API of a cluster. */
export interface SlurmApi {
  readonly trust: SlurmApiTrust;
  /** `s3://bucket/key` of `assets/slurm-rest-api.sh`. */
  readonly scriptUri: string;
  /** Public halves of the keys whose tokens Slurm accepts, as `renderJwks` writes them. */
  readonly jwks: string;
}
