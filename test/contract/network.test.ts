import { randomUUID } from 'node:crypto';
import { CreateStackCommand, DeleteStackCommand } from '@aws-sdk/client-cloudformation';
import { CreateSubnetCommand, CreateVpcCommand } from '@aws-sdk/client-ec2';
import { beforeEach, describe, expect, test } from 'vitest';
import { createNetworkActivities } from '../../src/activities/network.ts';
import { deploymentTags, stackTags, tagKeys, toTagList } from '../../src/domain/resource-tags.ts';
import { useEmulatedAws } from '../support/aws.ts';

const aws = useEmulatedAws();
const template = JSON.stringify({
  Resources: { Handle: { Type: 'AWS::CloudFormation::WaitConditionHandle' } },
});

function deploymentOf(epoch: string) {
  return { virtualLabId: 'lab', projectId: 'proj', clusterName: `c-${epoch}`, epoch };
}

async function createStack(tags: { Key: string; Value: string }[]): Promise<string> {
  const StackName = `s-${randomUUID()}`;
  await aws().clients.cloudFormation.send(
    new CreateStackCommand({ StackName, TemplateBody: template, Tags: tags }),
  );
  return StackName;
}

let vpcId: string;
let pool: string;
let subnetCount = 0;

async function createSubnet(tags: { Key: string; Value: string }[], inVpc = vpcId): Promise<string> {
  subnetCount += 1;
  const { Subnet } = await aws().clients.ec2.send(
    new CreateSubnetCommand({
      VpcId: inVpc,
      CidrBlock: `10.9.${subnetCount % 256}.0/24`,
      AvailabilityZone: 'us-east-1b',
      TagSpecifications: [{ ResourceType: 'subnet', Tags: tags }],
    }),
  );
  return Subnet?.SubnetId ?? '';
}

async function createVpc(): Promise<string> {
  const { Vpc } = await aws().clients.ec2.send(new CreateVpcCommand({ CidrBlock: '10.9.0.0/16' }));
  return Vpc?.VpcId ?? '';
}

beforeEach(async () => {
  vpcId = await createVpc();
  pool = `pool-${randomUUID()}`;
});

async function describePoolSubnets() {
  return createNetworkActivities({ ...aws().clients, subnetPool: pool }).describePoolSubnets(vpcId);
}

const poolTag = () => ({ Key: tagKeys.pool, Value: pool });

describe('describePoolSubnets', () => {
  test('lists the subnets of this pool in this VPC and no others, in a stable order', async () => {
    const ids = [await createSubnet([poolTag()]), await createSubnet([poolTag()])];
    await createSubnet([{ Key: tagKeys.pool, Value: 'another' }]);
    await createSubnet([{ Key: 'Name', Value: 'untagged' }]);
    await createSubnet([poolTag()], await createVpc());
    const subnets = await describePoolSubnets();
    expect(subnets.map(({ subnetId }) => subnetId)).toEqual(ids.toSorted());
    expect(subnets[0]).toMatchObject({
      availabilityZone: 'us-east-1b',
      availableAddresses: 251,
      usedByEpochs: [],
    });
  });

  test('an empty pool is an empty list', async () => {
    expect(await describePoolSubnets()).toEqual([]);
  });

  test('a subnet names the epochs whose stacks live in it, each once', async () => {
    const [used, free] = [await createSubnet([poolTag()]), await createSubnet([poolTag()])];
    const outer = await createStack(toTagList(stackTags(deploymentOf('e2'), used)));
    await createStack(toTagList(stackTags(deploymentOf('e2'), used)));
    await createStack(toTagList(stackTags(deploymentOf('e1'), used)));
    await createStack(toTagList(deploymentTags(deploymentOf('e3'))));
    await createStack([{ Key: tagKeys.subnet, Value: free }]);
    const usage = async () =>
      Object.fromEntries(
        (await describePoolSubnets()).map(({ subnetId, usedByEpochs }) => [subnetId, usedByEpochs]),
      );
    expect(await usage()).toEqual({ [used]: ['e1', 'e2'], [free]: [] });

    // The second stack of the epoch is still there.
    await aws().clients.cloudFormation.send(new DeleteStackCommand({ StackName: outer }));
    expect(await usage()).toEqual({ [used]: ['e1', 'e2'], [free]: [] });
  });

  test('more subnets and stacks than fit on a page are all seen', async () => {
    const [subnetId] = await Promise.all(Array.from({ length: 30 }, async () => createSubnet([poolTag()])));
    const epochs = Array.from({ length: 120 }, (_, index) => `p${index}`);
    for (const epoch of epochs) await createStack(toTagList(stackTags(deploymentOf(epoch), subnetId ?? '')));
    const subnets = await describePoolSubnets();
    expect(subnets).toHaveLength(30);
    expect(subnets.find((subnet) => subnet.subnetId === subnetId)?.usedByEpochs).toEqual(epochs.toSorted());
  });
});
