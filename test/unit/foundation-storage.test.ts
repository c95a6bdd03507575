import { beforeAll, describe, expect, it } from 'vitest';
import { type Foundation, makeFoundation, ofType, policyOf } from '../support/foundation.ts';
import { anything, type IamRequest, isAllowed } from '../support/iam-simulation.ts';

const FOREIGN_ROLE = 'arn:aws:iam::999999999999:role/somebody';
const keyArn = (id: string): string =>
  `arn:aws:kms:us-east-1:123456789012:key/hpc-foundation-storage-${id.toLowerCase()}`;

let foundation: Foundation;
beforeAll(async () => {
  foundation = await makeFoundation();
});

describe('what holds data', () => {
  it.each([
    ['AWS::S3::Bucket', 4, 'RetainExceptOnCreate', 'Retain'],
    ['AWS::KMS::Key', 2, 'RetainExceptOnCreate', 'Retain'],
    ['AWS::EFS::FileSystem', 1, 'RetainExceptOnCreate', 'Retain'],
    ['AWS::RDS::DBInstance', 1, 'Snapshot', 'Snapshot'],
  ])('outlives its stack: each %s', (type, count, deletion, replacement) => {
    const found = ofType(foundation, type);

    expect(found).toHaveLength(count);
    for (const [id, { DeletionPolicy, UpdateReplacePolicy }] of found)
      expect({ id, DeletionPolicy, UpdateReplacePolicy }).toEqual({
        id,
        // What a first deployment made and then took back again holds nothing yet.
        DeletionPolicy: deletion,
        UpdateReplacePolicy: replacement,
      });
  });
});

describe.each(['PublicAssets', 'PrivateAssets', 'Scratch', 'Control'])('the bucket %s', (name) => {
  const request = (context: Readonly<Record<string, string>>): IamRequest => ({
    action: 's3:GetObject',
    resource: `arn:aws:s3:::hpc-foundation-storage-${name.toLowerCase()}bucket/x`,
    context,
  });

  it('is read over TLS 1.2 or newer only, by whoever may read it', async () => {
    const resource = policyOf(foundation, 'storage', `${name}BucketPolicy`);
    const read = async (context: Readonly<Record<string, string>>) =>
      isAllowed(request(context), { identity: [anything], resource });

    await expect(read({ 'aws:SecureTransport': 'true', 's3:TlsVersion': '1.2' })).resolves.toBe(true);
    await expect(read({ 'aws:SecureTransport': 'true', 's3:TlsVersion': '1.3' })).resolves.toBe(true);
    await expect(read({ 'aws:SecureTransport': 'true', 's3:TlsVersion': '1.1' })).resolves.toBe(false);
    await expect(read({ 'aws:SecureTransport': 'false' })).resolves.toBe(false);
  });

  it('is open to nobody by its own policy', async () => {
    const resource = policyOf(foundation, 'storage', `${name}BucketPolicy`);
    const context = { 'aws:SecureTransport': 'true', 's3:TlsVersion': '1.3' };

    await expect(isAllowed(request(context), { resource })).resolves.toBe(false);
    const foreign = { ...request(context), principal: FOREIGN_ROLE };
    await expect(isAllowed(foreign, { identity: [anything], resource })).resolves.toBe(false);
  });

  it('is closed to the public, versioned, and owns every object in it, so that no ACL opens one', () => {
    const found = ofType(foundation, 'AWS::S3::Bucket').find(([id]) => id === `${name}Bucket`);

    expect(found?.[1].Properties).toMatchObject({
      VersioningConfiguration: { Status: 'Enabled' },
      OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
      BucketEncryption: {
        ServerSideEncryptionConfiguration: [
          {
            BucketKeyEnabled: true,
            ServerSideEncryptionByDefault: {
              SSEAlgorithm: 'aws:kms',
              KMSMasterKeyID: keyArn(name === 'Control' ? 'ControlKey' : 'DataKey'),
            },
          },
        ],
      },
    });
  });
});

