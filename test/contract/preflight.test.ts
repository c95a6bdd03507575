import { randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import { CreateStackCommand } from '@aws-sdk/client-cloudformation';
import {
  CreateKeyPairCommand,
  CreateSubnetCommand,
  CreateVpcCommand,
  CreateVpcEndpointCommand,
} from '@aws-sdk/client-ec2';
import { CreateBucketCommand, PutBucketNotificationConfigurationCommand } from '@aws-sdk/client-s3';
import { beforeAll, describe, expect, test } from 'vitest';
import { createNetworkActivities } from '../../src/activities/network.ts';
import type { PreflightRequest } from '../../src/domain/preflight.ts';
import { createPreflightActivities, type PreflightDeps } from '../../src/activities/preflight.ts';
import { keyPairName } from '../../src/domain/cluster-name.ts';
import { clusterSpecInputSchema, resolveClusterSpec } from '../../src/domain/cluster-spec-input.ts';
import { requiredEndpoints } from '../../src/domain/required-endpoints.ts';
import { tagKeys } from '../../src/domain/resource-tags.ts';
import { useEmulatedAws } from '../support/aws.ts';

const aws = useEmulatedAws();
const pool = `pool-${randomUUID()}`;
const bucket = `data-${randomUUID()}`;
const buckets = { scratch: bucket, projectPublic: bucket, projectPrivate: bucket };
let vpcId = '';
let subnetId = '';

beforeAll(async () => {
  const { ec2, s3 } = aws().clients;
  const { Vpc } = await ec2.send(new CreateVpcCommand({ CidrBlock: '10.8.0.0/16' }));
  vpcId = Vpc?.VpcId ?? '';
  const { Subnet } = await ec2.send(
    new CreateSubnetCommand({
      VpcId: vpcId,
      CidrBlock: '10.8.0.0/28',
      AvailabilityZone: 'us-east-1a',
      TagSpecifications: [{ ResourceType: 'subnet', Tags: [{ Key: tagKeys.pool, Value: pool }] }],
    }),
  );
  subnetId = Subnet?.SubnetId ?? '';
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
});

async function judge(
  values: Record<string, unknown>,
  own: Partial<PreflightDeps> = {},
  request: Partial<PreflightRequest> = {},
) {
  const network = createNetworkActivities({ ...aws().clients, subnetPool: pool });
  const { preflight } = createPreflightActivities({
    ...aws().clients,
    ...network,
    vpcId,
    settings: {},
    efsFileSystemId: undefined,
    lustre: undefined,
    ...own,
  });
  const spec = resolveClusterSpec(clusterSpecInputSchema.parse(values));
  const clusterName = 'pcluster-lab-proj';
  return preflight({ virtualLabId: 'lab', projectId: 'proj', clusterName, spec, ...request });
}

function queueOf(computeResource: Record<string, unknown>) {
  return { queues: [{ name: 'q', computeResources: [{ name: 'c', ...computeResource }] }] };
}

const small = queueOf({ instanceType: 't3.micro', maxCount: 4 });

async function addEndpoints(): Promise<void> {
  for (const service of Object.keys(requiredEndpoints)) {
    const ServiceName = `com.amazonaws.us-east-1.${service}`;
    await aws().clients.ec2.send(new CreateVpcEndpointCommand({ VpcId: vpcId, ServiceName }));
  }
}

describe('preflight', () => {
  test('tells everything that is wrong in one answer, within a minute', async () => {
    await aws().clients.s3.send(
      new PutBucketNotificationConfigurationCommand({
        Bucket: bucket,
        NotificationConfiguration: {
          LambdaFunctionConfigurations: [
            {
              Id: 'index-results',
              LambdaFunctionArn: 'arn:aws:lambda:us-east-1:123456789012:function:index',
              Events: ['s3:ObjectCreated:*'],
              Filter: { Key: { FilterRules: [{ Name: 'prefix', Value: 'lab/' }] } },
            },
          ],
        },
      }),
    );
    const begun = Date.now();
    const { checks, place } = await judge(
      {
        ...queueOf({ instanceType: 'hpc7a.96xlarge', minCount: 30, maxCount: 30 }),
        lustre: { sizeGibibytes: 120_000 },
      },
      {
        lustre: { buckets },
        settings: {
          customAmi: 'ami-0123456789abcdef0',
          slurmDatabase: { uri: '127.0.0.1:1', userName: 'u', passwordSecretArn: 'arn:aws:s' },
        },
      },
    );
    expect(Date.now() - begun).toBeLessThan(60_000);
    expect(place).toEqual({ subnetId, availabilityZone: 'us-east-1a' });
    expect(checks.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual([
      'names ok',
      'instance-types failed',
      'vcpu-quota failed',
      'addresses failed',
      'endpoints failed',
      'image failed',
      'lustre-quota failed',
      'bucket-notifications failed',
      'database failed',
    ]);
    expect(checks.filter(({ outcome, nextStep }) => outcome === 'failed' && !nextStep)).toEqual([]);
  });

  test('a cluster that has all it needs passes, asked for again in its own subnet too', async () => {
    await addEndpoints();
    const database = createServer().listen(0, '127.0.0.1');
    const { promise, resolve } = Promise.withResolvers<void>();
    database.once('listening', resolve);
    await promise;
    const address = database.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    try {
      const { checks } = await judge(
        small,
        {
          settings: {
            slurmDatabase: { uri: `127.0.0.1:${port}`, userName: 'u', passwordSecretArn: 'arn:aws:s' },
          },
        },
        { epoch: 'e1', lease: { subnetId, availabilityZone: 'us-east-1a' } },
      );
      expect(checks.filter(({ outcome }) => outcome !== 'ok')).toEqual([]);
      expect(checks.map(({ name }) => name)).toContain('database');
    } finally {
      database.close();
    }
  });

  test('names that others have are found, and its own stack is not one of them', async () => {
    const clusterName = `pcluster-${randomUUID().slice(0, 8)}`;
    const deployment = { virtualLabId: 'lab', projectId: 'proj', clusterName, epoch: 'e1' };
    const KeyName = keyPairName(deployment, 'admin');
    const { cloudFormation, ec2 } = aws().clients;
    await ec2.send(new CreateKeyPairCommand({ KeyName }));
    const TemplateBody = JSON.stringify({
      Resources: { Handle: { Type: 'AWS::CloudFormation::WaitConditionHandle' } },
    });
    const make = async (StackName: string, epoch: string) =>
      cloudFormation.send(
        new CreateStackCommand({ StackName, TemplateBody, Tags: [{ Key: tagKeys.epoch, Value: epoch }] }),
      );
    await make(clusterName, 'e0');
    await make(`provisioner-${clusterName}`, 'e1');
    const namesOf = async (epoch?: string) => {
      const request = { clusterName, ...(epoch !== undefined && { epoch }) };
      const { checks } = await judge(small, {}, request);
      return checks.find(({ name }) => name === 'names');
    };
    const found = await namesOf('e1');
    expect(found?.outcome).toBe('failed');
    expect(found?.cause).toContain(`stack ${clusterName} (CREATE_COMPLETE), key pair ${KeyName}`);
    expect(found?.cause).not.toContain('provisioner-');
    // A dry run beside a cluster that lives.
    expect((await namesOf())?.outcome).toBe('ok');
  });

  test('without a lease it is judged where its nodes are, as it would go there', async () => {
    const of = (zone: string, availableAddresses: number) => ({
      subnetId: `subnet-${zone}`,
      availabilityZone: `us-east-1${zone}`,
      availableAddresses,
      usedByEpochs: [],
    });
    const describePoolSubnets = async () => [of('a', 250), of('b', 200)];
    // Of these types EC2 has the first in zone b only, the second in zone a only, the third in neither.
    for (const [instanceType, zone, outcome] of [
      ['trn1.32xlarge', 'us-east-1b', 'ok'],
      ['vt1.3xlarge', 'us-east-1a', 'ok'],
      ['trn1.2xlarge', 'us-east-1a', 'failed'],
    ] as const) {
      const report = await judge(queueOf({ instanceType, maxCount: 1 }), { describePoolSubnets });
      expect(report.place?.availabilityZone).toBe(zone);
      expect(report.checks.find(({ name }) => name === 'instance-types')?.outcome).toBe(outcome);
    }
    const many = queueOf({ instanceType: 't3.micro', maxCount: 230 });
    const small = async () => [of('a', 240), of('b', 100)].toReversed();
    expect((await judge(many, { describePoolSubnets: small })).place?.subnetId).toBe('subnet-a');
  });

  test('what AWS does not answer in time is unknown, and the rest is told', async () => {
    const { checks } = await judge(small, {
      preflightCheckSeconds: 0.001,
      settings: { slurmDatabase: { uri: '127.0.0.1:1', userName: 'u', passwordSecretArn: 'arn:aws:s' } },
    });
    expect(checks.find(({ name }) => name === 'vcpu-quota')).toMatchObject({
      outcome: 'unknown',
      cause: 'No answer of AWS within 0.001 s.',
    });
  });
});
