import { beforeAll, describe, expect, it } from 'vitest';
import { tagKeys } from '../../src/domain/resource-tags.ts';
import { type Foundation, makeFoundation, policyOf, resourceOf, roleOf } from '../support/foundation.ts';
import { anything, type IamRequest, isAllowed } from '../support/iam-simulation.ts';

const HERE = 'us-east-1:123456789012';
const FOREIGN_ROLE = 'arn:aws:iam::999999999999:role/anybody';
const dataKey = `arn:aws:kms:${HERE}:key/hpc-foundation-storage-datakey`;
const controlKey = `arn:aws:kms:${HERE}:key/hpc-foundation-storage-controlkey`;
const controlBucket = 'arn:aws:s3:::hpc-foundation-storage-controlbucket';
const scratchBucket = 'arn:aws:s3:::hpc-foundation-storage-scratchbucket';
const privateBucket = 'arn:aws:s3:::hpc-foundation-storage-privateassetsbucket';
const publicBucket = 'arn:aws:s3:::hpc-foundation-storage-publicassetsbucket';

const to = (action: string, resource: string, context?: IamRequest['context']): IamRequest => ({
  action,
  resource,
  ...(context && { context }),
});
const readPrivateKey = to(
  'secretsmanager:GetSecretValue',
  `arn:aws:secretsmanager:${HERE}:secret:parallelcluster-provisioner/x-AbCdEf`,
);
const deleteStack = to(
  'cloudformation:DeleteStack',
  `arn:aws:cloudformation:${HERE}:stack/provisioner-pcluster-lab1-cortex/1`,
);
const ofEpoch = { [`aws:ResourceTag/${tagKeys.epoch}`]: '1k2m9x0aab12cd' };
const ofTenant = { [`aws:ResourceTag/${tagKeys.virtualLab}`]: 'lab1' };
const named = (requests: readonly IamRequest[]) =>
  requests.map(
    (request) =>
      [
        `${request.action} ${request.resource} ${JSON.stringify(request.context ?? {})}`.replace(' {}', ''),
        request,
      ] as const,
  );

let foundation: Foundation;
/** A key of KMS counts what its own policy says beside those of the caller. */
const keyPolicy = ({ resource }: IamRequest) => {
  if (resource === dataKey) return { resource: policyOf(foundation, 'storage', 'DataKey', 'KeyPolicy') };
  if (resource === controlKey)
    return { resource: policyOf(foundation, 'storage', 'ControlKey', 'KeyPolicy') };
  return {};
};
beforeAll(async () => {
  foundation = await makeFoundation();
});

