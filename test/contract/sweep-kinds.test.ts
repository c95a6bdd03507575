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
} from '@aws-sdk/client-ec2';
import { CreateAccessPointCommand, CreateFileSystemCommand as CreateEfsCommand } from '@aws-sdk/client-efs';
import {
  CreateDataRepositoryAssociationCommand,
  CreateFileSystemCommand,
  DescribeDataRepositoryAssociationsCommand,
} from '@aws-sdk/client-fsx';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { CreateSecretCommand } from '@aws-sdk/client-secrets-manager';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createSweepActivities } from '../../src/activities/sweep.ts';
import { createS3CostStore } from '../../src/clients/cost-store.ts';
import { startMeter } from '../../src/domain/cost-meter.ts';
import { EMULATED_REGION } from '../../src/dev/emulated-account.ts';
import { clusterName, keyPairName, keySecretName, outerStackName } from '../../src/domain/cluster-name.ts';
import type { Deployment } from '../../src/domain/deployment.ts';
import { clusterWorkflowId, newEpochId } from '../../src/domain/ids.ts';
import type { ResourceKind } from '../../src/domain/orphans.ts';
import { deploymentTags, keyTags, tagKeys, tenantTags, toTagList } from '../../src/domain/resource-tags.ts';
import type { Lease } from '../../src/domain/subnets.ts';
import { logGroupNames } from '../../src/dev/leftovers.ts';
import { runActivity } from '../support/activity.ts';
import { useEmulatedAws } from '../support/aws.ts';
import { eventually } from '../support/platform.ts';

/* One orphan of every kind, and beside each what looks like one and must stay. */
const aws = useEmulatedAws();
/** Everything that is planted is older by then than any retention. */
const LATER_DAYS = 100;
const now = () => Date.now() + LATER_DAYS * 86_400_000;

let deployments = 0;
const deploymentOf = (projectId: string): Deployment => {
  const tenant = { virtualLabId: 'sweep', projectId };
  deployments += 1;
  const epoch = newEpochId(Date.now(), `0123456${deployments}`.slice(-5));
  return { ...tenant, clusterName: clusterName(tenant), epoch };
};
const orphan = deploymentOf('orphan');
const living = deploymentOf('living');
const leaseOnly = deploymentOf('lease-only');
const inhabited = deploymentOf('inhabited');
const lostLustre = deploymentOf('lost-lustre');
const control = () => ({ s3: aws().clients.s3, bucket: 'control' });

let leases: Lease[];
/** Workflows that run, with their views. */
let running: Record<string, unknown>;
let subnetIds: string[];
const planted: Partial<Record<ResourceKind | 'look-alike' | 'remnant', string[]>> = {};
const plant = (kind: keyof typeof planted, id: string | undefined) => {
  planted[kind] = [...(planted[kind] ?? []), id ?? ''];
  return id ?? '';
};

beforeAll(async () => {
  const { clients } = aws();
  for (const Bucket of ['control', 'data']) await clients.s3.send(new CreateBucketCommand({ Bucket }));
  const { Vpc } = await clients.ec2.send(new CreateVpcCommand({ CidrBlock: '10.9.0.0/16' }));
  subnetIds = [];
  for (const third of [1, 2, 3]) {
    const CidrBlock = `10.9.${third}.0/24`;
    const made = await clients.ec2.send(new CreateSubnetCommand({ VpcId: Vpc?.VpcId ?? '', CidrBlock }));
    subnetIds.push(made.Subnet?.SubnetId ?? '');
  }
  await plantCompute();
  await plantKeys();
  await plantStorage();
  await plantLogGroups();
  const [own = '', free = '', used = ''] = subnetIds;
  leases = [
    [orphan, own],
    [leaseOnly, free],
    [inhabited, used],
  ].map(([deployment, subnetId]) => leaseOf(deployment as Deployment, subnetId as string));
  const { NetworkInterface } = await clients.ec2.send(
    new CreateNetworkInterfaceCommand({ SubnetId: used, Description: 'of a node' }),
  );
  plant(
    'look-alike',
    `subnet-lease ${used}: The network interface ${NetworkInterface?.NetworkInterfaceId} (of a node) is in it.`,
  );
}, 60_000);

