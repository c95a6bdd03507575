import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CreateStackCommand, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { CreateKeyPairCommand, DescribeKeyPairsCommand } from '@aws-sdk/client-ec2';
import { CreateAccessPointCommand, DescribeAccessPointsCommand } from '@aws-sdk/client-efs';
import { CreateDataRepositoryAssociationCommand, CreateFileSystemCommand } from '@aws-sdk/client-fsx';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { CreateSecretCommand, ListSecretsCommand } from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createS3PriceStore } from '../../src/clients/price-store.ts';
import { EMULATED_REGION } from '../../src/dev/emulated-account.ts';
import { createS3DeploymentStore } from '../../src/clients/deployment-store.ts';
import { clusterName, keyPairName, keySecretName, outerStackName } from '../../src/domain/cluster-name.ts';
import type { Deployment } from '../../src/domain/deployment.ts';
import { clusterWorkflowId, newEpochId, type Tenant } from '../../src/domain/ids.ts';
import { planReaper } from '../../src/domain/reaper.ts';
import { dataRepositories } from '../../src/domain/lustre.ts';
import { priceTable } from '../../src/domain/prices.ts';
import {
  deploymentTags,
  installationName,
  keyTags,
  tagKeys,
  tagValue,
  toTagList,
} from '../../src/domain/resource-tags.ts';
import { eventually, Platform } from '../support/platform.ts';

/* What no workflow looks after goes; what only looks like it, and what somebody looks after, stays. */
let platform: Platform;
beforeAll(async () => {
  platform = await Platform.start();
});
afterAll(async () => platform?.close());

const installation = () =>
  installationName({
    vpcId: platform.product.env['VPC_ID'] ?? '',
    subnetPool: platform.product.env['SUBNET_POOL'] ?? '',
  });

/** Older than what a sweep leaves alone because it may be too young. */
const longAgo = () => Date.now() - 3_600_000;

function deploymentOf(tenant: Tenant, random = '0123456789abcdef'): Deployment {
  return { ...tenant, clusterName: clusterName(tenant), epoch: newEpochId(longAgo(), random) };
}

const template = JSON.stringify({
  Resources: { Nothing: { Type: 'AWS::CloudFormation::WaitConditionHandle' } },
});

async function plantStack(name: string, tags: Readonly<Record<string, string>>): Promise<void> {
  const { cloudFormation } = platform.stack.aws;
  await cloudFormation.send(
    new CreateStackCommand({ StackName: name, TemplateBody: template, Tags: toTagList(tags) }),
  );
}

async function plantKeyPair(name: string, tags: Readonly<Record<string, string>>): Promise<void> {
  await platform.stack.aws.ec2.send(
    new CreateKeyPairCommand({
      KeyName: name,
      KeyType: 'ed25519',
      TagSpecifications: [{ ResourceType: 'key-pair', Tags: toTagList(tags) }],
    }),
  );
}

async function plantSecret(name: string, tags: Readonly<Record<string, string>>): Promise<void> {
  await platform.stack.aws.secretsManager.send(
    new CreateSecretCommand({ Name: name, SecretString: 'x', Tags: toTagList(tags) }),
  );
}

/** One of each kind. */
async function plantAll(deployment: Deployment): Promise<void> {
  const tags = deploymentTags(deployment, installation());
  await plantStack(outerStackName(deployment.clusterName), tags);
  for (const role of ['admin', 'job-user'] as const) {
    await plantKeyPair(keyPairName(deployment, role), keyTags(deployment, role, installation()));
    await plantSecret(keySecretName(deployment, role), keyTags(deployment, role, installation()));
  }
  await plantSecret(keySecretName(deployment, 'slurm-api'), keyTags(deployment, 'slurm-api', installation()));
  const { efs } = platform.stack.aws;
  await efs.send(
    new CreateAccessPointCommand({
      ClientToken: deployment.epoch,
      FileSystemId: platform.product.env['EFS_FILE_SYSTEM_ID'] ?? '',
      Tags: toTagList(tags),
    }),
  );
  await plantLustre(deployment);
  await platform.lease(deployment);
}

