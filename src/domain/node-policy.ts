import type { Tenant } from './ids.ts';
import { type StorageBuckets, tenantPrefix } from './lustre.ts';
import type { ClusterConfiguration, CustomActions } from './pcluster-document.ts';
import { parseS3ObjectUri } from './s3-uri.ts';

interface Statement {
  readonly Sid: string;
  readonly Effect: 'Allow';
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
  readonly Condition?: { readonly StringLike: { readonly 's3:prefix': string } };
}

/** A policy document of IAM. */
export interface PolicyDocument {
  readonly Version: '2012-10-17';
  readonly Statement: readonly Statement[];
}

/**
 * What the nodes of a tenant's cluster, and so its jobs, may do in S3 beside what ParallelCluster lets them: read the scripts
 * that they are set up with, read what all tenants see, and read and write below the tenant's own prefix. A policy of its own
 * because ParallelCluster's `S3Access` opens objects by prefix but lists of whole buckets only, and is repeated for each
 * queue. Versions of objects cannot be deleted: what a job overwrites can be had back.
 *
 * `partition` is that of all ARNs of the installation, e.g. `aws`. Neither ids of tenants nor addresses of scripts hold a
 * wildcard of IAM. Without buckets there are only scripts.
 */
export function nodePolicy(
  tenant: Tenant,
  configuration: ClusterConfiguration,
  buckets: StorageBuckets | undefined,
  partition: string,
): PolicyDocument {
  const arnOf = (path: string): string => `arn:${partition}:s3:::${path}`;
  const scripts: Statement = {
    Sid: 'ReadsItsScripts',
    Effect: 'Allow',
    Action: ['s3:GetObject'],
    Resource: scriptsOf(configuration).map((uri) => {
      const { bucket, key } = parseS3ObjectUri(uri);
      return arnOf(`${bucket}/${key}`);
    }),
  };
  return {
    Version: '2012-10-17',
    Statement: [scripts, ...(buckets ? ofData(tenantPrefix(tenant), buckets, arnOf) : [])],
  };
}

function ofData(
  prefix: string,
  { projectPublic, projectPrivate, scratch }: StorageBuckets,
  arnOf: (path: string) => string,
): readonly Statement[] {
  const own = [projectPrivate, scratch].map(arnOf);
  return [
    {
      Sid: 'ReadsPublicAssets',
      Effect: 'Allow',
      Action: ['s3:GetObject', 's3:ListBucket'],
      Resource: [arnOf(projectPublic), arnOf(`${projectPublic}/*`)],
    },
    {
      Sid: 'UsesItsOwnPrefix',
      Effect: 'Allow',
      Action: [
        's3:AbortMultipartUpload',
        's3:DeleteObject',
        's3:GetObject',
        's3:ListMultipartUploadParts',
        's3:PutObject',
      ],
      Resource: own.map((arn) => `${arn}/${prefix}*`),
    },
    {
      Sid: 'ListsItsOwnPrefix',
      Effect: 'Allow',
      Action: ['s3:ListBucket'],
      Resource: own,
      // A request that names no prefix, and so would list everything, does not match.
      Condition: { StringLike: { 's3:prefix': `${prefix}*` } },
    },
  ];
}

/** Every script that some node of the cluster runs, once. */
function scriptsOf({ HeadNode, Scheduling }: ClusterConfiguration): string[] {
  const all = [HeadNode, ...Scheduling.SlurmQueues].flatMap(({ CustomActions }) => actionsOf(CustomActions));
  return [...new Set(all.map(({ Script }) => Script))];
}

function actionsOf({ OnNodeStart, OnNodeConfigured }: CustomActions) {
  return [
    ...(OnNodeStart ? [OnNodeStart] : []),
    ...('Sequence' in OnNodeConfigured ? OnNodeConfigured.Sequence : [OnNodeConfigured]),
  ];
}
