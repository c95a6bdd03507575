import { type EC2Client, paginateDescribeInstances, TerminateInstancesCommand } from '@aws-sdk/client-ec2';
import type { Deployment } from '../domain/deployment.ts';
import { tagKeys } from '../domain/resource-tags.ts';

/** Ids of the instances with the tags of a deployment that are not terminated yet. */
export async function instancesOf(client: EC2Client, { epoch, clusterName }: Deployment): Promise<string[]> {
  const Filters = [
    { Name: `tag:${tagKeys.epoch}`, Values: [epoch] },
    { Name: `tag:${tagKeys.cluster}`, Values: [clusterName] },
    {
      Name: 'instance-state-name',
      Values: ['pending', 'running', 'shutting-down', 'stopping', 'stopped'],
    },
  ];
  const ids: string[] = [];
  for await (const { Reservations = [] } of paginateDescribeInstances({ client }, { Filters }))
    for (const { Instances = [] } of Reservations)
      for (const { InstanceId } of Instances) if (InstanceId !== undefined) ids.push(InstanceId);
  return ids;
}

/** EC2 takes up to 1,000 in one call (`TerminateInstances`), and recommends fewer. */
const AT_A_TIME = 100;

/** Begins their end. Repeating it does no harm. */
export async function terminateInstances(client: EC2Client, ids: readonly string[]): Promise<void> {
  for (let first = 0; first < ids.length; first += AT_A_TIME)
    await client.send(new TerminateInstancesCommand({ InstanceIds: ids.slice(first, first + AT_A_TIME) }));
}