/** With files that nothing has exported. */
async function plantLustre(deployment: Deployment): Promise<void> {
  const { fsx } = platform.stack.aws;
  const { env } = platform.product;
  const { FileSystem } = await fsx.send(
    new CreateFileSystemCommand({
      FileSystemType: 'LUSTRE',
      StorageCapacity: 1200,
      StorageType: 'SSD',
      SubnetIds: [await platform.anySubnet()],
      LustreConfiguration: { DeploymentType: 'PERSISTENT_2', PerUnitStorageThroughput: 250 },
      Tags: toTagList(deploymentTags(deployment, installation())),
    }),
  );
  const FileSystemId = FileSystem?.FileSystemId ?? '';
  const links = dataRepositories(deployment, {
    scratch: env['SCRATCH_BUCKET'] ?? '',
    projectPublic: env['PROJECT_PUBLIC_BUCKET'] ?? '',
    projectPrivate: env['PROJECT_PRIVATE_BUCKET'] ?? '',
  });
  for (const { fileSystemPath, dataRepositoryPath } of links) {
    const command = new CreateDataRepositoryAssociationCommand({
      FileSystemId,
      FileSystemPath: fileSystemPath,
      DataRepositoryPath: dataRepositoryPath,
    });
    // One after the other, and only when the file system is there.
    await eventually(
      async () =>
        fsx.send(command).then(
          () => true,
          () => false,
        ),
      (isMade) => isMade,
      10,
    );
  }
  const file = join(platform.stack.fsx.directoryOf(FileSystemId), 'scratch', 'left-behind.txt');
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, 'still here');
}

describe('a new installation', () => {
  it('asks for AWS’s prices at once, and says why those of the release stay in force', async () => {
    const [refresh] = await eventually(
      async () => platform.priceRefreshes(),
      ({ length }) => length > 0,
      20,
    );
    expect(refresh).toMatchObject({ outcome: 'kept', inForce: { from: 'release' } });
    // The emulators have no price list.
    expect(refresh?.problem?.message).toMatch(/^AWS’s price list could not be read: [^\n]*$/);
  });
});

const prices = priceTable.regions[EMULATED_REGION] ?? expect.unreachable();
/** What a GiB of the planted Lustre costs a month by the installation's own prices. */
const OWN_LUSTRE_USD = 0.25;

describe('prices in the control bucket', () => {
  it('count in the API, and in the sweep below, from the first time that somebody asks', async () => {
    const { ec2OnDemandLinux, lustrePersistent2Ssd } = prices;
    const bucket = platform.product.env['CONTROL_BUCKET'] ?? '';
    await createS3PriceStore({ s3: platform.stack.aws.s3, bucket }).put({
      version: 1,
      region: EMULATED_REGION,
      currency: 'USD',
      readAt: new Date().toISOString(),
      prices: {
        ...prices,
        ec2OnDemandLinux: { ...ec2OnDemandLinux, asOf: '2026-01-02' },
        lustrePersistent2Ssd: { ...lustrePersistent2Ssd, usdPerGibibyteMonth: { '250': OWN_LUSTRE_USD } },
      },
    });
    const needs = { tasks: 1, memoryMebibytesPerTask: 1000, expectedSecondsPerJob: 60 };
    const { body } = await platform.request('POST', '/v1/plans', { body: { needs } });
    expect(body).toMatchObject({ estimate: { pricesAsOf: '2026-01-02' } });
  });
});

/** Everything that the platform itself has made of a deployment says which installation that was. */
async function expectTagged(): Promise<void> {
  const { cloudFormation, ec2, secretsManager, efs } = platform.stack.aws;
  const { Stacks = [] } = await cloudFormation.send(new DescribeStacksCommand({}));
  const { KeyPairs = [] } = await ec2.send(new DescribeKeyPairsCommand({}));
  const { SecretList = [] } = await secretsManager.send(new ListSecretsCommand({}));
  const { AccessPoints = [] } = await efs.send(new DescribeAccessPointsCommand({}));
  const made = [Stacks, KeyPairs, SecretList, AccessPoints].map((things) =>
    things.map(({ Tags }) => Tags).filter((tags) => tagValue(tags, tagKeys.epoch) !== undefined),
  );
  // Two stacks, two key pairs with their secrets, an access point.
  expect(made.map(({ length }) => length)).toEqual([2, 2, 2, 1]);
  for (const tags of made.flat()) expect(tagValue(tags, tagKeys.installation)).toBe(installation());
}

/** Begins what a sweep would begin once the deployment is old enough, and waits until it has given everything back. */
async function reap(deployment: Deployment): Promise<void> {
  const { env } = platform.product;
  const control = { s3: platform.stack.aws.s3, bucket: env['CONTROL_BUCKET'] ?? '' };
  const kept = await createS3DeploymentStore(control).getRecord(deployment);
  const resources = [
    { kind: 'stack' as const, id: 'of the deployment' },
    { kind: 'subnet-lease' as const, id: 'of the deployment' },
  ];
  const { snapshot } = planReaper({ ...deployment, resources }, kept, new Date().toISOString());
  expect(snapshot.state).toBe('draining');
  await platform.runReaper(deployment, snapshot);
}

