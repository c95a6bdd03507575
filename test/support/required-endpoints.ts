import type { EndpointService } from '../../src/domain/required-endpoints.ts';

/** Services of the AWS SDK as product code imports them, and their endpoints. */
export const endpointOfClient: Readonly<Record<string, EndpointService>> = {
  cloudformation: 'cloudformation',
  cloudwatch: 'monitoring',
  'cloudwatch-logs': 'logs',
  ec2: 'ec2',
  efs: 'elasticfilesystem',
  fsx: 'fsx',
  s3: 's3',
  'secrets-manager': 'secretsmanager',
  'service-quotas': 'servicequotas',
  sns: 'sns',
};

/** Services that the code calls where it can, and why none of it needs them. */
export const optionalServices: Readonly<Record<string, string>> = {
  pricing: 'called from the main VPC; without an answer the prices in force stay so',
};

/** IAM prefixes in ParallelCluster's own policies for nodes and functions that are reached by no endpoint, and why. */
export const unreachedByNodes: Readonly<Record<string, string>> = {
  iam: 'PassRole is checked by EC2 and called by nobody',
  'resource-groups': 'checked by EC2 when it starts instances in a group of capacity reservations',
  route53: 'only with managed DNS, which the configuration disables',
};