beforeEach(() => {
  running = { [clusterWorkflowId(living)]: { epoch: living.epoch, state: 'ready', openCampaigns: 1 } };
});

function leaseOf(deployment: Deployment, subnetId: string): Lease {
  const since = new Date().toISOString();
  const holderWorkflowId = clusterWorkflowId(deployment);
  return { epoch: deployment.epoch, holderWorkflowId, subnetId, availabilityZone: 'us-east-1a', since };
}

async function plantCompute(): Promise<void> {
  const { cloudFormation, ec2 } = aws().clients;
  const TemplateBody = JSON.stringify({
    Resources: { Nothing: { Type: 'AWS::CloudFormation::WaitConditionHandle' } },
  });
  const stack = async (StackName: string, tags: Readonly<Record<string, string>>) => {
    const command = new CreateStackCommand({ StackName, TemplateBody, Tags: toTagList(tags) });
    return (await cloudFormation.send(command)).StackId;
  };
  plant('stack', await stack(outerStackName(orphan.clusterName), deploymentTags(orphan)));
  await stack(outerStackName(living.clusterName), deploymentTags(living));
  const copy = await stack('provisioner-pcluster-copy', deploymentTags(orphan));
  plant('look-alike', `stack ${copy}: We would have named it otherwise.`);
  const { Images: [image] = [] } = await ec2.send(new DescribeImagesCommand({}));
  const instance = async (tags: Readonly<Record<string, string>>) => {
    const command = new RunInstancesCommand({
      ImageId: image?.ImageId ?? '',
      InstanceType: 't3.medium',
      MinCount: 1,
      MaxCount: 1,
      SubnetId: subnetIds[0],
      TagSpecifications: [{ ResourceType: 'instance', Tags: toTagList(tags) }],
    });
    return (await ec2.send(command)).Instances?.[0]?.InstanceId;
  };
  plant('instance', await instance(deploymentTags(orphan)));
  await instance(deploymentTags(living));
  const foreign = await instance({ ...deploymentTags(orphan), [tagKeys.cluster]: 'pcluster-other' });
  plant('look-alike', `instance ${foreign}: Its cluster is not that of its tenant.`);
}

async function plantKeys(): Promise<void> {
  const { ec2, secretsManager } = aws().clients;
  const key = async (KeyName: string, tags: Readonly<Record<string, string>>) => {
    const TagSpecifications = [{ ResourceType: 'key-pair' as const, Tags: toTagList(tags) }];
    const command = new CreateKeyPairCommand({ KeyName, KeyType: 'ed25519', TagSpecifications });
    return (await ec2.send(command)).KeyPairId;
  };
  plant('key-pair', await key(keyPairName(orphan, 'admin'), keyTags(orphan, 'admin')));
  await key(keyPairName(living, 'admin'), keyTags(living, 'admin'));
  const other = await key('somebody-elses', { [tagKeys.epoch]: orphan.epoch });
  plant('look-alike', `key-pair ${other}: It lacks tags that we would have set.`);
  const secret = async (Name: string, tags: Readonly<Record<string, string>>) => {
    const command = new CreateSecretCommand({ Name, SecretString: 'x', Tags: toTagList(tags) });
    return (await secretsManager.send(command)).ARN;
  };
  plant('secret', await secret(keySecretName(orphan, 'slurm-api'), keyTags(orphan, 'slurm-api')));
  const wrong = await secret('a-copy', keyTags(orphan, 'admin'));
  plant('look-alike', `secret ${wrong}: We would have named it otherwise.`);
}