describe('a sweep', () => {
  it('gives back what was left behind, of every kind, and leaves look-alikes and the living alone', async () => {
    const living: Tenant = { virtualLabId: 'sweep', projectId: 'living' };
    await platform.ensure(living, { tier: 'debug', idleTimeoutSeconds: 3600 });
    await platform.until(living, ['ready']);
    const before = await platform.leftovers();
    await expectTagged();

    const orphan = deploymentOf({ virtualLabId: 'sweep', projectId: 'orphan' });
    await plantAll(orphan);
    const leaseOnly = deploymentOf({ virtualLabId: 'sweep', projectId: 'lease-only' });
    await platform.lease(leaseOnly);
    const olderOfLiving = deploymentOf(living);
    await plantKeyPair(keyPairName(olderOfLiving, 'admin'), keyTags(olderOfLiving, 'admin', installation()));
    const tags = deploymentTags(orphan, installation());
    const lookAlikes = ['pcluster-sweep-orphan-copy', 'somebody-elses'];
    await plantStack('pcluster-sweep-orphan-copy', tags);
    await plantKeyPair('somebody-elses', { 'parallelcluster-provisioner:epoch': orphan.epoch });
    await plantStack('untagged', {});

    const { orphans, lookAlikes: reported, reapers, cost } = await platform.sweep();
    expect(
      Object.fromEntries(orphans.map(({ projectId, resources }) => [projectId, resources.length])),
    ).toEqual({
      living: 1,
      orphan: 9,
      'lease-only': 1,
    });
    // 1,200 GiB of Lustre and three secrets; the planted stack has no instance, and nobody knows what it was to have.
    expect(cost.usdPerMonth).toBeCloseTo(1200 * OWN_LUSTRE_USD + 3 * 0.4, 2);
    expect(cost.unpriced).toEqual([expect.stringMatching(/^stack .*EC2 shows no instance/)]);
    expect(reported.map(({ because }) => because).toSorted()).toEqual([
      'It lacks tags that we would have set.',
      'We would have named it otherwise.',
    ]);
    expect(reapers).toHaveLength(3);
    await eventually(
      async () => platform.leftovers(),
      (left) => left.length === before.length + lookAlikes.length + 1,
      // Where nothing shows of a stack, it is looked for until AWS must show it.
      90,
    );
    const { cloudFormation, ec2, s3 } = platform.stack.aws;
    const Bucket = platform.product.env['SCRATCH_BUCKET'];
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: 'sweep/orphan/left-behind.txt' }));
    expect(await Body?.transformToString()).toBe('still here');
    await cloudFormation.send(new DescribeStacksCommand({ StackName: 'pcluster-sweep-orphan-copy' }));
    await cloudFormation.send(new DescribeStacksCommand({ StackName: 'untagged' }));
    await ec2.send(new DescribeKeyPairsCommand({ KeyNames: ['somebody-elses'] }));
    expect((await platform.cluster(living)).state).toBe('ready');
    expect(await platform.sweep()).toMatchObject({ orphans: [], reapers: [] });
  });

  it('leaves a deployment alone that is too young to be in the view of its entity; later ends its jobs and keeps what they wrote', async () => {
    const tenant: Tenant = { virtualLabId: 'sweep', projectId: 'terminated' };
    const before = await platform.leftovers();
    await platform.ensure(tenant, { tier: 'debug', idleTimeoutSeconds: 3600 });
    const { epoch = '', clusterName: name } = await platform.until(tenant, ['ready']);
    const script = '#!/bin/bash\necho begun\nprintf "no end"\nsleep 600\n';
    const campaignId = await platform.submit(tenant, 'lost', { jobs: [{ key: 'long', script }] });
    await eventually(
      async () => platform.cluster(tenant),
      ({ activity }) => (activity?.running ?? 0) > 0,
      60,
    );
    await platform.terminate(clusterWorkflowId(tenant));
    expect(await platform.sweep()).toMatchObject({ orphans: [] });

    await reap({ ...tenant, clusterName: name, epoch });
    expect((await platform.leftovers()).toSorted()).toEqual(before.toSorted());
    const { body } = await platform.log(tenant, campaignId, 'long', 'stdout');
    expect(body).toContain('begun');
  });
});
