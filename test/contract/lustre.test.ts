import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { CreateSecurityGroupCommand, CreateSubnetCommand, CreateVpcCommand } from '@aws-sdk/client-ec2';
import { DescribeDataRepositoryAssociationsCommand } from '@aws-sdk/client-fsx';
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { LustreFileSystems } from '../../src/clients/lustre-file-systems.ts';
import { createLustreActivities } from '../../src/activities/lustre.ts';
import type { SampledFile } from '../../src/clients/slurm-gateway.ts';
import type { Deployment } from '../../src/domain/deployment.ts';
import type { ExportVerdict } from '../../src/domain/export-proof.ts';
import type { OperatorDecision } from '../../src/domain/lustre-export.ts';
import { lustreSpecSchema, STORAGE_MOUNT_PATH } from '../../src/domain/lustre.ts';
import type { Exchange } from '../../src/dev/fsx/service.ts';
import { runActivity } from '../support/activity.ts';
import { shapeProblems } from '../support/aws-shapes.ts';
import { deploymentTags } from '../../src/domain/resource-tags.ts';
import { lagBehind, useEmulatedAws, withoutListing } from '../support/aws.ts';
import { makeFoundation, roleOf } from '../support/foundation.ts';
import { isAllowed } from '../support/iam-simulation.ts';
import { inSmallPages } from '../support/small-pages.ts';

const aws = useEmulatedAws();
const buckets = { scratch: 'scratch', projectPublic: 'project-public', projectPrivate: 'project-private' };
const access = { address: '127.0.0.1', port: 22, user: 'sim', hostKey: 'k', privateKeySecretArn: 'arn:k' };
const stored: { readonly what: string; readonly value: unknown }[] = [];
let sample: SampledFile[] = [];
let lease: { readonly subnetId: string; readonly availabilityZone: string };
let lustre: ReturnType<typeof createLustreActivities>;
let securityGroupId: string;
const kmsKeyId = 'arn:aws:kms:us-east-1:123456789012:key/1b2c3d4e-0000-4000-8000-123456789012';

beforeAll(async () => {
  const { clients } = aws();
  const { Vpc } = await clients.ec2.send(new CreateVpcCommand({ CidrBlock: '10.1.0.0/16' }));
  const { Subnet } = await clients.ec2.send(
    new CreateSubnetCommand({ VpcId: Vpc?.VpcId ?? '', CidrBlock: '10.1.0.0/24' }),
  );
  const group = { VpcId: Vpc?.VpcId ?? '', GroupName: 'lustre', Description: 'Lustre' };
  const { GroupId = '' } = await clients.ec2.send(new CreateSecurityGroupCommand(group));
  securityGroupId = GroupId;
  lease = { subnetId: Subnet?.SubnetId ?? '', availabilityZone: 'us-east-1a' };
  for (const Bucket of Object.values(buckets)) await clients.s3.send(new CreateBucketCommand({ Bucket }));
  lustre = createLustreActivities({
    ...clients,
    files: { sampleFiles: async () => sample },
    deploymentStore: {
      putExport: async (_, value: ExportVerdict) => void stored.push({ what: value.status, value }),
      putDiscard: async (_, value: OperatorDecision) => void stored.push({ what: 'discard', value }),
    },
    lustre: { buckets, securityGroupIds: [securityGroupId], kmsKeyId },
    lustrePollSeconds: 0.05,
    exportStallSeconds: 2,
  });
});

beforeEach(() => {
  stored.length = 0;
  sample = [];
  aws().emulators.fsx.faults.clear();
});

let count = 0;
function freshDeployment(): Deployment {
  count += 1;
  return { virtualLabId: 'lab', projectId: `proj${count}`, clusterName: 'pcluster', epoch: `lustre${count}` };
}

interface Made extends Deployment {
  readonly fileSystemId: string;
}

async function make(deployment: Deployment = freshDeployment()): Promise<Made> {
  const request = { ...deployment, lease, lustre: lustreSpecSchema.parse({}) };
  return { ...deployment, ...(await runActivity(lustre.ensureLustre, request)) };
}

