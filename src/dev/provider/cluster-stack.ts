import {
  CreateStackCommand,
  DeleteStackCommand,
  DescribeStacksCommand,
  waitUntilStackCreateComplete,
  waitUntilStackDeleteComplete,
} from '@aws-sdk/client-cloudformation';
import type { CloudFormationClient, Stack, Tag } from '@aws-sdk/client-cloudformation';

const WAIT = { minDelay: 1, maxDelay: 1, maxWaitTime: 60 };

/** A stack needs a resource; this one costs nothing and does nothing. */
const TEMPLATE = JSON.stringify({
  Description: 'AWS ParallelCluster Cluster',
  Resources: { Handle: { Type: 'AWS::CloudFormation::WaitConditionHandle' } },
});

/** The tags of a stack, such as the outer one that asks for a cluster. */
export async function stackTags(
  cloudFormation: CloudFormationClient,
  stackId: string,
): Promise<{ Key: string; Value: string }[]> {
  const stack = await describe(cloudFormation, stackId);
  return (stack?.Tags ?? []).map(({ Key = '', Value = '' }) => ({ Key, Value }));
}

/** Whether a stack of this name is there, whoever made it. */
export async function stackExists(cloudFormation: CloudFormationClient, name: string): Promise<boolean> {
  return (await describe(cloudFormation, name)) !== undefined;
}

/** Creates the stack that a cluster is on AWS: named like the cluster, tagged with its name. Returns its ARN. */
export async function createClusterStack(
  cloudFormation: CloudFormationClient,
  clusterName: string,
  tags: readonly Tag[],
): Promise<string> {
  const Tags = [...tags, { Key: 'parallelcluster:cluster-name', Value: clusterName }];
  const create = new CreateStackCommand({ StackName: clusterName, TemplateBody: TEMPLATE, Tags });
  const { StackId = clusterName } = await cloudFormation.send(create);
  await waitUntilStackCreateComplete({ client: cloudFormation, ...WAIT }, { StackName: StackId });
  return StackId;
}

/** Deletes a cluster's stack and waits until it is gone. */
export async function deleteClusterStack(
  cloudFormation: CloudFormationClient,
  stackArn: string,
): Promise<void> {
  await cloudFormation.send(new DeleteStackCommand({ StackName: stackArn }));
  await waitUntilStackDeleteComplete({ client: cloudFormation, ...WAIT }, { StackName: stackArn });
}

/** CloudFormation says "does not exist" by a ValidationError, which has no type of its own. */
async function describe(cloudFormation: CloudFormationClient, name: string): Promise<Stack | undefined> {
  try {
    const { Stacks = [] } = await cloudFormation.send(new DescribeStacksCommand({ StackName: name }));
    return Stacks.find(({ StackStatus }) => StackStatus !== 'DELETE_COMPLETE');
  } catch (error) {
    if (error instanceof Error && error.message.includes('does not exist')) return undefined;
    throw error;
  }
}
