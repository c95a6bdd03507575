import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateStackCommand } from '@aws-sdk/client-cloudformation';
import { CreateKeyPairCommand, CreateSubnetCommand, CreateVpcCommand } from '@aws-sdk/client-ec2';
import { CreateAccessPointCommand, CreateFileSystemCommand as CreateEfsCommand } from '@aws-sdk/client-efs';
import { CreateFileSystemCommand } from '@aws-sdk/client-fsx';
import { CreateSecretCommand, DeleteSecretCommand } from '@aws-sdk/client-secrets-manager';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDevAwsClients } from '../../src/dev/aws-clients.ts';
import type { DevAwsClients } from '../../src/dev/aws-clients.ts';
import { startAwsEmulators } from '../../src/dev/aws-emulators.ts';
import type { AwsEmulators } from '../../src/dev/aws-emulators.ts';
import { readDevEnvironment } from '../../src/dev/environment.ts';
import { claimLoopbackAddress, releaseLoopbackAddress } from '../../src/dev/head-node/loopback-addresses.ts';
import { findLeftovers, surveyAccount } from '../../src/dev/leftovers.ts';
import { machineTraces, RUN_VARIABLE } from '../../src/dev/machine-traces.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'leftovers-'));
});
afterAll(async () => {
  await rm(directory, { recursive: true });
});

describe('the survey of the account', () => {
  let emulators: AwsEmulators;
  let aws: DevAwsClients;
  beforeAll(async () => {
    emulators = await startAwsEmulators({
      environment: readDevEnvironment(),
      logDirectory: join(directory, 'logs'),
      temporaryDirectory: join(directory, 'tmp'),
      onProgress: () => undefined,
    });
    aws = createDevAwsClients(emulators.env);
  });
  afterAll(async () => {
    await emulators.close();
  });

  it('finds a planted stack, key pair, secret, secret that is scheduled for deletion, file system, access point and lease', async () => {
    const before = await surveyAccount(aws, async () => []);
    const TemplateBody = JSON.stringify({ Resources: { Queue: { Type: 'AWS::SQS::Queue' } } });
    await aws.cloudFormation.send(new CreateStackCommand({ StackName: 'planted', TemplateBody }));
    await aws.ec2.send(new CreateKeyPairCommand({ KeyName: 'planted', KeyType: 'ed25519' }));
    for (const Name of ['live', 'scheduled']) {
      await aws.secretsManager.send(new CreateSecretCommand({ Name, SecretString: 'x' }));
    }
    const scheduled = { SecretId: 'scheduled', RecoveryWindowInDays: 7 };
    await aws.secretsManager.send(new DeleteSecretCommand(scheduled));
    const { Vpc } = await aws.ec2.send(new CreateVpcCommand({ CidrBlock: '10.1.0.0/16' }));
    const { Subnet } = await aws.ec2.send(
      new CreateSubnetCommand({ VpcId: Vpc?.VpcId, CidrBlock: '10.1.0.0/24' }),
    );
    await aws.fsx.send(
      new CreateFileSystemCommand({
        FileSystemType: 'LUSTRE',
        StorageCapacity: 1200,
        StorageType: 'SSD',
        SubnetIds: [Subnet?.SubnetId ?? ''],
        LustreConfiguration: { DeploymentType: 'PERSISTENT_2', PerUnitStorageThroughput: 250 },
      }),
    );
    const { FileSystemId } = await aws.efs.send(new CreateEfsCommand({ CreationToken: 'planted' }));
    await aws.efs.send(new CreateAccessPointCommand({ ClientToken: 'planted', FileSystemId }));
    const findings = findLeftovers(before, await surveyAccount(aws, async () => ['planted']));
    expect(findings).toEqual([
      { kind: 'stacks', left: [expect.stringMatching(/^planted \(CREATE_/)] },
      { kind: 'keyPairs', left: ['planted'] },
      { kind: 'secrets', left: expect.arrayContaining(['live', 'scheduled']) },
      { kind: 'fileSystems', left: [expect.stringMatching(/^fs-/)] },
      { kind: 'accessPoints', left: [expect.stringMatching(/^fsap-/)] },
      { kind: 'leases', left: ['planted'] },
    ]);
  });
});

describe('the traces of a run on this machine', () => {
  let run: string;
  const undo: (() => unknown)[] = [];
  beforeEach(async () => {
    run = join(directory, 'run');
    await mkdir(run, { recursive: true });
  });
  afterEach(async () => {
    for (const each of undo.splice(0).toReversed()) await each();
    await expect
      .poll(async () => machineTraces(run))
      .toEqual({ processes: [], mounts: [], loopbackAddresses: [] });
  });

  it('are a marked process, though nobody of ours is its parent', async () => {
    // The shell ends at once, so that its child belongs to whoever reaps orphans here.
    const shell = spawn('sh', ['-c', 'sleep 60 & echo $!'], {
      env: { PATH: '/usr/bin:/bin', [RUN_VARIABLE]: run },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const pid: number = await new Promise((resolve) =>
      shell.stdout.once('data', (data) => resolve(Number(data))),
    );
    undo.push(() => process.kill(pid));
    await expect.poll(async () => (await machineTraces(run)).processes).toEqual([`${pid} sleep 60`]);
  });

  it('are an unmarked child and the mount that only it sees', async () => {
    const mount = `mount -t tmpfs none "$1" && exec sleep 60`;
    const child = spawn('unshare', ['--mount', 'sh', '-c', mount, 'sh', run], {
      env: { PATH: '/usr/bin:/bin' },
    });
    undo.push(() => child.kill());
    await expect.poll(async () => (await machineTraces(run)).mounts).toEqual([expect.stringContaining(run)]);
    expect((await machineTraces(run)).processes).toEqual([`${child.pid} sleep 60`]);
  });

  it('are a loopback address that this process holds', async () => {
    const address = await claimLoopbackAddress();
    undo.push(async () => releaseLoopbackAddress(address));
    expect((await machineTraces(run)).loopbackAddresses).toEqual([address]);
  });
});
