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
  sts: 'credentials of nodes: GetCallerIdentity of every AWS tool',
  ssm: 'Systems Manager: administration of nodes without SSH, parameters of the CloudWatch agent',
  ssmmessages: 'Systems Manager: sessions',
} as const;

/** Services of the AWS SDK as product code imports them, and their endpoints. */
export const endpointOfClient: Readonly<Record<string, keyof typeof requiredEndpoints>> = {
  cloudformation: 'cloudformation',
  cloudwatch: 'monitoring',
  'cloudwatch-logs': 'logs',
  ec2: 'ec2',
  efs: 'elasticfilesystem',
  fsx: 'fsx',
  s3: 's3',
  'secrets-manager': 'secretsmanager',
};

/** IAM prefixes in ParallelCluster's own policies for nodes and functions that are reached by no endpoint, and why. */
export const unreachedByNodes: Readonly<Record<string, string>> = {
  iam: 'PassRole is checked by EC2 and called by nobody',
  'resource-groups': 'checked by EC2 when it starts instances in a group of capacity reservations',
  route53: 'only with managed DNS, which the configuration disables',
};
