import { randomUUID } from 'node:crypto';
import { CreateStackCommand } from '@aws-sdk/client-cloudformation';
import {
  CreateLogGroupCommand,
  CreateLogStreamCommand,
  PutLogEventsCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import { DescribeImagesCommand, DescribeSubnetsCommand, RunInstancesCommand } from '@aws-sdk/client-ec2';
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createSupportBundleActivities } from '../../src/activities/support-bundle.ts';
import { createS3DeploymentStore } from '../../src/clients/deployment-store.ts';
import { clusterName, outerStackName } from '../../src/domain/cluster-name.ts';
import type { Deployment } from '../../src/domain/deployment.ts';
import { newEpochId } from '../../src/domain/ids.ts';
import { LustreFileSystems } from '../../src/clients/lustre-file-systems.ts';
import { lustreSpecSchema } from '../../src/domain/lustre.ts';
import { deploymentTags, stackTags, tagKeys, toTagList } from '../../src/domain/resource-tags.ts';
import { runActivity } from '../support/activity.ts';
import { useEmulatedAws } from '../support/aws.ts';

const aws = useEmulatedAws();
const bucket = 'control';
const failure = { type: 'StackCreateFailed', message: 'HeadNode: timed out' } as const;

function deploymentOf(projectId: string): Deployment {
  const tenant = { virtualLabId: 'lab', projectId };
  return {
    ...tenant,
    clusterName: clusterName(tenant),
    epoch: newEpochId(Date.now(), randomUUID()),
  };
}

async function makeStack(name: string, deployment: Deployment): Promise<void> {
  const Resources = { Handle: { Type: 'AWS::CloudFormation::WaitConditionHandle' } };
  await aws().clients.cloudFormation.send(
    new CreateStackCommand({
      StackName: name,
      TemplateBody: JSON.stringify({ Resources }),
      Tags: toTagList(stackTags(deployment, 'subnet-1')),
    }),
  );
}

async function log(logGroupName: string, logStreamName: string, count: number): Promise<void> {
  const { logs } = aws().clients;
  await logs.send(new CreateLogGroupCommand({ logGroupName }));
  await logs.send(new CreateLogStreamCommand({ logGroupName, logStreamName }));
  const logEvents = Array.from({ length: count }, (_, index) => ({
    timestamp: Date.now() - count + index,
    message: `line ${index + 1}`,
  }));
  await logs.send(new PutLogEventsCommand({ logGroupName, logStreamName, logEvents }));
}

async function runHeadNode({ epoch }: Deployment): Promise<string> {
  const { ec2 } = aws().clients;
  const { Images = [] } = await ec2.send(new DescribeImagesCommand({ Owners: ['amazon'] }));
  const { Instances = [] } = await ec2.send(
    new RunInstancesCommand({
      ImageId: Images[0]?.ImageId,
      InstanceType: 't3.medium',
      MinCount: 1,
      MaxCount: 1,
      TagSpecifications: [
        {
          ResourceType: 'instance',
          Tags: [
            { Key: tagKeys.epoch, Value: epoch },
            { Key: 'parallelcluster:node-type', Value: 'HeadNode' },
          ],
        },
      ],
    }),
  );
  return Instances[0]?.InstanceId ?? '';
}

async function save(deployment: Deployment) {
  const { s3, ...clients } = aws().clients;
  const deploymentStore = createS3DeploymentStore({ s3, bucket });
  const { saveSupportBundle } = createSupportBundleActivities({ ...clients, deploymentStore });
  return runActivity(saveSupportBundle, { ...deployment, failure });
}

/** The files of a bundle by their names in it. */
async function bundleAt(uri: string): Promise<Readonly<Record<string, string>>> {
  const { s3 } = aws().clients;
  const Prefix = uri.slice(`s3://${bucket}/`.length);
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix }));
  const files: Record<string, string> = {};
  for (const { Key = '' } of Contents) {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }));
    files[Key.slice(Prefix.length)] = (await Body?.transformToString()) ?? '';
  }
  return files;
}

beforeAll(async () => {
  await aws().clients.s3.send(new CreateBucketCommand({ Bucket: bucket }));
});