async function plantStorage(): Promise<void> {
  const { efs } = aws().clients;
  for (const CreationToken of ['configured', 'of-before']) {
    const { FileSystemId } = await efs.send(new CreateEfsCommand({ CreationToken }));
    const point = async (deployment: Deployment) => {
      const ClientToken = `${deployment.epoch}${CreationToken}`;
      const Tags = toTagList(deploymentTags(deployment));
      return (await efs.send(new CreateAccessPointCommand({ ClientToken, FileSystemId, Tags })))
        .AccessPointId;
    };
    plant('access-point', await point(orphan));
    await point(living);
  }
  const own = await plantLustre(deploymentTags(orphan));
  plant('lustre', own);
  plant('lustre-link', await plantLink(own, '/scratch', deploymentTags(orphan)));
  const foreign = await plantLustre({});
  const linked = await plantLink(foreign, '/foreign', deploymentTags(orphan));
  plant('look-alike', `lustre-link ${linked}: ${foreign} is not of its deployment.`);
  await plantLink(foreign, '/untagged', {});
  const lost = await plantLustre(deploymentTags(lostLustre));
  const stray = await plantLink(lost, '/lost', deploymentTags(lostLustre));
  await aws().emulators.fsx.loseWithoutLinks(lost);
  plant('remnant', stray);
}

async function plantLustre(tags: Readonly<Record<string, string>>): Promise<string> {
  const { FileSystem } = await aws().clients.fsx.send(
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
    async () =>
      aws()
        .clients.fsx.send(link)
        .catch(() => undefined),
    (answer) => answer !== undefined,
    10,
  );
  return made?.Association?.AssociationId ?? '';
}

async function plantLogGroups(): Promise<void> {
  const { logs } = aws().clients;
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
  plant('remnant', await group(ours('orphan'), tenantTags(orphan)));
  plant('remnant', await group(nodes(orphan), deploymentTags(orphan)));
  await group(ours('living'), tenantTags(living));
  await group(nodes(living), deploymentTags(living));
  const written = await group(ours('lease-only'), tenantTags(leaseOnly));
  await logs.send(new CreateLogStreamCommand({ logGroupName: written, logStreamName: 'job' }));
  await logs.send(
    new PutLogEventsCommand({
      logGroupName: written,
      logStreamName: 'job',
      logEvents: [{ timestamp: Date.now(), message: 'still here' }],
    }),
  );
  await group(ours('young'), tenantTags(deploymentOf('young')), 365);
  const untagged = await group(ours('untagged'), {});
  plant('look-alike', `log-group ${untagged}: It lacks tags that we would have set.`);
  const forEver = await group(ours('inhabited'), tenantTags(inhabited), 0);
  plant('look-alike', `log-group ${forEver}: It is empty, and no retention says when it may go.`);
  await group('/somebody/else', tenantTags(orphan));
}

function sweepActivities() {
  return createSweepActivities({
    ...aws().clients,
    region: EMULATED_REGION,
    costStore: createS3CostStore(control()),
    listLeases: async () => leases,
    describeWorkflow: async (id) => (id in running ? { isRunning: true, view: running[id] } : undefined),
    now,
  });
}
const survey = async () => {
  const { surveyOrphans } = sweepActivities();
  return runActivity(async () => surveyOrphans(), undefined);
};
const allLogGroups = async () => logGroupNames(aws().clients, '/');

