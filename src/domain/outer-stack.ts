import type { Deployment } from './deployment.ts';
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

/** A CloudFormation template with one ParallelCluster in it. */
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
 * No other property of the provider is set: it hands unknown ones on as arguments of its create call.
 */
export function renderOuterStack(
  { virtualLabId, projectId, epoch, clusterName }: Deployment,
  providerArn: string,
  configuration: ClusterConfiguration,
): OuterStackTemplate {
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
    },
    Outputs: {
      [outerStackOutputs.headNodeAddress]: attribute('headNode.privateIpAddress'),
      [outerStackOutputs.clusterStackArn]: attribute('cloudformationStackArn'),
      [outerStackOutputs.parallelClusterVersion]: attribute('version'),
    },
  };
}
