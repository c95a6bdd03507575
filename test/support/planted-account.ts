import { CreateStackCommand } from '@aws-sdk/client-cloudformation';
import {
  CreateLogGroupCommand,
  CreateLogStreamCommand,
  PutLogEventsCommand,
  PutRetentionPolicyCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import {
  CreateKeyPairCommand,
  CreateNetworkInterfaceCommand,
  CreateSubnetCommand,
  CreateVpcCommand,
  DescribeImagesCommand,
  RunInstancesCommand,
  StopInstancesCommand,
} from '@aws-sdk/client-ec2';
import { CreateAccessPointCommand, CreateFileSystemCommand as CreateEfsCommand } from '@aws-sdk/client-efs';
import { CreateDataRepositoryAssociationCommand, CreateFileSystemCommand } from '@aws-sdk/client-fsx';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { CreateSecretCommand, DeleteSecretCommand } from '@aws-sdk/client-secrets-manager';
import { clusterName, keyPairName, keySecretName, outerStackName } from '../../src/domain/cluster-name.ts';
import type { Deployment } from '../../src/domain/deployment.ts';
import { clusterWorkflowId, newEpochId } from '../../src/domain/ids.ts';
import type { ResourceKind } from '../../src/domain/orphans.ts';
import { deploymentTags, keyTags, tagKeys, tenantTags, toTagList } from '../../src/domain/resource-tags.ts';
import type { Lease } from '../../src/domain/subnets.ts';
import type { AwsClients } from '../../src/clients/aws.ts';
import type { AwsEmulators } from '../../src/dev/aws-emulators.ts';
import type { EmulatedAws } from './aws.ts';
import { eventually } from './platform.ts';

/*
 * One orphan of every kind, and beside each what looks like one and must stay.
 */

/** Everything that is planted is older by then than any retention. */
export const LATER_DAYS = 100;
/** Whose everything is that is planted, but where it says otherwise. */
export const INSTALLATION = 'vpc-1/pool';
export const now = () => Date.now() + LATER_DAYS * 86_400_000;

let deployments = 0;
const deploymentOf = (projectId: string): Deployment => {
  const tenant = { virtualLabId: 'sweep', projectId };
  deployments += 1;
  const epoch = newEpochId(Date.now(), `0123456${deployments}`.slice(-5));
  return { ...tenant, clusterName: clusterName(tenant), epoch };
};
export const orphan = deploymentOf('orphan');
export const living = deploymentOf('living');
const leaseOnly = deploymentOf('lease-only');
const inhabited = deploymentOf('inhabited');
const lostLustre = deploymentOf('lost-lustre');

/** What was planted, by what a sweep must take it for: ids, and for look-alikes what it must say of them. */
export interface Planted {
  readonly ids: Partial<Record<ResourceKind | 'stopped' | 'look-alike' | 'remnant', string[]>>;
  readonly leases: readonly Lease[];
  readonly vpcId: string;
  readonly subnetIds: readonly string[];
}

interface Planting extends Pick<AwsEmulators, 'fsx'> {
  readonly clients: AwsClients;
  readonly subnetIds: string[];
  readonly ids: Planted['ids'];
}

function note({ ids }: Planting, kind: keyof Planted['ids'], id: string | undefined): void {
  ids[kind] = [...(ids[kind] ?? []), id ?? ''];
}

/** Plants everything into an account that has nothing. */
export async function plantAccount({ clients, emulators }: EmulatedAws): Promise<Planted> {
  for (const Bucket of ['control', 'data']) await clients.s3.send(new CreateBucketCommand({ Bucket }));
  const { Vpc } = await clients.ec2.send(new CreateVpcCommand({ CidrBlock: '10.9.0.0/16' }));
  const vpcId = Vpc?.VpcId ?? '';
  const planting: Planting = { clients, fsx: emulators.fsx, subnetIds: [], ids: {} };
  for (const third of [1, 2, 3]) {
    const TagSpecifications = [
      { ResourceType: 'subnet' as const, Tags: [{ Key: tagKeys.pool, Value: 'pool' }] },
    ];
    const CidrBlock = `10.9.${third}.0/24`;
    const made = await clients.ec2.send(
      new CreateSubnetCommand({ VpcId: vpcId, CidrBlock, TagSpecifications }),
    );
    planting.subnetIds.push(made.Subnet?.SubnetId ?? '');
  }
  await plantCompute(planting);
  await plantKeys(planting);
  await plantStorage(planting);
  await plantLogGroups(planting);
  const [own = '', free = '', used = ''] = planting.subnetIds;
  const node = new CreateNetworkInterfaceCommand({ SubnetId: used, Description: 'of a node' });
  const { NetworkInterface } = await clients.ec2.send(node);
  const interfaceId = NetworkInterface?.NetworkInterfaceId;
  note(
    planting,
    'look-alike',
    `subnet-lease ${used}: The network interface ${interfaceId} (of a node) is in it.`,
  );
  const leases = [leaseOf(orphan, own), leaseOf(leaseOnly, free), leaseOf(inhabited, used)];
  return { ids: planting.ids, leases, vpcId, subnetIds: planting.subnetIds };
}

function leaseOf(deployment: Deployment, subnetId: string): Lease {
  const since = new Date().toISOString();
  const holderWorkflowId = clusterWorkflowId(deployment);
  return { epoch: deployment.epoch, holderWorkflowId, subnetId, availabilityZone: 'us-east-1a', since };
}

async function plantCompute(planting: Planting): Promise<void> {
  const { cloudFormation, ec2 } = planting.clients;
  const TemplateBody = JSON.stringify({
    Resources: { Nothing: { Type: 'AWS::CloudFormation::WaitConditionHandle' } },
  });
  const stack = async (StackName: string, tags: Readonly<Record<string, string>>) => {
    const command = new CreateStackCommand({ StackName, TemplateBody, Tags: toTagList(tags) });
    return (await cloudFormation.send(command)).StackId;
  };
  note(
    planting,
    'stack',
    await stack(outerStackName(orphan.clusterName), deploymentTags(orphan, INSTALLATION)),
  );
  await stack(outerStackName(living.clusterName), deploymentTags(living, INSTALLATION));
  const copy = await stack('provisioner-pcluster-copy', deploymentTags(orphan, INSTALLATION));
  note(planting, 'look-alike', `stack ${copy}: We would have named it otherwise.`);
  const { Images: [image] = [] } = await ec2.send(new DescribeImagesCommand({}));
  const instance = async (tags: Readonly<Record<string, string>>) => {
    const command = new RunInstancesCommand({
      ImageId: image?.ImageId ?? '',
      InstanceType: 't3.medium',
      MinCount: 1,
      MaxCount: 1,
      SubnetId: planting.subnetIds[0],
      TagSpecifications: [{ ResourceType: 'instance', Tags: toTagList(tags) }],
    });
    return (await ec2.send(command)).Instances?.[0]?.InstanceId;
  };
  note(planting, 'instance', await instance(deploymentTags(orphan, INSTALLATION)));
  const stopped = (await instance(deploymentTags(leaseOnly, INSTALLATION))) ?? '';
  await ec2.send(new StopInstancesCommand({ InstanceIds: [stopped] }));
  note(planting, 'stopped', stopped);
  await instance(deploymentTags(living, INSTALLATION));
  const foreign = await instance({
    ...deploymentTags(orphan, INSTALLATION),
    [tagKeys.cluster]: 'pcluster-other',
  });
  note(planting, 'look-alike', `instance ${foreign}: Its cluster is not that of its tenant.`);
}

async function plantKeys(planting: Planting): Promise<void> {
  const { ec2, secretsManager } = planting.clients;
  const key = async (KeyName: string, tags: Readonly<Record<string, string>>) => {
    const TagSpecifications = [{ ResourceType: 'key-pair' as const, Tags: toTagList(tags) }];
    const command = new CreateKeyPairCommand({ KeyName, KeyType: 'ed25519', TagSpecifications });
    return (await ec2.send(command)).KeyPairId;
  };
  note(planting, 'key-pair', await key(keyPairName(orphan, 'admin'), keyTags(orphan, 'admin', INSTALLATION)));
  await key(keyPairName(living, 'admin'), keyTags(living, 'admin', INSTALLATION));
  const other = await key('somebody-elses', { [tagKeys.epoch]: orphan.epoch });
  note(planting, 'look-alike', `key-pair ${other}: It lacks tags that we would have set.`);
  const secret = async (Name: string, tags: Readonly<Record<string, string>>) => {
    const command = new CreateSecretCommand({ Name, SecretString: 'x', Tags: toTagList(tags) });
    return (await secretsManager.send(command)).ARN;
  };
  note(
    planting,
    'secret',
    await secret(keySecretName(orphan, 'slurm-api'), keyTags(orphan, 'slurm-api', INSTALLATION)),
  );
  const going = await secret(keySecretName(orphan, 'admin'), keyTags(orphan, 'admin', INSTALLATION));
  await secretsManager.send(new DeleteSecretCommand({ SecretId: going, RecoveryWindowInDays: 7 }));
  const wrong = await secret('a-copy', keyTags(orphan, 'admin', INSTALLATION));
  note(planting, 'look-alike', `secret ${wrong}: We would have named it otherwise.`);
}

async function plantStorage(planting: Planting): Promise<void> {
  const { efs } = planting.clients;
  for (const CreationToken of ['configured', 'of-before']) {
    const { FileSystemId } = await efs.send(new CreateEfsCommand({ CreationToken }));
    const point = async (deployment: Deployment) => {
      const ClientToken = `${deployment.epoch}${CreationToken}`;
      const Tags = toTagList(deploymentTags(deployment, INSTALLATION));
      return (await efs.send(new CreateAccessPointCommand({ ClientToken, FileSystemId, Tags })))
        .AccessPointId;
    };
    note(planting, 'access-point', await point(orphan));
    await point(living);
  }
  const own = await plantLustre(planting, deploymentTags(orphan, INSTALLATION));
  note(planting, 'lustre', own);
  note(
    planting,
    'lustre-link',
    await plantLink(planting, own, '/scratch', deploymentTags(orphan, INSTALLATION)),
  );
  const foreign = await plantLustre(planting, {});
  const linked = await plantLink(planting, foreign, '/foreign', deploymentTags(orphan, INSTALLATION));
  note(planting, 'look-alike', `lustre-link ${linked}: ${foreign} is not of its deployment.`);
  await plantLink(planting, foreign, '/untagged', {});
  const lost = await plantLustre(planting, deploymentTags(lostLustre, INSTALLATION));
  const stray = await plantLink(planting, lost, '/lost', deploymentTags(lostLustre, INSTALLATION));
  const elsewhere = await plantLustre(planting, deploymentTags(orphan, 'vpc-2/pool'));
  note(planting, 'look-alike', `lustre ${elsewhere}: It is of the installation vpc-2/pool.`);
  await planting.fsx.loseWithoutLinks(lost);
  note(planting, 'remnant', stray);
}

async function plantLustre(
  { clients, subnetIds }: Planting,
  tags: Readonly<Record<string, string>>,
): Promise<string> {
  const { FileSystem } = await clients.fsx.send(
    new CreateFileSystemCommand({
      FileSystemType: 'LUSTRE',
      StorageCapacity: 1200,
      StorageType: 'SSD',
      SubnetIds: [subnetIds[0] ?? ''],
      LustreConfiguration: { DeploymentType: 'PERSISTENT_2', PerUnitStorageThroughput: 250 },
      Tags: toTagList(tags),
    }),
  );
  return FileSystem?.FileSystemId ?? '';
}

async function plantLink(
  { clients }: Planting,
  FileSystemId: string,
  path: string,
  tags: Readonly<Record<string, string>>,
): Promise<string> {
  const link = new CreateDataRepositoryAssociationCommand({
    FileSystemId,
    FileSystemPath: path,
    DataRepositoryPath: `s3://data${path}/`,
    Tags: toTagList(tags),
  });
  // One after the other, and only when the file system is there.
  const made = await eventually(
    async () => clients.fsx.send(link).catch(() => undefined),
    (answer) => answer !== undefined,
    10,
  );
  return made?.Association?.AssociationId ?? '';
}

async function plantLogGroups(planting: Planting): Promise<void> {
  const { logs } = planting.clients;
  const group = async (
    logGroupName: string,
    tags: Readonly<Record<string, string>>,
    retentionInDays = 30,
  ) => {
    await logs.send(new CreateLogGroupCommand({ logGroupName, tags: { ...tags } }));
    if (retentionInDays > 0)
      await logs.send(new PutRetentionPolicyCommand({ logGroupName, retentionInDays }));
    return logGroupName;
  };
  const ours = (project: string) => `/parallelcluster-provisioner/sweep/${project}`;
  const nodes = (deployment: Deployment) => `/aws/parallelcluster/${deployment.clusterName}-202611261030`;
  note(planting, 'remnant', await group(ours('orphan'), tenantTags(orphan, INSTALLATION)));
  note(planting, 'remnant', await group(nodes(orphan), deploymentTags(orphan, INSTALLATION)));
  await logs.send(new CreateLogStreamCommand({ logGroupName: ours('orphan'), logStreamName: 'one' }));
  await logs.send(new CreateLogStreamCommand({ logGroupName: ours('orphan'), logStreamName: 'other' }));
  await group(ours('living'), tenantTags(living, INSTALLATION));
  await group(nodes(living), deploymentTags(living, INSTALLATION));
  const written = await group(ours('lease-only'), tenantTags(leaseOnly, INSTALLATION));
  await logs.send(new CreateLogStreamCommand({ logGroupName: written, logStreamName: 'job' }));
  await logs.send(
    new PutLogEventsCommand({
      logGroupName: written,
      logStreamName: 'job',
      logEvents: [{ timestamp: Date.now(), message: 'still here' }],
    }),
  );
  await group(ours('young'), tenantTags(deploymentOf('young'), INSTALLATION), 365);
  const untagged = await group(ours('untagged'), {});
  note(planting, 'look-alike', `log-group ${untagged}: It lacks tags that we would have set.`);
  const forEver = await group(ours('inhabited'), tenantTags(inhabited, INSTALLATION), 0);
  note(planting, 'look-alike', `log-group ${forEver}: It is empty, and no retention says when it may go.`);
  await group('/somebody/else', tenantTags(orphan, INSTALLATION));
}