describe('what is kept of a deployment that failed', () => {
  test('is why, the events of both stacks, the newest lines of its nodes, and the console of its head node', async () => {
    const deployment = deploymentOf('proj');
    await makeStack(outerStackName(deployment.clusterName), deployment);
    await makeStack(deployment.clusterName, deployment);
    await log(
      `/aws/parallelcluster/${deployment.clusterName}-202611261015`,
      'ip-10-0-0-4.i-1.cfn-init',
      1200,
    );
    const instanceId = await runHeadNode(deployment);

    const { uri } = await save(deployment);
    expect(uri).toBe(`s3://control/deployments/lab/proj/${deployment.epoch}/support/`);
    const files = await bundleAt(uri);
    expect(Object.keys(files).toSorted()).toEqual([
      'cluster-stack-events.json',
      `console-${instanceId}.txt`,
      'logs/ip-10-0-0-4.i-1.cfn-init.txt',
      'stack-events.json',
      'summary.json',
    ]);
    expect(JSON.parse(files['summary.json'] ?? '')).toMatchObject({
      epoch: deployment.epoch,
      failure,
      problems: [],
    });
    const events: unknown = JSON.parse(files['stack-events.json'] ?? '');
    expect(events).toMatchObject([
      { type: 'AWS::CloudFormation::Stack', status: 'CREATE_IN_PROGRESS' },
      { resource: 'Handle' },
      { resource: 'Handle' },
      { type: 'AWS::CloudFormation::Stack', status: 'CREATE_COMPLETE' },
    ]);
    const lines = files['logs/ip-10-0-0-4.i-1.cfn-init.txt']?.split('\n') ?? [];
    expect(lines).toHaveLength(1000);
    expect(lines.at(-1)).toMatch(/^\d{4}-.*Z line 1200$/);
    expect(files[`console-${instanceId}.txt`]).not.toBe('');
  });

  test('is the file system as FSx has it where no stack was begun', async () => {
    const deployment = deploymentOf('lustre-only');
    const { ec2, fsx } = aws().clients;
    const { Subnets: [subnet] = [] } = await ec2.send(new DescribeSubnetsCommand({}));
    const fileSystems = new LustreFileSystems(fsx);
    const fileSystemId = await fileSystems.create({
      requestToken: 'bundle',
      lustre: lustreSpecSchema.parse({}),
      subnetId: subnet?.SubnetId ?? '',
      securityGroupIds: [],
      tags: deploymentTags(deployment),
    });
    const files = await bundleAt((await save(deployment)).uri);
    expect(Object.keys(files).toSorted()).toEqual([`lustre-${fileSystemId}.json`, 'summary.json']);
    expect(JSON.parse(files[`lustre-${fileSystemId}.json`] ?? '')).toMatchObject({
      fileSystem: { FileSystemId: fileSystemId, FileSystemType: 'LUSTRE' },
      links: [],
    });
    await fileSystems.delete(fileSystemId);
  });

  test('is nothing of other clusters, of earlier epochs, or of stacks that are not its own', async () => {
    const deployment = deploymentOf('own');
    const foreign = deploymentOf('foreign');
    await makeStack(deployment.clusterName, foreign);
    await log(
      `/aws/parallelcluster/${deployment.clusterName}-more-202611261015`,
      'ip-10-0-0-5.i-2.cfn-init',
      1,
    );
    await runHeadNode(foreign);
    const files = await bundleAt((await save(deployment)).uri);
    expect(Object.keys(files)).toEqual(['summary.json']);
  });

  test('has its head node’s logs before those of a hundred others, and names what there was no room for', async () => {
    const deployment = deploymentOf('many');
    const group = `/aws/parallelcluster/${deployment.clusterName}-202611261015`;
    const { logs } = aws().clients;
    await logs.send(new CreateLogGroupCommand({ logGroupName: group }));
    const nodes = Array.from({ length: 60 }, (_, n) => `ip-10-0-0-${String(n).padStart(3, '0')}.i-${n}`);
    const streams = [
      ...nodes.flatMap((node) => [`${node}.slurmd`, `${node}.syslog`]),
      ...['chef-client', 'clustermgtd', 'syslog'].map((file) => `ip-10-0-1-001.i-head.${file}`),
    ];
    for (const logStreamName of streams)
      await logs.send(new CreateLogStreamCommand({ logGroupName: group, logStreamName }));
    const files = await bundleAt((await save(deployment)).uri);
    expect(Object.keys(files)).toEqual(
      expect.arrayContaining(
        ['chef-client', 'clustermgtd', 'syslog'].map((file) => `logs/ip-10-0-1-001.i-head.${file}.txt`),
      ),
    );
    const { problems } = z
      .object({ problems: z.array(z.unknown()) })
      .parse(JSON.parse(files['summary.json'] ?? ''));
    expect(problems).toHaveLength(streams.length - 100);
  });

  test('is the same when it is kept twice', async () => {
    const deployment = deploymentOf('twice');
    await makeStack(outerStackName(deployment.clusterName), deployment);
    const first = await bundleAt((await save(deployment)).uri);
    expect(await bundleAt((await save(deployment)).uri)).toEqual(first);
  });

  test('names what could not be had', async () => {
    const refuse = () => async () => Promise.reject(new Error('no answer'));
    const { middlewareStack } = aws().clients.logs;
    middlewareStack.add(refuse, { step: 'initialize', name: 'refuse' });
    const { uri } = await save(deploymentOf('blind')).finally(() => middlewareStack.remove('refuse'));
    expect(JSON.parse((await bundleAt(uri))['summary.json'] ?? '')).toMatchObject({
      problems: [{ part: 'logs of nodes', problem: expect.stringContaining('no answer') as unknown }],
    });
  });
});