const pathOf = ({ fileSystemId }: Made, path: string) =>
  join(aws().emulators.fsx.directoryOf(fileSystemId), path);

async function write(made: Made, path: string, content: string): Promise<void> {
  await mkdir(join(pathOf(made, path), '..'), { recursive: true });
  await writeFile(pathOf(made, path), content);
}

let requests = 0;
async function exported(made: Made, withSample = false): Promise<ExportVerdict> {
  requests += 1;
  const request = { ...made, requestId: `request-${requests}`, ...(withSample && { access }) };
  return runActivity(lustre.exportLustre, request);
}

const keysIn = async (bucket: string, { projectId }: Deployment) => {
  const command = new ListObjectsV2Command({ Bucket: bucket, Prefix: `lab/${projectId}/` });
  const { Contents = [] } = await aws().clients.s3.send(command);
  return Contents.map(({ Key = '' }) => Key.replace(`lab/${projectId}/`, ''));
};

const discard = { kind: 'discard', by: 'Ada', reason: 'a test', at: '2026-11-26T00:00:00Z' } as const;

const exchanges: Exchange[] = [];
beforeAll(() => {
  aws().emulators.fsx.onExchange = (exchange) => exchanges.push(exchange);
});

describe('a Lustre file system', () => {
  test('is made once, with the three links of its tenant, however often it is asked for', async () => {
    const made = await make();
    expect(await make(made)).toEqual(made);
    const { Associations } = await aws().clients.fsx.send(
      new DescribeDataRepositoryAssociationsCommand({
        Filters: [{ Name: 'file-system-id', Values: [made.fileSystemId] }],
      }),
    );
    expect(
      Associations?.map(({ FileSystemPath, DataRepositoryPath, S3, Lifecycle }) => [
        FileSystemPath,
        DataRepositoryPath,
        (S3?.AutoExportPolicy?.Events ?? []).length,
        Lifecycle,
      ]),
    ).toEqual([
      ['/scratch', `s3://scratch/lab/${made.projectId}/`, 3, 'AVAILABLE'],
      ['/project/public', 's3://project-public/', 0, 'AVAILABLE'],
      ['/project/private', `s3://project-private/lab/${made.projectId}/`, 3, 'AVAILABLE'],
    ]);
    await runActivity(lustre.deleteLustre, { ...made, consent: { kind: 'never-mounted' } });
  });

  test('is in the leased subnet, behind the security group for Lustre, encrypted with the installation’s key, and compressed', async () => {
    const made = await make();
    const { input } = exchanges.findLast(({ operation }) => operation === 'CreateFileSystem') ?? {};
    expect(input).toMatchObject({
      FileSystemType: 'LUSTRE',
      SubnetIds: [lease.subnetId],
      SecurityGroupIds: [securityGroupId],
      KmsKeyId: kmsKeyId,
      LustreConfiguration: { DeploymentType: 'PERSISTENT_2', DataCompressionType: 'LZ4' },
    });
    await runActivity(lustre.deleteLustre, { ...made, consent: { kind: 'never-mounted' } });
  });

  test('shows what is in the buckets: of all in public, of its own tenant elsewhere', async () => {
    const deployment = freshDeployment();
    const { s3 } = aws().clients;
    const put = async (Bucket: string, Key: string) =>
      s3.send(new PutObjectCommand({ Bucket, Key, Body: Key }));
    await put('project-public', 'atlas/regions.txt');
    await put('project-private', `lab/${deployment.projectId}/own.txt`);
    await put('project-private', `lab/${deployment.projectId}0/of-another-tenant.txt`);
    const made = await make(deployment);
    expect(await readFile(pathOf(made, 'project/public/atlas/regions.txt'), 'utf8')).toBe(
      'atlas/regions.txt',
    );
    expect(existsSync(pathOf(made, 'project/private/own.txt'))).toBe(true);
    expect(existsSync(pathOf(made, 'project/private/of-another-tenant.txt'))).toBe(false);
    await runActivity(lustre.deleteLustre, { ...made, consent: { kind: 'never-mounted' } });
  });

  test('that FSx cannot make fails with its reason, and goes', async () => {
    const deployment = freshDeployment();
    for (const [reason, type] of [
      ['the network interface was refused', 'LustreCreateFailed'],
      ['insufficient capacity in the zone', 'InsufficientCapacity'],
    ]) {
      aws().emulators.fsx.faults.failNextFileSystem = reason;
      await expect(make(deployment)).rejects.toMatchObject({
        type,
        message: expect.stringContaining(reason ?? '') as unknown,
      });
      await runActivity(lustre.deleteLustre, { ...deployment, consent: { kind: 'never-mounted' } });
    }
    const made = await make(deployment);
    await runActivity(lustre.deleteLustre, { ...made, consent: { kind: 'never-mounted' } });
  });
});

