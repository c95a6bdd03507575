import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import {
  CreateLogGroupCommand,
  CloudWatchLogsClient,
  DescribeLogGroupsCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import {
  CreateKeyPairCommand,
  DescribeInternetGatewaysCommand,
  DescribeKeyPairsCommand,
  DescribeSubnetsCommand,
  EC2Client,
} from '@aws-sdk/client-ec2';
import {
  GetObjectCommand,
  GetPublicAccessBlockCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createDevAwsClients } from '../../src/dev/aws-clients.ts';
import { startAwsEmulators } from '../../src/dev/aws-emulators.ts';
import type { AwsEmulators } from '../../src/dev/aws-emulators.ts';
import { readDevEnvironment } from '../../src/dev/environment.ts';
import { seedAws } from '../../src/dev/seed-aws.ts';
import type { SeededAws, SeedOptions } from '../../src/dev/seed-aws.ts';

let directory: string;
let emulators: AwsEmulators;
let seedOptions: SeedOptions;
let seeded: SeededAws;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'emulators-contract-'));
  emulators = await startAwsEmulators({
    environment: readDevEnvironment(),
    logDirectory: join(directory, 'logs'),
    temporaryDirectory: join(directory, 'tmp'),
    onProgress: () => {},
  });
  seedOptions = {
    clients: createDevAwsClients(emulators.env),
    subnetCount: 3,
    poolTag: { key: 'pool', value: 'contract' },
    providerUrl: 'http://127.0.0.1:9/',
  };
  seeded = await seedAws(seedOptions);
  for (const [name, value] of Object.entries(emulators.env)) vi.stubEnv(name, value);
});

afterAll(async () => {
  vi.unstubAllEnvs();
  await emulators?.close();
  await rm(directory, { recursive: true });
});

describe('AWS clients that are configured by the environment alone', () => {
  it('reach S3, in whose buckets objects are kept', async () => {
    const s3 = new S3Client();
    const object = { Bucket: seeded.controlBucket, Key: 'campaigns/one.json' };
    await s3.send(new PutObjectCommand({ ...object, Body: '{}' }));
    const { Body } = await s3.send(new GetObjectCommand(object));
    await expect(Body?.transformToString()).resolves.toBe('{}');
  });

  it('reach EC2, which makes real ED25519 key pairs', async () => {
    const ec2 = new EC2Client();
    const request = { KeyName: 'admin', KeyType: 'ed25519' as const };
    const { KeyMaterial } = await ec2.send(new CreateKeyPairCommand(request));
    const describe = new DescribeKeyPairsCommand({ KeyNames: ['admin'], IncludePublicKey: true });
    const { KeyPairs } = await ec2.send(describe);
    expect(KeyMaterial).toContain('PRIVATE KEY');
    expect(KeyPairs?.[0]?.PublicKey).toMatch(/^ssh-ed25519 /);
  });

  it('reach Secrets Manager and CloudWatch Logs', async () => {
    const secretsManager = new SecretsManagerClient();
    await secretsManager.send(new CreateSecretCommand({ Name: 'key', SecretString: 'private half' }));
    const secret = await secretsManager.send(new GetSecretValueCommand({ SecretId: 'key' }));
    expect(secret.SecretString).toBe('private half');
    const logs = new CloudWatchLogsClient();
    await logs.send(new CreateLogGroupCommand({ logGroupName: '/cluster' }));
    const { logGroups } = await logs.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: '/cluster' }));
    expect(logGroups).toHaveLength(1);
  });

  it('reach CloudFormation, in the account of everything else', async () => {
    const { Stacks } = await new CloudFormationClient().send(new DescribeStacksCommand());
    expect(Stacks?.map(({ StackId }) => StackId)).toEqual([
      expect.stringContaining(`:cloudformation:us-east-1:123456789012:stack/pcluster-provider/`),
    ]);
    expect(seeded.providerArn).toMatch(/^arn:aws:lambda:us-east-1:123456789012:function:/);
  });
});

describe('the seeded foundation', () => {
  it('is a VPC without internet gateway', async () => {
    const Filters = [{ Name: 'attachment.vpc-id', Values: [seeded.vpcId] }];
    const { InternetGateways } = await seedOptions.clients.ec2.send(
      new DescribeInternetGatewaysCommand({ Filters }),
    );
    expect(InternetGateways ?? []).toEqual([]);
  });

  it('has private subnets in two zones, found by the tag of the pool', async () => {
    const Filters = [{ Name: 'tag:pool', Values: ['contract'] }];
    const { Subnets = [] } = await seedOptions.clients.ec2.send(new DescribeSubnetsCommand({ Filters }));
    expect(new Set(Subnets.map(({ SubnetId }) => SubnetId))).toEqual(new Set(seeded.subnetIds));
    expect(new Set(Subnets.map(({ AvailabilityZone }) => AvailabilityZone)).size).toBe(2);
    expect(new Set(Subnets.map(({ VpcId }) => VpcId))).toEqual(new Set([seeded.vpcId]));
    expect(Subnets.some(({ MapPublicIpOnLaunch }) => MapPublicIpOnLaunch)).toBe(false);
  });

  it('has a control bucket that cannot become public', async () => {
    const { PublicAccessBlockConfiguration } = await seedOptions.clients.s3.send(
      new GetPublicAccessBlockCommand({ Bucket: seeded.controlBucket }),
    );
    expect(Object.values(PublicAccessBlockConfiguration ?? {})).toEqual([true, true, true, true]);
  });

  it('is the same after seeding again, and grows by what is asked for', async () => {
    await expect(seedAws(seedOptions)).resolves.toEqual(seeded);
    const grown = await seedAws({ ...seedOptions, subnetCount: 4 });
    expect(grown.subnetIds.slice(0, 3)).toEqual(seeded.subnetIds);
    expect(grown.subnetIds).toHaveLength(4);
  });
});
