import {
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  CreateSubnetCommand,
  CreateVpcCommand,
  CreateVpcEndpointCommand,
  DescribeSecurityGroupsCommand,
  DescribeSubnetsCommand,
  DescribeVpcEndpointsCommand,
  DescribeVpcsCommand,
} from '@aws-sdk/client-ec2';
import type { EC2Client, Filter, Tag } from '@aws-sdk/client-ec2';
import { CreateFileSystemCommand, DescribeFileSystemsCommand, type EFSClient } from '@aws-sdk/client-efs';
import {
  BucketAlreadyOwnedByYou,
  CreateBucketCommand,
  PutPublicAccessBlockCommand,
} from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { EMULATED_ACCOUNT_ID, EMULATED_REGION } from './emulated-account.ts';
import type { DevAwsClients } from './aws-clients.ts';
import type { StorageBuckets } from '../domain/lustre.ts';
import { requiredEndpoints } from '../domain/required-endpoints.ts';
import { installProviderFunction } from './provider/function.ts';

/** The private network, /16 as one VPC allows at most (VPC quotas), so that the pool can have 256 subnets of /24. */
const VPC_CIDR = '10.83.0.0/16';
/** Subnets of the pool alternate between zones: capacity differs by zone. */
const ZONES = ['a', 'b'] as const;

/** What to create. */
export interface SeedOptions {
  readonly clients: DevAwsClients;
  /** Subnets in the pool, which bounds how many clusters can live at a time. At most 256. */
  readonly subnetCount: number;
  /** Tag by which the Provisioner finds the subnets of its pool. */
  readonly poolTag: { readonly key: string; readonly value: string };
  /** Where the provider's function sends the custom-resource events. */
  readonly providerUrl: string;
}

/** What the foundation of a real installation would output. */
export interface SeededAws {
  readonly vpcId: string;
  readonly subnetIds: readonly string[];
  readonly controlBucket: string;
  readonly storageBuckets: StorageBuckets;
  /** Of the homes of all tenants. */
  readonly efsFileSystemId: string;
  /** Lets Lustre in from the network. */
  readonly lustreSecurityGroupId: string;
  /** ServiceToken of the ParallelCluster custom resource. */
  readonly providerArn: string;
}

/**
 * Creates what `infra/` creates on AWS: a VPC without internet gateway, its pool of private subnets, the control
 * bucket and the ParallelCluster provider. Whatever is there already is used as it is.
 */
export async function seedAws(options: SeedOptions): Promise<SeededAws> {
  const { clients, poolTag } = options;
  const [network, controlBucket, providerArn] = await Promise.all([
    seedNetwork(clients.ec2, { Key: poolTag.key, Value: poolTag.value }, options.subnetCount),
    seedBucket(clients.s3, `parallelcluster-provisioner-${poolTag.value}`),
    installProviderFunction(clients.cloudFormation, options.providerUrl),
  ]);
  const bucketFor = async (what: string) => seedBucket(clients.s3, `${poolTag.value}-${what}`);
  const [scratch, projectPublic, projectPrivate] = await Promise.all([
    bucketFor('scratch'),
    bucketFor('project-public'),
    bucketFor('project-private'),
  ]);
  return {
    ...network,
    controlBucket,
    storageBuckets: { scratch, projectPublic, projectPrivate },
    efsFileSystemId: await seedHomes(clients.efs, poolTag.value),
    lustreSecurityGroupId: await seedLustreSecurityGroup(clients.ec2, network.vpcId),
    providerArn,
  };
}

async function seedNetwork(
  ec2: EC2Client,
  poolTag: Tag,
  subnetCount: number,
): Promise<Pick<SeededAws, 'vpcId' | 'subnetIds'>> {
  const vpcId = (await findVpc(ec2, poolTag)) ?? (await createVpc(ec2, poolTag));
  const existing = await poolSubnets(ec2, vpcId, poolTag);
  const subnetIds: string[] = [];
  for (let index = 0; index < subnetCount; index += 1) {
    subnetIds.push(existing.get(subnetCidr(index)) ?? (await createSubnet(ec2, vpcId, poolTag, index)));
  }
  await seedEndpoints(ec2, vpcId);
  return { vpcId, subnetIds };
}

/** One for every service that infra/endpoints.yaml has one for: the network has no other way to AWS. */
async function seedEndpoints(ec2: EC2Client, VpcId: string): Promise<void> {
  const Filters = [{ Name: 'vpc-id', Values: [VpcId] }];
  const { VpcEndpoints = [] } = await ec2.send(new DescribeVpcEndpointsCommand({ Filters }));
  const existing = new Set(VpcEndpoints.map(({ ServiceName }) => ServiceName));
  for (const service of Object.keys(requiredEndpoints)) {
    const ServiceName = `com.amazonaws.${EMULATED_REGION}.${service}`;
    if (!existing.has(ServiceName)) await ec2.send(new CreateVpcEndpointCommand({ VpcId, ServiceName }));
  }
}