describe('an export', () => {
  test('writes what automatic export has not written, and proves it', async () => {
    const made = await make();
    aws().emulators.fsx.faults.automaticExportStandsStill = true;
    await write(made, 'scratch/results/one.dat', 'one');
    await write(made, 'project/private/two.dat', 'two');
    // Long enough that CloudWatch has heard of it.
    await setTimeout(1000);
    const verdict = await exported(made);
    expect(verdict).toMatchObject({
      status: 'proven',
      proof: {
        fileSystemId: made.fileSystemId,
        files: { failed: 0 },
        exportedPaths: ['/scratch', '/project/private'],
      },
    });
    expect(await keysIn('scratch', made)).toEqual(['results/', 'results/one.dat']);
    expect(await keysIn('project-private', made)).toEqual(['two.dat']);
    expect(stored).toMatchObject([{ what: 'proven' }]);
    const taskId = verdict.status === 'proven' ? verdict.proof.taskId : '';
    await runActivity(lustre.deleteLustre, { ...made, consent: { kind: 'exported', taskId } });
    const { Body } = await aws().clients.s3.send(
      new GetObjectCommand({ Bucket: 'scratch', Key: `lab/${made.projectId}/results/one.dat` }),
    );
    expect(await Body?.transformToString()).toBe('one');
  });

  test('names files that cannot be exported, and once they are renamed proves the rest', async () => {
    const made = await make();
    const long = `scratch/${'d'.repeat(200)}/${'e'.repeat(200)}/${'f'.repeat(200)}/${'g'.repeat(200)}/${'h'.repeat(240)}`;
    await write(made, long, 'x');
    const verdict = await exported(made);
    expect(verdict).toMatchObject({
      status: 'unproven',
      problems: [
        { kind: 'files-not-exported', files: [{ path: long, error: 'PathSizeTooLong' }], fileCount: 1 },
      ],
    });
    await rm(pathOf(made, long));
    await write(made, 'scratch/short', 'x');
    expect(await exported(made)).toMatchObject({ status: 'proven' });
    await runActivity(lustre.deleteLustre, { ...made, consent: discard });
  });

  test.each([
    [
      'a task that fails',
      'task-failed',
      () => void (aws().emulators.fsx.faults.failNextTask = 'internal error'),
    ],
    ['a task that hangs', 'task-hangs', () => void (aws().emulators.fsx.faults.tasksHang = true)],
    [
      'files that S3 denies',
      'files-not-exported',
      () => void (aws().emulators.fsx.faults.deniedPaths = /denied/),
    ],
  ])('proves nothing after %s', async (_what, kind, plant) => {
    const made = await make();
    await write(made, 'scratch/denied', 'x');
    aws().emulators.fsx.faults.automaticExportStandsStill = true;
    plant();
    expect(await exported(made)).toMatchObject({ status: 'unproven', problems: [{ kind }] });
    aws().emulators.fsx.faults.clear();
    await expect.poll(async () => (await exported(made)).status).toBe('proven');
    await runActivity(lustre.deleteLustre, { ...made, consent: discard });
  });

  test('proves nothing over a link that does not work', async () => {
    const made = await make();
    aws().emulators.fsx.misconfigure(made.fileSystemId, '/scratch', 'The bucket policy denies access.');
    await write(made, 'scratch/left-behind', 'x');
    expect(await exported(made)).toMatchObject({
      status: 'unproven',
      problems: [
        { kind: 'link-misconfigured', message: expect.stringContaining('denies access') as unknown },
      ],
    });
    aws().emulators.fsx.mendLinks();
    expect(await exported(made)).toMatchObject({ status: 'proven', proof: { files: { total: 1 } } });
    await runActivity(lustre.deleteLustre, { ...made, consent: discard });
  });

  test('proves nothing when S3 lacks what the head node has', async () => {
    const made = await make();
    await write(made, 'scratch/there', 'four');
    sample = [
      { path: `${STORAGE_MOUNT_PATH}/scratch/there`, sizeBytes: 4 },
      { path: `${STORAGE_MOUNT_PATH}/scratch/missing`, sizeBytes: 1 },
    ];
    expect(await exported(made, true)).toMatchObject({
      status: 'unproven',
      problems: [
        { kind: 'sample-differs', files: [{ path: '/data/scratch/missing', error: 'has no object' }] },
      ],
    });
    sample.pop();
    expect(await exported(made, true)).toMatchObject({ proof: { sample: { listed: 1, compared: 1 } } });
    await runActivity(lustre.deleteLustre, { ...made, consent: discard });
  });

  test('that is clean is proven under the role that the foundation gives the worker', async () => {
    const foundation = await makeFoundation({
      PrivateAssetsBucket: buckets.projectPrivate,
      ScratchBucket: buckets.scratch,
    });
    const { policies } = roleOf(foundation, 'service', 'WorkerRole');
    const mayList = async (bucket: string) =>
      isAllowed({ action: 's3:ListBucket', resource: `arn:aws:s3:::${bucket}` }, { identity: policies });
    const unlisted: string[] = [];
    for (const bucket of Object.values(buckets)) if (!(await mayList(bucket))) unlisted.push(bucket);
    // Nothing of the service's is ever looked for in there.
    expect(unlisted).toEqual([buckets.projectPublic]);
    onTestFinished(withoutListing(aws().clients.s3, unlisted));
    const made = await make();
    await write(made, 'scratch/clean', 'four');
    const missing = { path: `${STORAGE_MOUNT_PATH}/scratch/missing`, sizeBytes: 1 };
    sample = [{ path: `${STORAGE_MOUNT_PATH}/scratch/clean`, sizeBytes: 4 }];
    expect(await exported(made, true)).toMatchObject({ status: 'proven' });
    sample.push(missing);
    expect(await exported(made, true)).toMatchObject({ problems: [{ kind: 'sample-differs' }] });
    await runActivity(lustre.deleteLustre, { ...made, consent: discard });
  });

  test.each([
    ['its report', 'export-reports/', false],
    ['a file of the sample', 'missing', true],
  ])(
    'is neither proven nor said to differ when S3 hides whether there is %s',
    async (_, path, withSample) => {
      const made = await make();
      await write(made, 'scratch/clean', 'four');
      if (withSample) {
        aws().emulators.fsx.faults.deniedPaths = /clean/;
        sample = [{ path: `${STORAGE_MOUNT_PATH}/scratch/missing`, sizeBytes: 1 }];
      }
      const allow = withoutListing(aws().clients.s3, Object.values(buckets));
      onTestFinished(allow);
      await expect(exported(made, withSample)).rejects.toMatchObject({
        type: 'ExportNotVerifiable',
        message: expect.stringMatching(
          new RegExp(`s3://scratch/lab/${made.projectId}/${path}.*lacks s3:ListBucket`),
        ) as unknown,
      });
      expect(stored).toEqual([]);
      allow();
      aws().emulators.fsx.faults.clear();
      sample = [];
      await expect.poll(async () => (await exported(made)).status).toBe('proven');
      await runActivity(lustre.deleteLustre, { ...made, consent: discard });
    },
  );

  test('is not proven by the pages of CloudWatch that have no value, before the one that has', async () => {
    const made = await make();
    const nextMinute = Math.ceil(Date.now() / 60_000) * 60_000;
    for (const Timestamp of [nextMinute + 1000, nextMinute + 61_000])
      await aws().clients.cloudWatch.send(
        new PutMetricDataCommand({
          Namespace: 'AWS/FSx',
          MetricData: [
            {
              MetricName: 'AgeOfOldestQueuedMessage',
              Dimensions: [
                { Name: 'FileSystemId', Value: made.fileSystemId },
                { Name: 'Publisher', Value: 'AutoExport' },
              ],
              Timestamp: new Date(Timestamp),
              Value: 77,
            },
          ],
        }),
      );
    const small = inSmallPages(aws().clients);
    const verdict = await exported(made);
    small.stop();
    expect(JSON.stringify(verdict)).toContain('changes of 77 s ago');
    expect(small.pages.get('cloudwatch GetMetricData')).toBeGreaterThan(1);
    await runActivity(lustre.deleteLustre, { ...made, consent: discard });
  });

  test('is the same one when it is asked for twice', async () => {
    const made = await make();
    await write(made, 'scratch/once', 'x');
    const request = { ...made, requestId: 'the-same' };
    const [first, second] = [
      await runActivity(lustre.exportLustre, request),
      await runActivity(lustre.exportLustre, request),
    ];
    expect(second).toMatchObject({ proof: { taskId: first.status === 'proven' ? first.proof.taskId : '-' } });
    await runActivity(lustre.deleteLustre, { ...made, consent: discard });
  });

  test('is followed by automatic export again where the cluster is called back', async () => {
    const made = await make();
    await exported(made);
    await write(made, 'scratch/later', 'x');
    await runActivity(lustre.setAutomaticExport, { ...made, isOn: true });
    await expect.poll(async () => keysIn('scratch', made), { timeout: 5000 }).toContain('later');
    await runActivity(lustre.deleteLustre, { ...made, consent: discard });
  });
});

