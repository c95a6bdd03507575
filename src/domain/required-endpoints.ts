/**
 * What the private network must reach without Internet: the last word of an endpoint's service name, and who needs it.
 * The table of ParallelCluster is that of "AWS ParallelCluster in a single subnet with no internet access"
 * (https://docs.aws.amazon.com/parallelcluster/latest/ug/aws-parallelcluster-in-a-single-public-subnet-no-internet-v3.html).
 */
export const requiredEndpoints = {
  logs: 'ParallelCluster: CloudWatch agent of all nodes',
  cloudformation: 'ParallelCluster: configuration and signals of head nodes',
  ec2: 'ParallelCluster: head nodes start and stop compute nodes',
  s3: 'ParallelCluster: artifacts and wait conditions; data of tenants (gateway)',
  dynamodb: 'ParallelCluster: state of nodes (gateway)',
  secretsmanager: 'ParallelCluster: password of the accounting database, read by head nodes',
  elasticloadbalancing: 'ParallelCluster: login nodes',
  autoscaling: 'ParallelCluster: login nodes',
  monitoring: 'CloudWatch agent: metrics of nodes and of their disks',
  elasticfilesystem: 'mount helper of EFS: mount targets by zone',
  fsx: 'FSx for Lustre: file systems and exports, looked at from nodes',
  kms: 'data keys of what nodes write encrypted by themselves',
  servicequotas:
    'this service, from the main VPC: what the account may start, asked before a cluster is made',
  sns: 'this service, from the main VPC: how budgets of projects stand',
  sts: 'credentials of nodes: GetCallerIdentity of every AWS tool',
  ssm: 'Parameter Store: configurations of the CloudWatch agent (CloudWatchAgentServerPolicy); the boundary denies sessions',
} as const;

export type EndpointService = keyof typeof requiredEndpoints;

/** Without these no cluster comes up in a network that has no other way to AWS. */
const NEEDED_BY_EVERY_CLUSTER: readonly EndpointService[] = [
  'cloudformation',
  'dynamodb',
  'ec2',
  'logs',
  's3',
  'sts',
];

/** The endpoints without which a cluster of this kind cannot become ready; the others cost it comfort, not its life. */
export function endpointsNeeded(cluster: {
  readonly hasLustre: boolean;
  readonly hasEfsHome: boolean;
  readonly hasDatabase: boolean;
}): readonly EndpointService[] {
  return [
    ...NEEDED_BY_EVERY_CLUSTER,
    ...(cluster.hasLustre ? (['fsx'] as const) : []),
    ...(cluster.hasEfsHome ? (['elasticfilesystem'] as const) : []),
    ...(cluster.hasDatabase ? (['secretsmanager'] as const) : []),
  ];
}