describe('the KMS keys', () => {
  const use = async (id: string, request: Partial<IamRequest>, identity: readonly unknown[] = []) =>
    isAllowed(
      { action: 'kms:Decrypt', resource: keyArn(id), ...request },
      { identity, resource: policyOf(foundation, 'storage', id, 'KeyPolicy') },
    );
  const through = (service: string, account = '123456789012') => ({
    context: { 'kms:ViaService': `${service}.us-east-1.amazonaws.com`, 'kms:CallerAccount': account },
  });

  it('are rotated', () => {
    for (const [id, { Properties }] of ofType(foundation, 'AWS::KMS::Key'))
      expect(Properties['EnableKeyRotation'], id).toBe(true);
  });

  it.each(['DataKey', 'ControlKey'])(
    '%s is used and administered as policies of the account say',
    async (id) => {
      await expect(use(id, {}, [anything])).resolves.toBe(true);
      await expect(use(id, { action: 'kms:PutKeyPolicy' }, [anything])).resolves.toBe(true);
      await expect(use(id, {})).resolves.toBe(false);
      await expect(use(id, { action: 'kms:PutKeyPolicy' })).resolves.toBe(false);
      await expect(use(id, { action: 'kms:ScheduleKeyDeletion' })).resolves.toBe(false);
    },
  );

  it.each(['DataKey', 'ControlKey'])('%s is closed to other accounts, whatever they may', async (id) => {
    for (const action of ['kms:Decrypt', 'kms:CreateGrant', 'kms:PutKeyPolicy'])
      await expect(use(id, { action, principal: FOREIGN_ROLE }, [anything]), action).resolves.toBe(false);
    const foreign = { principal: FOREIGN_ROLE, ...through('s3', '999999999999') };
    await expect(use(id, foreign, [anything])).resolves.toBe(false);
  });

  it('of data is used by whoever may read what is encrypted with it, through storage only', async () => {
    for (const service of ['s3', 'elasticfilesystem', 'fsx'])
      await expect(use('DataKey', through(service)), service).resolves.toBe(true);
    for (const service of ['secretsmanager', 'ec2', 'rds'])
      await expect(use('DataKey', through(service)), service).resolves.toBe(false);
    await expect(use('DataKey', { ...through('s3'), action: 'kms:CreateGrant' })).resolves.toBe(false);
  });

  it('of the service itself is not, so that no node reads what a campaign holds', async () => {
    await expect(use('ControlKey', through('s3'))).resolves.toBe(false);
  });

  it('of data encrypts alarms of budgets of this account', async () => {
    const asBudgets = (account: string) =>
      use('DataKey', { principal: 'budgets.amazonaws.com', context: { 'aws:SourceAccount': account } });

    await expect(asBudgets('123456789012')).resolves.toBe(true);
    await expect(asBudgets('999999999999')).resolves.toBe(false);
  });
});

describe('the file system of homes', () => {
  const mount = async (context: Readonly<Record<string, string>>, action = 'elasticfilesystem:ClientMount') =>
    isAllowed(
      {
        action,
        resource: 'arn:aws:elasticfilesystem:us-east-1:123456789012:file-system/fs-0123456789abcdef0',
        context,
      },
      { resource: policyOf(foundation, 'storage', 'HomeFileSystem', 'FileSystemPolicy') },
    );
  const byAccessPoint = {
    'elasticfilesystem:AccessedViaMountTarget': 'true',
    'aws:SecureTransport': 'true',
    'elasticfilesystem:AccessPointArn':
      'arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-0123456789abcdef0',
  };

  it('is mounted by an access point over TLS, and not otherwise', async () => {
    const { 'elasticfilesystem:AccessPointArn': _, ...withoutAccessPoint } = byAccessPoint;

    await expect(mount(byAccessPoint)).resolves.toBe(true);
    await expect(mount(byAccessPoint, 'elasticfilesystem:ClientWrite')).resolves.toBe(true);
    await expect(mount(withoutAccessPoint)).resolves.toBe(false);
    await expect(mount({ ...byAccessPoint, 'aws:SecureTransport': 'false' })).resolves.toBe(false);
    await expect(mount({})).resolves.toBe(false);
  });

  it('is encrypted, backed up, and has a policy at all: without one, everybody in the network mounts all of it', () => {
    const [[, { Properties }] = ['', { Properties: {} }]] = ofType(foundation, 'AWS::EFS::FileSystem');

    expect(Properties).toMatchObject({
      Encrypted: true,
      KmsKeyId: keyArn('DataKey'),
      BackupPolicy: { Status: 'ENABLED' },
      FileSystemPolicy: expect.objectContaining({ Statement: expect.anything() }),
    });
  });
});