describe('deleting a file system', () => {
  test('is refused without a task of FSx that exported everything', async () => {
    const made = await make();
    await write(made, 'scratch/precious', 'x');
    aws().emulators.fsx.faults.failNextTask = 'internal error';
    const failed = await exported(made);
    expect(failed.status).toBe('unproven');
    for (const taskId of ['task-of-nobody', 'task-0123456789abcdef0']) {
      const request = { ...made, consent: { kind: 'exported', taskId } as const };
      await expect(runActivity(lustre.deleteLustre, request)).rejects.toMatchObject({
        type: 'LustreNotExported',
      });
    }
    expect(existsSync(pathOf(made, 'scratch/precious'))).toBe(true);
    await runActivity(lustre.deleteLustre, { ...made, consent: discard });
    expect(stored.at(-1)).toEqual({ what: 'discard', value: discard });
  });

  test('leaves those of other epochs alone, and does not miss one that is gone', async () => {
    const [mine, other] = [await make(), await make()];
    await runActivity(lustre.deleteLustre, { ...mine, consent: discard });
    await runActivity(lustre.deleteLustre, { ...mine, consent: discard });
    expect(existsSync(pathOf(other, 'scratch'))).toBe(true);
    await runActivity(lustre.deleteLustre, { ...other, consent: discard });
  });
});

