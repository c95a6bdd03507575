import type { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import type { FSxClient } from '@aws-sdk/client-fsx';
import type { S3Client } from '@aws-sdk/client-s3';
import type { DeploymentStore } from '../clients/deployment-store.ts';
import type { HeadNodeFiles } from '../clients/slurm-gateway.ts';
import type { StorageBuckets } from '../domain/lustre.ts';

/** What an installation has for file systems of clusters. */
export interface LustreSettings {
  readonly buckets: StorageBuckets;
  /** On the file systems' network interfaces: lets Lustre's ports in from the nodes. At least one. */
  readonly securityGroupIds: readonly string[];
  readonly kmsKeyId?: string;
}

export interface LustreDeps {
  readonly fsx: FSxClient;
  readonly cloudWatch: CloudWatchClient;
  readonly s3: S3Client;
  readonly files: Pick<HeadNodeFiles, 'sampleFiles'>;
  readonly deploymentStore: Pick<DeploymentStore, 'putExport' | 'putDiscard'>;
  /** Clusters can have no Lustre without it. */
  readonly lustre: LustreSettings | undefined;
  /** Whose everything is that is made; see `installationName`. */
  readonly installation?: string;
  /** Between two looks at a file system, link or task that is under way. */
  readonly lustrePollSeconds: number;
  /** An export task that has written nothing for so long counts as hung. */
  readonly exportStallSeconds: number;
}
