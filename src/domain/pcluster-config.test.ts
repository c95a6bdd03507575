import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { configurationOf, deployment } from '../../test/support/cluster-configuration.ts';
import { toYaml } from './pcluster-config.ts';

const fixtures = join(import.meta.dirname, '../../test/fixtures/pcluster-config');
const oneQueue = { name: 'q', computeResources: [{ name: 'm5', instanceType: 'm5.large', maxCount: 2 }] };

describe('the ParallelCluster configuration', () => {
  test.each(['prod-mpi-intel', 'prod-batch'] as const)('of tier %s reads as expected', async (tier) => {
    await expect(toYaml(configurationOf({ tier }))).toMatchFileSnapshot(join(fixtures, `${tier}.yaml`));
  });

  test('reads the same after a round through YAML, and repeats instead of using aliases', () => {
    const configuration = configurationOf({ tier: 'mixed-prod-mpi' });
    const text = toYaml(configuration);
    expect(parse(text)).toEqual(configuration);
    expect(text).not.toMatch(/[&*]a\d/);
  });

  test('has one policy for the head node and all queues, and set-up scripts on each', () => {
    const { HeadNode, Scheduling } = configurationOf({ tier: 'debug' }, { nodePolicy: { Ref: 'Nodes' } });
    for (const { Iam } of [HeadNode, ...Scheduling.SlurmQueues])
      expect(Iam).toEqual({ AdditionalIamPolicies: [{ Policy: { Ref: 'Nodes' } }] });
    for (const { CustomActions } of Scheduling.SlurmQueues) {
      expect(CustomActions.OnNodeConfigured).toMatchObject({
        Script: 's3://provisioner-control/assets/create-job-user.sh',
      });
    }
  });

  test('installs the environment of jobs on the head node, for all nodes', () => {
    const { HeadNode, Scheduling } = configurationOf({ tier: 'debug' });
    expect(HeadNode.CustomActions.OnNodeConfigured).toMatchObject({
      Sequence: [
        { Script: 's3://provisioner-control/assets/create-job-user.sh' },
        { Script: 's3://provisioner-control/assets/job-environment.sh', Args: ['install'] },
      ],
    });
    const program = '/opt/slurm/etc/parallelcluster-provisioner/job-environment';
    expect(Scheduling.SlurmSettings.CustomSlurmSettings).toContainEqual({ TaskProlog: program });
  });

  test('mounts buckets on all nodes where that is asked for, once the job user is there', () => {
    const { HeadNode, Scheduling } = configurationOf({ tier: 'prod-batch', s3Mounts: true });
    const mount = {
      Script: 's3://provisioner-control/assets/s3-mounts.sh',
      Args: ['sim', 'us-east-2', 'project-public', 'project-private', 'lab1/cortex/'],
    };
    for (const { CustomActions } of [HeadNode, ...Scheduling.SlurmQueues]) {
      const sequence =
        'Sequence' in CustomActions.OnNodeConfigured ? CustomActions.OnNodeConfigured.Sequence : [];
      expect(sequence[0]?.Script).toMatch(/create-job-user/);
      expect(sequence.at(-1)).toEqual(mount);
    }
    expect(JSON.stringify(configurationOf({ tier: 'prod-batch', s3Mounts: false }))).not.toContain(
      's3-mounts',
    );
  });

  test('hands the job user’s key on without its comment', () => {
    const { HeadNode } = configurationOf(
      { tier: 'debug' },
      { jobUserPublicKey: 'ssh-ed25519 AAAAB3 a comment\n' },
    );
    expect(HeadNode.CustomActions.OnNodeConfigured).toMatchObject({
      Sequence: [{ Args: ['sim', '2000', 'ssh-ed25519 AAAAB3'] }, {}],
    });
  });

  test('gives each cluster name a database of its own, with the account that it was given, and none where there is none', () => {
    const account = {
      uri: 'db.example.org:3306',
      userName: 'slurm',
      passwordSecretArn: 'arn:aws:x:secret:s',
    };
    const databaseOf = (clusterName: string) =>
      configurationOf(
        { tier: 'debug' },
        { deployment: { ...deployment, clusterName }, settings: { slurmDatabase: account } },
      ).Scheduling.SlurmSettings.Database;
    expect(databaseOf('pcluster-lab-a')).toEqual({
      Uri: 'db.example.org:3306',
      UserName: 'slurm',
      PasswordSecretArn: 'arn:aws:x:secret:s',
      DatabaseName: 'pcluster_lab_a',
    });
    expect(databaseOf('pcluster-lab-b')).toMatchObject({ DatabaseName: 'pcluster_lab_b' });
    expect(configurationOf({ tier: 'debug' }).Scheduling.SlurmSettings).not.toHaveProperty('Database');
  });

  test.each([
    [1, 't3.medium'],
    [85, 't3.medium'],
    [86, 't3.large'],
    [185, 't3.large'],
    [186, 't3.xlarge'],
    [1000, 't3.xlarge'],
  ])('has a head node with the memory to manage %i nodes', (maxCount, instanceType) => {
    const computeResources = [{ name: 'm5', instanceType: 'm5.large', maxCount }];
    const { HeadNode } = configurationOf({ queues: [{ name: 'q', computeResources }] });
    expect(HeadNode.InstanceType).toBe(instanceType);
  });

  test('lets SSH in from the given network only', () => {
    const { HeadNode } = configurationOf({ tier: 'debug' }, { settings: { sshAllowedCidr: '10.7.0.0/24' } });
    expect(HeadNode.Ssh.AllowedIps).toBe('10.7.0.0/24');
  });

  test('puts additional security groups on the head node and on every queue', () => {
    const { HeadNode, Scheduling } = configurationOf(
      { queues: [oneQueue, { ...oneQueue, name: 'r' }] },
      { settings: { additionalSecurityGroupIds: ['sg-1'] } },
    );
    const groups = [HeadNode, ...Scheduling.SlurmQueues].map(
      ({ Networking }) => Networking.AdditionalSecurityGroups,
    );
    expect(groups).toEqual([['sg-1'], ['sg-1'], ['sg-1']]);
  });

  test('puts the security groups of head nodes on no other node', () => {
    const { HeadNode, Scheduling } = configurationOf(
      { queues: [oneQueue] },
      { settings: { additionalSecurityGroupIds: ['sg-1'], headNodeSecurityGroupIds: ['sg-2'] } },
    );
    expect(HeadNode.Networking.AdditionalSecurityGroups).toEqual(['sg-1', 'sg-2']);
    expect(Scheduling.SlurmQueues[0]?.Networking.AdditionalSecurityGroups).toEqual(['sg-1']);
  });

  test('bounds the roles of a cluster only where the installation has a boundary', () => {
    const permissionsBoundaryArn = 'arn:aws:iam::123456789012:policy/boundary';
    expect(configurationOf({ tier: 'debug' })).not.toHaveProperty('Iam');
    expect(configurationOf({ tier: 'debug' }, { settings: { permissionsBoundaryArn } }).Iam).toEqual({
      PermissionsBoundary: permissionsBoundaryArn,
    });
  });

  test('names image, home and log retention only as the installation set them', () => {
    const plain = configurationOf({ tier: 'debug' });
    expect(plain.Image).toEqual({ Os: 'alinux2023' });
    expect(plain).not.toHaveProperty('SharedStorage');
    expect(plain.Monitoring.Logs.CloudWatch).toEqual({ RetentionInDays: 90, DeletionPolicy: 'Retain' });

    const full = configurationOf(
      { tier: 'debug' },
      {
        home: { fileSystemId: 'fs-1', accessPointId: 'fsap-1' },
        settings: { customAmi: 'ami-1', logRetentionDays: 365 },
      },
    );
    expect(full.Image).toEqual({ Os: 'alinux2023', CustomAmi: 'ami-1' });
    expect(full.SharedStorage).toMatchObject([{ EfsSettings: { AccessPointId: 'fsap-1' } }]);
    expect(full.Monitoring.Logs.CloudWatch.RetentionInDays).toBe(365);
  });

  test('states time limits in Slurm’s minutes, and none where there is none', () => {
    const { Scheduling } = configurationOf({
      queues: [
        { ...oneQueue, maxTimeSeconds: 5400, maxNodesPerJob: 3 },
        { ...oneQueue, name: 'endless' },
      ],
    });
    const [limited, endless] = Scheduling.SlurmQueues;
    expect(limited?.CustomSlurmSettings).toEqual({ MaxTime: 90, MaxNodes: 3 });
    expect(endless).not.toHaveProperty('CustomSlurmSettings');
  });

  test('powers idle nodes down when the specification says so, and else when ParallelCluster does', () => {
    const settingsOf = (times: { scaledownIdleTimeSeconds?: number }) =>
      configurationOf({ tier: 'debug', ...times }).Scheduling.SlurmSettings;
    expect(settingsOf({ scaledownIdleTimeSeconds: 180 }).ScaledownIdletime).toBe(3);
    expect(settingsOf({})).not.toHaveProperty('ScaledownIdletime');
  });

  test('gives every job a priority of which nice values take, in the middle of what 32 bits hold', () => {
    const { CustomSlurmSettings } = configurationOf({ tier: 'debug' }).Scheduling.SlurmSettings;
    expect(CustomSlurmSettings).toContainEqual({ PriorityType: 'priority/multifactor' });
    expect(CustomSlurmSettings).toContainEqual({ PriorityWeightPartition: '2147483648' });
  });

  test('serves Slurm’s REST API on the head node only, with the keys there before slurmctld starts', () => {
    const scriptUri = 's3://provisioner-control/assets/slurm-rest-api.sh';
    const jwks = '{"keys":[{"kid":"é"}]}';
    const slurmApi = { trust: 'epoch-key', scriptUri, jwks } as const;
    const { HeadNode, Scheduling } = configurationOf({ tier: 'debug' }, { slurmApi });
    const actions = HeadNode.CustomActions;
    expect(actions.OnNodeStart).toEqual({
      Script: scriptUri,
      Args: ['trust', Buffer.from(jwks).toString('base64')],
    });
    expect(actions.OnNodeConfigured).toMatchObject({
      Sequence: [
        { Args: ['sim', '2000', expect.any(String)] },
        { Args: ['install'] },
        { Script: scriptUri, Args: ['serve', '6820'] },
      ],
    });
    const [queue] = Scheduling.SlurmQueues;
    expect(queue?.CustomActions).not.toHaveProperty('OnNodeStart');
    expect(Scheduling.SlurmSettings.CustomSlurmSettings).toContainEqual({ AuthAltTypes: 'auth/jwt' });
    expect(JSON.stringify(Scheduling)).not.toContain('PrivateData');
  });

  test('hides jobs from strangers where an identity provider’s tokens are trusted', () => {
    const slurmApi = { trust: 'epoch-key-and-keycloak', scriptUri: 's3://b/s.sh', jwks: '{}' } as const;
    const { CustomSlurmSettings } = configurationOf({ tier: 'debug' }, { slurmApi }).Scheduling.SlurmSettings;
    expect(CustomSlurmSettings).toContainEqual({
      AuthAltParameters: 'jwks=/etc/parallelcluster-provisioner/jwks.json,userclaimfield=preferred_username',
    });
    expect(CustomSlurmSettings).toContainEqual({
      PrivateData: expect.stringContaining('jobs') as unknown,
    });
  });
});