describe('a sweep of an account', () => {
  test('finds an orphan of every kind, and tells what only looks like one', async () => {
    const { orphans, lookAlikes, remnants = [] } = await survey();
    const found = Object.groupBy(
      orphans.find(({ epoch }) => epoch === orphan.epoch)?.resources ?? [],
      ({ kind }) => kind,
    );
    for (const kind of [
      'stack',
      'instance',
      'lustre',
      'lustre-link',
      'access-point',
      'key-pair',
      'secret',
    ] as const)
      expect(found[kind]?.map(({ id }) => id).toSorted(), kind).toEqual(planted[kind]?.toSorted());
    expect(found['subnet-lease']?.map(({ id }) => id)).toEqual([subnetIds[0]]);
    expect(orphans.map(({ projectId }) => projectId).toSorted()).toEqual(['lease-only', 'orphan']);
    expect(remnants.map(({ id }) => id).toSorted()).toEqual(planted.remnant?.toSorted());
    expect(lookAlikes.map(({ kind, id, because }) => `${kind} ${id}: ${because}`).toSorted()).toEqual(
      planted['look-alike']?.toSorted(),
    );
  });

  test('prices what it finds, with what the deployment’s own meter had come to', async () => {
    const priceNow = async () => (await survey()).orphans.find(({ epoch }) => epoch === orphan.epoch)?.cost;
    const before = await priceNow();
    // A t3.medium with its disk, 1,200 GiB of Lustre, one secret.
    expect(before?.usdPerMonth).toBeCloseTo(0.0416 * 730 + 40 * 0.08 + 1200 * 0.21 + 0.4, 2);
    expect(before?.unpriced).toEqual([]);
    expect(before?.usdSoFar).toBeCloseTo((before?.usdPerHour ?? 0) * 24 * LATER_DAYS, 0);
    const meter = {
      ...startMeter(new Date(now()).toISOString()),
      usd: { headNode: 5, nodes: 0, rootVolumes: 0, lustre: 0, endpoints: 9 },
    };
    await createS3CostStore(control()).putDeployment(orphan, { meter, startedAt: meter.since });
    // The secret is on no meter.
    expect((await priceNow())?.usdSoFar).toBeCloseTo(5 + (0.4 / 730) * 24 * LATER_DAYS, 1);
  });

  test('removes nothing that came back to life after the look', async () => {
    const { remnants = [] } = await survey();
    running[clusterWorkflowId(orphan)] = { epoch: orphan.epoch, state: 'provisioning' };
    const groups = remnants.filter(({ kind }) => kind === 'log-group');
    const before = await allLogGroups();
    const outcomes = await runActivity(sweepActivities().removeRemnants, { remnants: groups });
    expect(outcomes.map(({ isRemoved, because }) => `${isRemoved} ${because}`)).toEqual([
      'false It is in use again.',
      'false It is in use again.',
    ]);
    expect(await allLogGroups()).toEqual(before);
  });

  test('makes the log group of a tenant anew who came back in the very moment', async () => {
    const [remnant] = (await survey()).remnants?.filter(({ id }) => id.endsWith('/sweep/orphan')) ?? [];
    let looks = 0;
    const activities = createSweepActivities({
      ...aws().clients,
      region: EMULATED_REGION,
      costStore: createS3CostStore(control()),
      listLeases: async () => [],
      describeWorkflow: async () => {
        looks += 1;
        return looks === 1 ? undefined : { isRunning: true, view: { state: 'provisioning' } };
      },
      now,
    });
    const request = { remnants: remnant ? [remnant] : [] };
    const outcomes = await runActivity(activities.removeRemnants, request);
    expect(outcomes).toMatchObject([
      { isRemoved: false, because: 'Its tenant came back: it was made anew.' },
    ]);
    expect(await allLogGroups()).toContain(remnant?.id);
    expect((await survey()).remnants?.map(({ id }) => id)).toContain(remnant?.id);
  });

  test('removes what is empty and belongs to nothing, and nothing else', async () => {
    const { remnants = [] } = await survey();
    const before = await allLogGroups();
    const outcomes = await runActivity(sweepActivities().removeRemnants, { remnants });
    expect(outcomes.every(({ isRemoved }) => isRemoved)).toBe(true);
    const removed = new Set(planted.remnant);
    expect(await allLogGroups()).toEqual(before.filter((name) => !removed.has(name)));
    const links = async () =>
      (await aws().clients.fsx.send(new DescribeDataRepositoryAssociationsCommand({}))).Associations ?? [];
    const left = await eventually(links, (found) => found.length === 3, 10);
    expect(left.some(({ AssociationId = '' }) => removed.has(AssociationId))).toBe(false);
    expect((await survey()).remnants).toEqual([]);
  });

  test('removes no link whose file system is there after all', async () => {
    const id = planted['lustre-link']?.[0] ?? '';
    const remnants = [{ kind: 'lustre-link' as const, id, because: 'somebody said so' }];
    const [outcome] = await runActivity(sweepActivities().removeRemnants, { remnants });
    expect(outcome).toMatchObject({ isRemoved: false, because: `${planted.lustre?.[0]} is AVAILABLE.` });
  });
});
