import { type EC2Client, paginateDescribeNetworkInterfaces } from '@aws-sdk/client-ec2';
import { describeInterface, inhabited, type SubnetInterface } from '../domain/bound-resources.ts';

/** The network interfaces in these subnets. */
export async function listInterfaces(
  ec2: EC2Client,
  subnetIds: readonly string[],
): Promise<SubnetInterface[]> {
  if (subnetIds.length === 0) return [];
  const found: SubnetInterface[] = [];
  const Filters = [{ Name: 'subnet-id', Values: [...subnetIds] }];
  for await (const { NetworkInterfaces = [] } of paginateDescribeNetworkInterfaces(
    { client: ec2 },
    { Filters },
  ))
    for (const each of NetworkInterfaces)
      found.push({
        id: each.NetworkInterfaceId ?? '',
        subnetId: each.SubnetId ?? '',
        type: each.InterfaceType ?? 'interface',
        description: each.Description ?? '',
      });
  return found;
}

/** What shows that somebody lives in a subnet, in words; undefined when nothing does. */
export function whoLivesIn(ec2: EC2Client): (subnetId: string) => Promise<string | undefined> {
  return async (subnetId) => {
    const [tenant] = inhabited(await listInterfaces(ec2, [subnetId]));
    return tenant && describeInterface(tenant);
  };
}