describe('what FSx does not show yet', () => {
  test('is waited for: that automatic export is off, and that a file system is gone', async () => {
    const made = await make();
    const { fsx } = aws().clients;
    const stopLinks = lagBehind(fsx, {
      change: 'UpdateDataRepositoryAssociation',
      read: 'DescribeDataRepositoryAssociations',
      times: 2,
    });
    await runActivity(lustre.setAutomaticExport, { ...made, isOn: false });
    // Two links are changed one after the other.
    expect(stopLinks()).toBe(4);
    const Filters = [{ Name: 'file-system-id' as const, Values: [made.fileSystemId] }];
    const command = new DescribeDataRepositoryAssociationsCommand({ Filters });
    const { Associations = [] } = await fsx.send(command);
    expect(Associations.map(({ Lifecycle }) => Lifecycle)).toEqual(['AVAILABLE', 'AVAILABLE', 'AVAILABLE']);
    expect(Associations.flatMap(({ S3 }) => S3?.AutoExportPolicy?.Events ?? [])).toEqual([]);

    const lag = { change: 'DeleteFileSystem', read: 'DescribeFileSystems', times: 2 };
    const stopFileSystems = lagBehind(fsx, lag);
    await runActivity(lustre.deleteLustre, { ...made, consent: discard });
    expect(stopFileSystems()).toBe(2);
  });
});