describe('the role of the worker', () => {
  /** What goes for good, and the tag by which it is known to be of a deployment. */
  const deletions = [
    to('fsx:DeleteFileSystem', `arn:aws:fsx:${HERE}:file-system/fs-0123456789abcdef0`, ofEpoch),
    to(
      'fsx:DeleteDataRepositoryAssociation',
      `arn:aws:fsx:${HERE}:association/fs-0123456789abcdef0/dra-0123456789abcdef0`,
      ofEpoch,
    ),
    to(
      'elasticfilesystem:DeleteAccessPoint',
      `arn:aws:elasticfilesystem:${HERE}:access-point/fsap-1`,
      ofEpoch,
    ),
    to('ec2:TerminateInstances', `arn:aws:ec2:${HERE}:instance/i-0123456789abcdef0`, ofEpoch),
    to('logs:DeleteLogGroup', `arn:aws:logs:${HERE}:log-group:/parallelcluster-provisioner/lab1/x`, ofTenant),
    to('logs:DeleteLogGroup', `arn:aws:logs:${HERE}:log-group:/aws/parallelcluster/pcluster-x`, ofTenant),
  ];

  it.each(named(deletions))('may %s, and without the tag may not', async (_, request) => {
    const { policies: identity } = roleOf(foundation, 'service', 'WorkerRole');
    const { context, ...untagged } = request;

    await expect(isAllowed(request, { identity })).resolves.toBe(true);
    await expect(isAllowed(untagged, { identity })).resolves.toBe(false);
    expect(context).toBeDefined();
  });

  it.each(
    named([
      // Without it S3 hides that an object is not there, and no export can be proven.
      to('s3:ListBucket', scratchBucket),
      to('s3:ListBucket', privateBucket),
      to('s3:GetObject', `${scratchBucket}/lab1/cortex/export-reports/task-1/failures.csv`),
      to('s3:PutObject', `${controlBucket}/campaigns/x`),
      to('kms:Decrypt', controlKey),
      to('kms:CreateGrant', dataKey, { 'kms:ViaService': 'fsx.us-east-1.amazonaws.com' }),
      readPrivateKey,
      deleteStack,
    ]),
  )('may %s', async (_, request) => {
    const { policies: identity } = roleOf(foundation, 'service', 'WorkerRole');

    await expect(isAllowed(request, { identity, ...keyPolicy(request) })).resolves.toBe(true);
  });

  it.each(
    named([
      to('s3:PutObject', `${scratchBucket}/lab1/cortex/x`),
      to('s3:DeleteObject', `${scratchBucket}/lab1/cortex/x`),
      to('s3:DeleteObject', `${controlBucket}/campaigns/x`),
      to('s3:PutBucketPolicy', scratchBucket),
      to('s3:DeleteBucket', controlBucket),
      to('s3:ListBucket', publicBucket),
      to('kms:ScheduleKeyDeletion', controlKey),
      to('kms:PutKeyPolicy', dataKey),
      to('kms:CreateGrant', dataKey),
      to('kms:Decrypt', dataKey),
      to('secretsmanager:GetSecretValue', `arn:aws:secretsmanager:${HERE}:secret:slurm-database/x-AbCdEf`),
      to('secretsmanager:GetSecretValue', `arn:aws:secretsmanager:${HERE}:secret:rds!db-1-AbCdEf`),
      to('cloudformation:DeleteStack', `arn:aws:cloudformation:${HERE}:stack/hpc-foundation-storage/1`),
      to('cloudformation:UpdateStack', `arn:aws:cloudformation:${HERE}:stack/hpc-foundation-service/1`),
      to('ec2:DeleteKeyPair', `arn:aws:ec2:${HERE}:key-pair/somebody`),
      to('ec2:CreateTags', `arn:aws:ec2:${HERE}:instance/i-0123456789abcdef0`),
      to('ec2:CreateTags', `arn:aws:ec2:${HERE}:key-pair/pcluster-x`),
      to('ec2:RunInstances', `arn:aws:ec2:${HERE}:instance/*`),
      to('ec2:DeleteSubnet', `arn:aws:ec2:${HERE}:subnet/subnet-1`),
      to('rds:DeleteDBInstance', `arn:aws:rds:${HERE}:db:database`),
      to('elasticfilesystem:DeleteFileSystem', `arn:aws:elasticfilesystem:${HERE}:file-system/fs-1`),
      to('lambda:InvokeFunction', `arn:aws:lambda:${HERE}:function:of-somebody`),
      to('sns:Publish', `arn:aws:sns:${HERE}:of-somebody`),
      to('iam:CreateRole', 'arn:aws:iam::123456789012:role/parallelcluster/x'),
      to('iam:PassRole', 'arn:aws:iam::123456789012:role/hpc-foundation-provider-providerrole'),
      to('iam:AttachRolePolicy', 'arn:aws:iam::123456789012:role/parallelcluster/x'),
      to('iam:CreatePolicy', 'arn:aws:iam::123456789012:policy/parallelcluster/provisioner-pcluster-x'),
      to('sts:AssumeRole', 'arn:aws:iam::123456789012:role/admin'),
    ]),
  )('may not %s', async (_, request) => {
    const { policies: identity } = roleOf(foundation, 'service', 'WorkerRole');

    await expect(isAllowed(request, { identity, ...keyPolicy(request) })).resolves.toBe(false);
  });
});

describe('the role of the API', () => {
  it.each(
    named([
      to('s3:PutObject', `${controlBucket}/deployments/x`),
      to('s3:GetObject', `${scratchBucket}/lab1/cortex/x`),
      readPrivateKey,
      deleteStack,
      to('fsx:DeleteFileSystem', `arn:aws:fsx:${HERE}:file-system/fs-1`, ofEpoch),
      to('ec2:TerminateInstances', `arn:aws:ec2:${HERE}:instance/i-1`, ofEpoch),
    ]),
  )('may not %s', async (_, request) => {
    const { policies: identity } = roleOf(foundation, 'service', 'ApiRole');

    await expect(isAllowed(request, { identity })).resolves.toBe(false);
  });
});

describe.each([
  ['service', 'WorkerRole', 'ecs-tasks.amazonaws.com'],
  ['service', 'ApiRole', 'ecs-tasks.amazonaws.com'],
  ['provider', 'ProviderRole', 'lambda.amazonaws.com'],
] as const)('of %s, the %s', (stack, id, service) => {
  const asked = (principal: string) =>
    ({ principal, action: 'sts:AssumeRole', resource: `arn:aws:iam::123456789012:role/x` }) as const;

  it(`is taken on by ${service}, and by nobody else, whatever they may`, async () => {
    const { trust: resource } = roleOf(foundation, stack, id);

    await expect(isAllowed(asked(service), { resource })).resolves.toBe(true);
    for (const principal of [
      FOREIGN_ROLE,
      'arn:aws:iam::123456789012:role/parallelcluster/node',
      'arn:aws:iam::123456789012:user/somebody',
      'ec2.amazonaws.com',
    ]) {
      const identity = principal.startsWith('arn:') ? [anything] : [];
      await expect(isAllowed(asked(principal), { identity, resource }), principal).resolves.toBe(false);
    }
  });

  it('has no policies but those of this foundation, and what it needs of AWS', () => {
    const { otherPolicies } = roleOf(foundation, stack, id);

    expect(otherPolicies).toEqual(
      id === 'ProviderRole'
        ? [
            'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole',
            'arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess',
            'ParallelClusterPolicies.Outputs.ParallelClusterClusterPolicy1',
            'ParallelClusterPolicies.Outputs.ParallelClusterClusterPolicy2',
            'ParallelClusterPolicies.Outputs.DefaultParallelClusterIamAdminPolicy',
          ]
        : [],
    );
  });
});

