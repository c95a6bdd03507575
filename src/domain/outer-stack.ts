import type { Deployment } from './deployment.ts';
import type { StorageBuckets } from './lustre.ts';
import { nodePolicy, type PolicyDocument } from './node-policy.ts';
import type { ClusterConfiguration } from './pcluster-document.ts';

/** Most that CloudFormation takes as `TemplateBody`, in bytes; a larger template must come from S3. */
export const MAX_TEMPLATE_BODY_BYTES = 51_200;

/** Keys of the outer stack's outputs. */
export const outerStackOutputs = {
  headNodeAddress: 'HeadNodePrivateIpAddress',
  clusterStackArn: 'ClusterStackArn',
  parallelClusterVersion: 'ParallelClusterVersion',
} as const;

const CLUSTER = 'Cluster';
/** Short: each queue names it in a template of limited size. */
const NODE_POLICY = 'Nodes';

/** Stands in a configuration for the ARN of the policy that the outer stack has beside the cluster. */
export const nodePolicyReference = { Ref: NODE_POLICY } as const;

/** ParallelCluster's provider may give roles only policies of this path, or of a name like it (its IAM policies). */
const POLICY_PATH = '/parallelcluster/';

/** A CloudFormation template with one ParallelCluster in it, and what its nodes may do. */
export interface OuterStackTemplate {
  readonly AWSTemplateFormatVersion: '2010-09-09';
  readonly Description: string;
  readonly Resources: {
    readonly [CLUSTER]: {
      readonly Type: 'Custom::PclusterCluster';
      readonly DeletionPolicy: 'Delete';
      readonly Properties: {
        readonly ServiceToken: string;
        readonly ClusterName: string;
        readonly ClusterConfiguration: ClusterConfiguration;
        /** The provider's own: what it does with the cluster when the resource is deleted. */
        readonly DeletionPolicy: 'Delete';
      };
    };
    /** Made before the cluster, and deleted after it, because its configuration refers to it. Not in stacks before 0.3.0. */
    readonly [NODE_POLICY]?: {
      readonly Type: 'AWS::IAM::ManagedPolicy';
      readonly Properties: { readonly Path: string; readonly PolicyDocument: PolicyDocument };
    };
  };
  readonly Outputs: Readonly<
    Record<string, { readonly Value: { readonly 'Fn::GetAtt': readonly string[] } }>
  >;
}

/**
 * The template of the stack around a cluster. What must outlive a cluster, or must not vanish in a rollback, is not
 * in it: log group, keys, file systems.
 *
 * `providerArn` is the ARN of the Lambda function that AWS publishes as ParallelCluster's custom-resource provider.
 * No other property of the provider is set: it hands unknown ones on as arguments of its create call. The configuration names
 * {@link nodePolicyReference}; with `buckets` that policy opens the tenant's data in them.
 *
 * @throws RangeError when the address of a script is not `s3://bucket/key`.
 */
export function renderOuterStack(
  deployment: Deployment,
  providerArn: string,
  configuration: ClusterConfiguration,
  buckets?: StorageBuckets,
): OuterStackTemplate {
  const { virtualLabId, projectId, epoch, clusterName } = deployment;
  const [, partition = 'aws'] = providerArn.split(':');
  const attribute = (name: string) => ({ Value: { 'Fn::GetAtt': [CLUSTER, name] } });
  return {
    AWSTemplateFormatVersion: '2010-09-09',
    Description: `ParallelCluster of virtual lab ${virtualLabId}, project ${projectId}, epoch ${epoch}`,
    Resources: {
      [CLUSTER]: {
        Type: 'Custom::PclusterCluster',
        DeletionPolicy: 'Delete',
        Properties: {
          ServiceToken: providerArn,
          ClusterName: clusterName,
          ClusterConfiguration: configuration,
          DeletionPolicy: 'Delete',
        },
      },
      [NODE_POLICY]: {
        Type: 'AWS::IAM::ManagedPolicy',
        Properties: {
          Path: POLICY_PATH,
          PolicyDocument: nodePolicy(deployment, configuration, buckets, partition),
        },
      },
    },
    Outputs: {
      [outerStackOutputs.headNodeAddress]: attribute('headNode.privateIpAddress'),
      [outerStackOutputs.clusterStackArn]: attribute('cloudformationStackArn'),
      [outerStackOutputs.parallelClusterVersion]: attribute('version'),
    },
  };
}