describe('a file system that is not there after an hour', () => {
  test.each([
    [{ Lifecycle: 'CREATING' }, 'LustreCreateFailed', /^fs-\w+ is still CREATING after 62 minutes/],
    [
      { Lifecycle: 'FAILED', FailureDetails: { Message: 'insufficient capacity in the zone' } },
      'InsufficientCapacity',
      /^fs-\w+ is FAILED: insufficient capacity in the zone$/,
    ],
  ])('is given up, with what FSx says of it: %j', async (shown, type, message) => {
    const deployment = freshDeployment();
    const { fsx } = aws().clients;
    const hangs = 'hangs';
    fsx.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          const answer = await next(args);
          if (commandName === 'DescribeFileSystemsCommand' && 'FileSystems' in answer.output)
            for (const each of answer.output.FileSystems ?? [])
              Object.assign(each, { ...shown, CreationTime: new Date(Date.now() - 3_700_000) });
          return answer;
        },
      { step: 'initialize', name: hangs },
    );
    try {
      await expect(make(deployment)).rejects.toMatchObject({
        type,
        message: expect.stringMatching(message) as unknown,
      });
    } finally {
      fsx.middlewareStack.remove(hangs);
    }
    await runActivity(lustre.deleteLustre, { ...deployment, consent: { kind: 'never-mounted' } });
  });
});

describe('a file system that was asked for and that FSx does not show yet', () => {
  test('is looked for until it must, and goes', async () => {
    const deployment = freshDeployment();
    const { fsx } = aws().clients;
    const consent = { kind: 'never-mounted' } as const;
    const stop = lagBehind(fsx, { change: 'CreateFileSystem', read: 'DescribeFileSystems', times: 1 });
    await runActivity(lustre.deleteLustre, { ...deployment, consent });
    const fileSystems = new LustreFileSystems(fsx);
    await fileSystems.create({
      requestToken: 'late',
      lustre: lustreSpecSchema.parse({}),
      subnetId: lease.subnetId,
      securityGroupIds: [],
      tags: deploymentTags(deployment),
    });
    await runActivity(lustre.deleteLustre, { ...deployment, consent, askedSecondsAgo: 20 });
    expect(stop()).toBe(1);
    expect(await fileSystems.ofEpoch(deployment.epoch)).toEqual([]);
  });
});

describe('everything that was asked and answered above', () => {
  test('has the shapes of AWS’s own model of FSx', async () => {
    expect(new Set(exchanges.map(({ operation }) => operation))).toEqual(
      new Set([
        'CreateFileSystem',
        'DescribeFileSystems',
        'DeleteFileSystem',
        'CreateDataRepositoryAssociation',
        'UpdateDataRepositoryAssociation',
        'DescribeDataRepositoryAssociations',
        'CreateDataRepositoryTask',
        'DescribeDataRepositoryTasks',
      ]),
    );
    expect(await shapeProblems('fsx', exchanges)).toEqual([]);
  });

  test('would be found to differ', async () => {
    const output = { FileSystem: { FileSystemId: 'fs-0123456789abcdef0', Lifecycle: 'MADE', Size: 1 } };
    const input = { FileSystemType: 'LUSTRE', SubnetIds: ['subnet-0123456789abcdef0'], StorageCapacity: '1' };
    expect(await shapeProblems('fsx', [{ operation: 'CreateFileSystem', input, output }])).toEqual([
      "CreateFileSystem input.StorageCapacity: '1' is no integer",
      expect.stringContaining("output.FileSystem.Lifecycle: 'MADE' is none of"),
      'CreateFileSystem output.FileSystem.Size: FileSystem has no such member',
    ]);
  });
});