function tagFilter(tag: Tag): Filter {
  return { Name: `tag:${tag.Key}`, Values: [tag.Value ?? ''] };
}

async function findVpc(ec2: EC2Client, poolTag: Tag): Promise<string | undefined> {
  const { Vpcs = [] } = await ec2.send(new DescribeVpcsCommand({ Filters: [tagFilter(poolTag)] }));
  return Vpcs[0]?.VpcId;
}

async function createVpc(ec2: EC2Client, poolTag: Tag): Promise<string> {
  const TagSpecifications = [{ ResourceType: 'vpc' as const, Tags: [poolTag] }];
  const { Vpc } = await ec2.send(new CreateVpcCommand({ CidrBlock: VPC_CIDR, TagSpecifications }));
  return present(Vpc?.VpcId, 'CreateVpc');
}

/** CIDR to id of the subnets that the pool has already. */
async function poolSubnets(ec2: EC2Client, vpcId: string, poolTag: Tag): Promise<Map<string, string>> {
  const Filters = [{ Name: 'vpc-id', Values: [vpcId] }, tagFilter(poolTag)];
  const { Subnets = [] } = await ec2.send(new DescribeSubnetsCommand({ Filters }));
  return new Map(Subnets.map((subnet) => [subnet.CidrBlock ?? '', subnet.SubnetId ?? '']));
}

async function createSubnet(ec2: EC2Client, vpcId: string, poolTag: Tag, index: number): Promise<string> {
  const { Subnet } = await ec2.send(
    new CreateSubnetCommand({
      VpcId: vpcId,
      CidrBlock: subnetCidr(index),
      AvailabilityZone: `${EMULATED_REGION}${ZONES[index % ZONES.length]}`,
      TagSpecifications: [{ ResourceType: 'subnet', Tags: [poolTag] }],
    }),
  );
  return present(Subnet?.SubnetId, 'CreateSubnet');
}

function subnetCidr(index: number): string {
  return VPC_CIDR.replace('.0.0/16', `.${index}.0/24`);
}

async function seedHomes(efs: EFSClient, poolName: string): Promise<string> {
  const CreationToken = `homes-${poolName}`;
  const { FileSystems = [] } = await efs.send(new DescribeFileSystemsCommand({ CreationToken }));
  const existing = FileSystems[0]?.FileSystemId;
  if (existing !== undefined) return existing;
  const { FileSystemId } = await efs.send(new CreateFileSystemCommand({ CreationToken, Encrypted: true }));
  return present(FileSystemId, 'CreateFileSystem');
}

/** Lustre's ports (FSx for Lustre guide, "File system access control with Amazon VPC"). */
async function seedLustreSecurityGroup(ec2: EC2Client, vpcId: string): Promise<string> {
  const GroupName = 'lustre';
  const Filters = [
    { Name: 'vpc-id', Values: [vpcId] },
    { Name: 'group-name', Values: [GroupName] },
  ];
  const { SecurityGroups = [] } = await ec2.send(new DescribeSecurityGroupsCommand({ Filters }));
  const existing = SecurityGroups[0]?.GroupId;
  if (existing !== undefined) return existing;
  const { GroupId } = await ec2.send(
    new CreateSecurityGroupCommand({ GroupName, Description: 'Lustre file systems', VpcId: vpcId }),
  );
  const IpRanges = [{ CidrIp: VPC_CIDR }];
  await ec2.send(
    new AuthorizeSecurityGroupIngressCommand({
      GroupId,
      IpPermissions: [
        { IpProtocol: 'tcp', FromPort: 988, ToPort: 988, IpRanges },
        { IpProtocol: 'tcp', FromPort: 1018, ToPort: 1023, IpRanges },
      ],
    }),
  );
  return present(GroupId, 'CreateSecurityGroup');
}

async function seedBucket(s3: S3Client, name: string): Promise<string> {
  const Bucket = `${name}-${EMULATED_ACCOUNT_ID}`;
  try {
    await s3.send(new CreateBucketCommand({ Bucket }));
  } catch (error) {
    if (!(error instanceof BucketAlreadyOwnedByYou)) throw error;
  }
  const block = {
    BlockPublicAcls: true,
    BlockPublicPolicy: true,
    IgnorePublicAcls: true,
    RestrictPublicBuckets: true,
  };
  await s3.send(new PutPublicAccessBlockCommand({ Bucket, PublicAccessBlockConfiguration: block }));
  return Bucket;
}

function present(id: string | undefined, operation: string): string {
  if (id === undefined) throw new Error(`${operation} answered without an id`);
  return id;
}
