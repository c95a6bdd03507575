import { paginateDescribeStacks } from '@aws-sdk/client-cloudformation';
import type { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { paginateDescribeSubnets } from '@aws-sdk/client-ec2';
import type { EC2Client, Subnet } from '@aws-sdk/client-ec2';
import { tagKeys, tagValue } from '../domain/resource-tags.ts';
import type { PoolSubnet } from '../domain/subnets.ts';
import type { Activities } from './port.ts';

export interface NetworkDeps {
  readonly ec2: EC2Client;
  readonly cloudFormation: CloudFormationClient;
  /** Value of the tag `parallelcluster-provisioner:pool` on the subnets that may be leased. */
  readonly subnetPool: string;
}

/** Activities that look at the network; none of them changes it. */
export function createNetworkActivities(deps: NetworkDeps): Pick<Activities, 'describePoolSubnets'> {
  return {
    async describePoolSubnets(vpcId) {
      const [subnets, epochsBySubnet] = await Promise.all([
        findPoolSubnets(deps, vpcId),
        findEpochsBySubnet(deps.cloudFormation),
      ]);
      return subnets.map(
        ({ SubnetId = '', AvailabilityZone = '', AvailableIpAddressCount = 0 }): PoolSubnet => ({
          subnetId: SubnetId,
          availabilityZone: AvailabilityZone,
          availableAddresses: AvailableIpAddressCount,
          usedByEpochs: [...(epochsBySubnet.get(SubnetId) ?? [])].toSorted(),
        }),
      );
    },
  };
}

/** All of them, in a stable order: the answer of EC2 has none. */
async function findPoolSubnets({ ec2, subnetPool }: NetworkDeps, vpcId: string): Promise<Subnet[]> {
  const Filters = [
    { Name: 'vpc-id', Values: [vpcId] },
    { Name: `tag:${tagKeys.pool}`, Values: [subnetPool] },
  ];
  const subnets: Subnet[] = [];
  for await (const page of paginateDescribeSubnets({ client: ec2 }, { Filters })) {
    subnets.push(...(page.Subnets ?? []));
  }
  return subnets.toSorted((a, b) => ((a.SubnetId ?? '') < (b.SubnetId ?? '') ? -1 : 1));
}

/**
 * The epochs whose stacks say that they live in a subnet. A stack counts in every state, a failed or half-deleted
 * one too; CloudFormation lists none that is deleted. Outer and cluster stack of an epoch carry the same tags.
 */
async function findEpochsBySubnet(cloudFormation: CloudFormationClient): Promise<Map<string, Set<string>>> {
  const epochs = new Map<string, Set<string>>();
  for await (const page of paginateDescribeStacks({ client: cloudFormation }, {})) {
    for (const { Tags } of page.Stacks ?? []) {
      const subnetId = tagValue(Tags, tagKeys.subnet);
      const epoch = tagValue(Tags, tagKeys.epoch);
      if (!subnetId || !epoch) continue;
      epochs.set(subnetId, (epochs.get(subnetId) ?? new Set()).add(epoch));
    }
  }
  return epochs;
}
