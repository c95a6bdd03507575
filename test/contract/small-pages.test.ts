import { CreateStackCommand } from '@aws-sdk/client-cloudformation';
import {
  DescribeImagesCommand,
  DescribeVpcEndpointsCommand,
  CreateVpcEndpointCommand,
} from '@aws-sdk/client-ec2';
import { CreateDataRepositoryTaskCommand } from '@aws-sdk/client-fsx';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createNetworkActivities } from '../../src/activities/network.ts';
import {
  hasDefaultRoute,
  readEc2Quotas,
  readEndpoints,
  readImage,
  readInstanceTypes,
  readLustreQuota,
  readOfferings,
  readRunning,
} from '../../src/activities/preflight-facts.ts';
import { createSweepActivities } from '../../src/activities/sweep.ts';
import { EfsAccessPoints } from '../../src/clients/efs-access-points.ts';
import { instancesOf } from '../../src/clients/instances.ts';
import { lastWrittenAt } from '../../src/clients/log-groups.ts';
import { LustreFileSystems } from '../../src/clients/lustre-file-systems.ts';
import { createStacks } from '../../src/clients/stacks.ts';
import { EMULATED_REGION } from '../../src/dev/emulated-account.ts';
import { priceTable } from '../../src/domain/prices.ts';
import { DescribeAccessPointsCommand } from '@aws-sdk/client-efs';
import { runActivity } from '../support/activity.ts';
import { callsToAws } from '../support/aws-calls.ts';
import { useEmulatedAws } from '../support/aws.ts';
import { INSTALLATION, now, orphan, plantAccount, type Planted } from '../support/planted-account.ts';
import { inSmallPages, pagedOperations } from '../support/small-pages.ts';

/*
 * What reads lists of AWS reads the same however small the pages are, the empty ones among them that AWS sends when a filter
 * leaves nothing of a page.
 */
const aws = useEmulatedAws();
let planted: Planted;
let stackId: string;
let imageId: string;
let efsFileSystemId: string;

beforeAll(async () => {
  planted = await plantAccount(aws());
  const { cloudFormation, ec2, efs, fsx, s3 } = aws().clients;
  const TemplateBody = JSON.stringify({
    Resources: { Nothing: { Type: 'AWS::CloudFormation::WaitConditionHandle' } },
  });
  const made = await cloudFormation.send(new CreateStackCommand({ StackName: 'events', TemplateBody }));
  stackId = made.StackId ?? '';
  for (const Key of ['usage/lab/a/0123456789abcd.json', 'usage/lab/b/0123456789abce.json'])
    await s3.send(new PutObjectCommand({ Bucket: 'control', Key, Body: Key }));
  const { Images = [] } = await ec2.send(new DescribeImagesCommand({}));
  imageId = Images[0]?.ImageId ?? '';
  const { AccessPoints = [] } = await efs.send(new DescribeAccessPointsCommand({}));
  const isPlanted = ({ AccessPointId = '' }) => planted.ids['access-point']?.includes(AccessPointId);
  efsFileSystemId = AccessPoints.find(isPlanted)?.FileSystemId ?? '';
  for (const service of ['ec2', 'logs'])
    await ec2.send(
      new CreateVpcEndpointCommand({
        VpcId: planted.vpcId,
        ServiceName: `com.amazonaws.us-east-1.${service}`,
      }),
    );
  const { VpcEndpoints = [] } = await ec2.send(new DescribeVpcEndpointsCommand({}));
  expect(VpcEndpoints.length).toBeGreaterThan(1);
  await fsx.send(
    new CreateDataRepositoryTaskCommand({
      FileSystemId: planted.ids.lustre?.[0] ?? '',
      Type: 'EXPORT_TO_REPOSITORY',
      Paths: ['scratch'],
      Report: { Enabled: false },
    }),
  );
}, 60_000);

const subnetId = () => planted.subnetIds[0] ?? '';
const lustreId = () => planted.ids.lustre?.[0] ?? '';
const types = ['t3.micro', 't3.medium', 'c5.large'];

/**
 * Readers of lists, and the operations that they read by pages; of one that ends when it has found what it looks for, also its
 * place in the code. Syntax tells that the others read all pages, test/unit/aws-pages.test.ts that there are no others.
 */
