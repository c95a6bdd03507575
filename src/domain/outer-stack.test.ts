import { describe, expect, test } from 'vitest';
import { configurationOf, deployment } from '../../test/support/cluster-configuration.ts';
import { nodePolicy } from './node-policy.ts';
import { MAX_TEMPLATE_BODY_BYTES, outerStackOutputs, renderOuterStack } from './outer-stack.ts';

const providerArn = 'arn:aws:lambda:us-east-2:123456789012:function:pcluster-provider';

describe('the outer stack', () => {
  test('holds the cluster, to be deleted with it, and the policy of its nodes', () => {
    const configuration = configurationOf({ tier: 'debug' });
    const { Resources } = renderOuterStack(deployment, providerArn, configuration);
    expect(Resources).toEqual({
      Cluster: {
        Type: 'Custom::PclusterCluster',
        DeletionPolicy: 'Delete',
        Properties: {
          ServiceToken: providerArn,
          ClusterName: 'pcluster-lab1-cortex',
          ClusterConfiguration: configuration,
          DeletionPolicy: 'Delete',
        },
      },
      Nodes: {
        Type: 'AWS::IAM::ManagedPolicy',
        Properties: {
          Path: '/parallelcluster/',
          PolicyDocument: nodePolicy(deployment, configuration, undefined, 'aws'),
        },
      },
    });
  });

  test('refuses a set-up script that is not in S3', () => {
    const settings = { jobUserScriptUri: 'https://example.org/a.sh' };
    const configuration = configurationOf({ tier: 'debug' }, { settings });
    expect(() => renderOuterStack(deployment, providerArn, configuration)).toThrow(
      'https://example.org/a.sh is not an s3://bucket/key address',
    );
  });

  test('says where the head node is', () => {
    const { Outputs } = renderOuterStack(deployment, providerArn, configurationOf({ tier: 'debug' }));
    expect(Outputs[outerStackOutputs.headNodeAddress]).toEqual({
      Value: { 'Fn::GetAtt': ['Cluster', 'headNode.privateIpAddress'] },
    });
  });

  test('fits into one CloudFormation request however many queues a specification has', () => {
    const number = (index: number, width: number) => String(index).padStart(width, '0');
    const configuration = configurationOf(
      {
        queues: Array.from({ length: 50 }, (_, index) => ({
          name: `queue-${number(index, 19)}`,
          placementGroup: true,
          maxTimeSeconds: 365 * 86_400,
          maxNodesPerJob: 1000,
          computeResources: [
            {
              name: `resource-${number(index, 16)}`,
              instanceType: 'u7in-32tb.224xlarge',
              minCount: 1000,
              maxCount: 1000,
            },
          ],
        })),
      },
      {
        deployment: {
          virtualLabId: 'v'.repeat(63),
          projectId: 'p'.repeat(63),
          epoch: deployment.epoch,
          clusterName: 'c'.repeat(40),
        },
        settings: {
          jobUserScriptUri: `s3://${'b'.repeat(63)}/assets/create-job-user-0123456789ab.sh`,
          jobEnvironmentScriptUri: `s3://${'b'.repeat(63)}/assets/job-environment-0123456789ab.sh`,
          additionalSecurityGroupIds: ['sg-0123456789abcdef0'],
        },
      },
    );
    const template = JSON.stringify(renderOuterStack(deployment, providerArn, configuration));
    expect(Buffer.byteLength(template)).toBeLessThan(MAX_TEMPLATE_BODY_BYTES);
  });
});
