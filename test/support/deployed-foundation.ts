import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import {
  CreateRouteTableCommand,
  CreateSecurityGroupCommand,
  CreateVpcCommand,
  EC2Client,
} from '@aws-sdk/client-ec2';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { deployFoundation } from '../../infra/foundation.ts';
import type { Values } from '../../infra/templates.ts';
import { startAwsEmulators } from '../../src/dev/aws-emulators.ts';
import type { AwsEmulators } from '../../src/dev/aws-emulators.ts';
import { EMULATED_REGION } from '../../src/dev/emulated-account.ts';
import { readDevEnvironment } from '../../src/dev/environment.ts';

const PARALLELCLUSTER_TEMPLATES = join(import.meta.dirname, '..', 'fixtures', 'parallelcluster-templates');

/** The foundation, deployed into an emulator by the program that deploys it on AWS. */
export interface DeployedFoundation {
  readonly name: string;
  readonly parameters: Values;
  readonly outputs: Values;
  readonly ec2: EC2Client;
  readonly cloudFormation: CloudFormationClient;
  /** Routes other programs to the emulator. */
  readonly env: Readonly<Record<string, string>>;
  /** Deploys again; returns what was told. */
  deployAgain(change?: { parameters?: Values; planOnly?: boolean }): Promise<string[]>;
  close(): Promise<void>;
}

/** Starts the emulator, makes a main VPC as an installation has one, and deploys. */
export async function startFoundation(): Promise<DeployedFoundation> {
  const folder = await mkdtemp(join(tmpdir(), 'foundation-'));
  const emulators = await startAwsEmulators({
    environment: readDevEnvironment(),
    logDirectory: folder,
    temporaryDirectory: join(folder, 'tmp'),
    onProgress: () => {},
    completeMotoCloudFormation: true,
  });
  const clients = clientsOf(emulators);
  const close = async (): Promise<void> => {
    clients.destroy();
    await emulators.close();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await publishParallelCluster(clients.s3);
    const { ec2, cloudFormation } = clients;
    const parameters = await mainVpc(ec2);
    const deploy = async (change: { parameters?: Values; planOnly?: boolean }) => {
      const told: string[] = [];
      const outputs = await deployFoundation({
        cloudFormation,
        ec2,
        name: NAME,
        parameters: { ...parameters, ...change.parameters },
        planOnly: change.planOnly ?? false,
        onProgress: (line) => told.push(line),
      });
      return { told, outputs };
    };
    const { outputs = {} } = await deploy({});
    return {
      name: NAME,
      parameters,
      outputs,
      ec2,
      cloudFormation,
      env: { ...emulators.env, AWS_ENDPOINT_URL_CLOUDFORMATION: emulators.env.AWS_ENDPOINT_URL },
      deployAgain: async (change = {}) => (await deploy(change)).told,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const NAME = 'hpc-foundation';

function clientsOf({ env }: AwsEmulators) {
  const common = {
    region: EMULATED_REGION,
    // moto has everything here, CloudFormation as well: what it makes must be where the services look for it.
    endpoint: env.AWS_ENDPOINT_URL,
    // What the emulator cannot do, it cannot do again.
    maxAttempts: 1,
    credentials: { accessKeyId: env.AWS_ACCESS_KEY_ID, secretAccessKey: env.AWS_SECRET_ACCESS_KEY },
  };
  const cloudFormation = new CloudFormationClient(common);
  const ec2 = new EC2Client(common);
  const s3 = new S3Client({ ...common, forcePathStyle: true });
  return {
    cloudFormation,
    ec2,
    s3,
    destroy() {
      for (const client of [cloudFormation, ec2, s3]) client.destroy();
    },
  };
}

/** AWS keeps ParallelCluster's templates in a public bucket of each region. */
async function publishParallelCluster(s3: S3Client): Promise<void> {
  const Bucket = `${EMULATED_REGION}-aws-parallelcluster`;
  await s3.send(new CreateBucketCommand({ Bucket }));
  for (const [folder, file] of [
    ['policies', 'policies.yaml'],
    ['custom_resource', 'cluster.yaml'],
  ] as const) {
    const Body = await readFile(join(PARALLELCLUSTER_TEMPLATES, file), 'utf8');
    const Key = `parallelcluster/3.16.1/templates/${folder}/${file}`;
    await s3.send(new PutObjectCommand({ Bucket, Key, Body }));
  }
}

async function mainVpc(ec2: EC2Client): Promise<Values> {
  const CidrBlock = '10.0.0.0/16';
  const { Vpc } = await ec2.send(new CreateVpcCommand({ CidrBlock }));
  const VpcId = Vpc?.VpcId ?? '';
  const routeTables = await Promise.all(
    [1, 2].map(async () => ec2.send(new CreateRouteTableCommand({ VpcId }))),
  );
  const groups = await Promise.all(
    ['worker', 'workflow-service', 'database-administrator'].map(async (GroupName) =>
      ec2.send(new CreateSecurityGroupCommand({ VpcId, GroupName, Description: GroupName })),
    ),
  );
  const [worker, workflowService, administrator] = groups.map(({ GroupId = '' }) => GroupId);
  return {
    Zones: ['a', 'b', 'c'].map((zone) => `${EMULATED_REGION}${zone}`).join(','),
    MainVpcId: VpcId,
    MainVpcCidr: CidrBlock,
    MainRouteTableIds: routeTables.map(({ RouteTable }) => RouteTable?.RouteTableId ?? '').join(','),
    WorkerSecurityGroupId: worker ?? '',
    WorkflowServiceSecurityGroupId: workflowService ?? '',
    DatabaseAdministratorSecurityGroupId: administrator ?? '',
    WorkflowServiceRoleArn: 'arn:aws:iam::123456789012:role/workflow-service',
    MonthlyBudgetUsd: '1000',
    AlarmEmail: 'hpc-operators@example.org',
  };
}