type Reader = readonly [operations: readonly string[], read: () => Promise<unknown>, untilFound?: string];
const readers: readonly Reader[] = [
  [
    ['ec2 DescribeSubnets', 'cloudformation DescribeStacks'],
    async () =>
      createNetworkActivities({ ...aws().clients, subnetPool: 'pool' }).describePoolSubnets(planted.vpcId),
  ],
  [
    [
      'cloudformation DescribeStacks',
      'ec2 DescribeInstances',
      'ec2 DescribeNetworkInterfaces',
      'efs DescribeAccessPoints',
      'fsx DescribeDataRepositoryAssociations',
      'fsx DescribeFileSystems',
      'secrets-manager ListSecrets',
      'cloudwatch-logs DescribeLogGroups',
      'cloudwatch-logs DescribeLogStreams',
      's3 ListObjectsV2',
    ],
    async () => {
      const { surveyOrphans } = createSweepActivities({
        ...aws().clients,
        controlBucket: 'control',
        installation: INSTALLATION,
        deploymentStore: { isAbandoned: async () => false },
        region: EMULATED_REGION,
        costStore: { getDeployment: async () => undefined },
        currentPrices: async () => priceTable,
        listLeases: async () => planted.leases,
        describeWorkflow: async () => undefined,
        now: () => Math.floor(now() / 600_000) * 600_000,
      });
      const { orphans, ...rest } = await runActivity(async () => surveyOrphans(), undefined);
      expect(orphans.find(({ epoch }) => epoch === orphan.epoch)?.resources.length).toBeGreaterThan(8);
      return { ...rest, orphans };
    },
  ],
  [
    ['cloudwatch-logs DescribeLogStreams'],
    async () => {
      const name = '/parallelcluster-provisioner/sweep/orphan';
      return lastWrittenAt(aws().clients.logs, { name, arn: '', createdAt: 0, storedBytes: 0 });
    },
  ],
  [
    ['cloudformation DescribeStackEvents'],
    async () => createStacks(aws().clients.cloudFormation).firstFailure(stackId, 'CREATE'),
    'src/clients/stacks.ts firstFailure',
  ],
  [
    ['cloudformation DescribeStackEvents'],
    async () => createStacks(aws().clients.cloudFormation).events(stackId),
  ],
  [['fsx DescribeFileSystems'], async () => new LustreFileSystems(aws().clients.fsx).ofEpoch(orphan.epoch)],
  [
    ['fsx DescribeFileSystems'],
    async () => new LustreFileSystems(aws().clients.fsx).find(lustreId()),
    'src/clients/lustre-file-systems.ts find',
  ],
  [
    ['fsx DescribeDataRepositoryAssociations'],
    async () => {
      const found = await new LustreFileSystems(aws().clients.fsx).findLink(
        planted.ids['lustre-link']?.[0] ?? '',
      );
      expect(found).toBeDefined();
      return found;
    },
    'src/clients/lustre-file-systems.ts findLink',
  ],
  [
    ['ec2 DescribeInstances'],
    async () => {
      const found = await instancesOf(aws().clients.ec2, orphan);
      expect(found).toEqual(planted.ids.instance);
      return found;
    },
  ],
  [
    ['efs DescribeAccessPoints'],
    async () => {
      const found = await new EfsAccessPoints(aws().clients.efs).ofEpoch(efsFileSystemId, orphan.epoch);
      expect(found).toHaveLength(1);
      return found;
    },
  ],
  [
    ['fsx DescribeDataRepositoryAssociations'],
    async () => new LustreFileSystems(aws().clients.fsx).links(lustreId()),
  ],
  [['fsx DescribeDataRepositoryTasks'], async () => taskIds()],
  [['ec2 DescribeImages'], async () => readImage(aws().clients.ec2, imageId)],
  [['ec2 DescribeRouteTables'], async () => hasDefaultRoute(aws().clients.ec2, planted.vpcId, subnetId())],
  [['ec2 DescribeInstances'], async () => readRunning(aws().clients.ec2)],
  [['ec2 DescribeInstanceTypeOfferings'], async () => readOfferings(aws().clients.ec2, 'us-east-1a', types)],
  [['ec2 DescribeInstanceTypes'], async () => readInstanceTypes(aws().clients.ec2, types)],
  [['ec2 DescribeVpcEndpoints'], async () => readEndpoints(aws().clients.ec2, planted.vpcId)],
  [['service-quotas ListServiceQuotas'], async () => readEc2Quotas(aws().clients.serviceQuotas)],
  [
    ['service-quotas ListServiceQuotas', 'fsx DescribeFileSystems'],
    async () => readLustreQuota(aws().clients.serviceQuotas, aws().clients.fsx),
  ],
];

/** Tasks go on meanwhile: their ids do not. */
async function taskIds(): Promise<unknown> {
  const tasks = await new LustreFileSystems(aws().clients.fsx).tasks(lustreId());
  return tasks.map(({ TaskId }) => TaskId);
}

/** Lists that are read page by page, and not here. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'pricing GetProducts':
    'no emulator knows it: price-list.contract.test.ts has an empty page, then pages of two',
  'cloudwatch GetMetricData': 'only until the first value: lustre.test.ts has a page without one',
};
const UNTIL_FOUND_ELSEWHERE = ['src/activities/lustre-export.ts oldestQueued'];

describe('what reads lists of AWS', () => {
  it.each(readers.map(([operations, read]) => [operations, read] as const))(
    'reads %s to the end, in whatever pages they come',
    async (operations, read) => {
      const whole = await read();
      const small = inSmallPages(aws().clients);
      try {
        expect(await read()).toEqual(whole);
      } finally {
        small.stop();
      }
      for (const operation of operations) expect(small.pages.get(operation), operation).toBeGreaterThan(1);
    },
  );

  it('is all held to that', () => {
    const held = new Set([...readers.flatMap(([operations]) => operations), ...Object.keys(ELSEWHERE)]);
    expect([...held].toSorted()).toEqual(pagedOperations());
    const untilFound = callsToAws().filter(({ isPaged, readsAll }) => isPaged && !readsAll);
    const tried = [...UNTIL_FOUND_ELSEWHERE, ...readers.flatMap(([, , site]) => site ?? [])];
    expect(tried.toSorted()).toEqual(untilFound.map(({ site }) => site).toSorted());
  });
});

afterAll(() => aws().emulators.fsx.faults.clear());