describe('ParallelCluster’s provider', () => {
  it('makes roles only within the boundary that worker and clusters are told', () => {
    const { Properties } = resourceOf(foundation, 'provider', 'ParallelClusterPolicies');

    expect(Properties['Parameters']).toEqual({
      Region: 'us-east-1',
      EnableIamAdminAccess: 'true',
      PermissionsBoundaryPolicy: foundation.provider.outputs['ClusterBoundaryArn'],
    });
  });

  it.each(
    named([
      to('s3:GetObject', `${controlBucket}/campaigns/x`),
      to('s3:GetObject', `${scratchBucket}/lab1/cortex/x`),
      to(
        'secretsmanager:GetSecretValue',
        `arn:aws:secretsmanager:${HERE}:secret:parallelcluster-provisioner/x-AbCdEf`,
      ),
      to('secretsmanager:GetSecretValue', `arn:aws:secretsmanager:${HERE}:secret:slurm-database/x-AbCdEf`),
      to('iam:CreateRole', 'arn:aws:iam::123456789012:role/x'),
    ]),
  )('is not given %s by this foundation', async (_, request) => {
    const { policies: identity } = roleOf(foundation, 'provider', 'ProviderRole');

    await expect(isAllowed(request, { identity })).resolves.toBe(false);
  });
});

describe('a role of a cluster, whatever its policies say,', () => {
  const asNode = async (request: IamRequest): Promise<boolean> =>
    isAllowed(request, {
      identity: [anything],
      boundary: policyOf(foundation, 'provider', 'ClusterBoundary'),
      ...keyPolicy(request),
    });

  it.each(
    named([
      to('ec2:RunInstances', `arn:aws:ec2:${HERE}:instance/*`),
      to('dynamodb:PutItem', `arn:aws:dynamodb:${HERE}:table/parallelcluster-slurm-pcluster-x`),
      to('logs:PutLogEvents', `arn:aws:logs:${HERE}:log-group:/aws/parallelcluster/pcluster-x:log-stream:y`),
      to('secretsmanager:GetSecretValue', `arn:aws:secretsmanager:${HERE}:secret:slurm-database/x-AbCdEf`),
      to('kms:Decrypt', dataKey),
      to('iam:PassRole', 'arn:aws:iam::123456789012:role/parallelcluster/x', {
        'iam:PassedToService': 'ec2.amazonaws.com',
      }),
    ]),
  )('may %s', async (_, request) => {
    await expect(asNode(request)).resolves.toBe(true);
  });

  it.each(
    named([
      to(
        'logs:PutLogEvents',
        `arn:aws:logs:${HERE}:log-group:/parallelcluster-provisioner/lab2/x:log-stream:y`,
      ),
      to(
        'logs:CreateLogStream',
        `arn:aws:logs:${HERE}:log-group:/parallelcluster-provisioner/lab2/x:log-stream:y`,
      ),
      to(
        'logs:GetLogEvents',
        `arn:aws:logs:${HERE}:log-group:/parallelcluster-provisioner/lab2/x:log-stream:y`,
      ),
      to('s3:GetObject', `${controlBucket}/campaigns/x`),
      to('s3:ListBucket', controlBucket),
      to('kms:Decrypt', controlKey),
      to(
        'secretsmanager:GetSecretValue',
        `arn:aws:secretsmanager:${HERE}:secret:parallelcluster-provisioner/x-AbCdEf`,
      ),
      to('secretsmanager:GetSecretValue', `arn:aws:secretsmanager:${HERE}:secret:rds!db-1-AbCdEf`),
      to('iam:CreateRole', 'arn:aws:iam::123456789012:role/x'),
      to('iam:PassRole', 'arn:aws:iam::123456789012:role/hpc-foundation-service-workerrole', {
        'iam:PassedToService': 'ec2.amazonaws.com',
      }),
      to('sts:AssumeRole', 'arn:aws:iam::123456789012:role/admin'),
      to('ec2:CreateRoute', `arn:aws:ec2:${HERE}:route-table/rtb-1`),
      to('ec2:AuthorizeSecurityGroupIngress', `arn:aws:ec2:${HERE}:security-group/sg-1`),
      to('ec2:RunInstances', 'arn:aws:ec2:eu-west-1:123456789012:instance/*', {
        'aws:RequestedRegion': 'eu-west-1',
      }),
      to('fsx:DeleteFileSystem', `arn:aws:fsx:${HERE}:file-system/fs-1`),
      to('lambda:InvokeFunction', `arn:aws:lambda:${HERE}:function:x`),
      // Sessions of Systems Manager would be a way in beside SSH that no security group sees.
      to('ssm:UpdateInstanceInformation', `arn:aws:ec2:${HERE}:instance/i-0123456789abcdef0`),
      to('ssmmessages:CreateControlChannel', '*'),
    ]),
  )('may not %s', async (_, request) => {
    await expect(asNode(request)).resolves.toBe(false);
  });
});
