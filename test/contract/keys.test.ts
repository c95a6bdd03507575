import { CreateKeyPairCommand, DeleteKeyPairCommand, DescribeKeyPairsCommand } from '@aws-sdk/client-ec2';
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetResourcePolicyCommand,
  GetSecretValueCommand,
  MalformedPolicyDocumentException,
  PutSecretValueCommand,
  ResourceNotFoundException,
} from '@aws-sdk/client-secrets-manager';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createKeyActivities } from '../../src/activities/keys.ts';
import { publicKeyOf } from '../../src/clients/openssh-key.ts';
import { keyPairName, keySecretName } from '../../src/domain/cluster-name.ts';
import type { Deployment, KeyRole } from '../../src/domain/deployment.ts';
import { keyPolicy } from '../../src/domain/key-policy.ts';
import { keyTags, toTagList } from '../../src/domain/resource-tags.ts';
import { runActivity } from '../support/activity.ts';
import { lagBehind, noteCalls, useEmulatedAws } from '../support/aws.ts';

const aws = useEmulatedAws();
const role: KeyRole = 'job-user';
const foreignTags = [{ Key: 'owner', Value: 'somebody' }];

let deploymentCount = 0;
function freshDeployment(): Deployment {
  deploymentCount += 1;
  return {
    virtualLabId: 'lab',
    projectId: 'proj',
    clusterName: 'pcluster-lab-proj',
    epoch: `epoch${deploymentCount}`,
  };
}

let keys: ReturnType<typeof createKeyActivities>;
beforeAll(() => {
  keys = createKeyActivities({ ...aws().clients, halfMadeGraceSeconds: 0.5 });
});

async function createPair(
  deployment: Deployment,
  tags = toTagList(keyTags(deployment, role)),
): Promise<string> {
  const { KeyMaterial = '' } = await aws().clients.ec2.send(
    new CreateKeyPairCommand({
      KeyName: keyPairName(deployment, role),
      KeyType: 'ed25519',
      TagSpecifications: [{ ResourceType: 'key-pair', Tags: tags }],
    }),
  );
  return KeyMaterial;
}

async function createSecret(
  deployment: Deployment,
  value: string | undefined,
  tags = toTagList(keyTags(deployment, role)),
): Promise<void> {
  await aws().clients.secretsManager.send(
    new CreateSecretCommand({ Name: keySecretName(deployment, role), SecretString: value, Tags: tags }),
  );
}

async function publicKeyInEc2(deployment: Deployment): Promise<string | undefined> {
  const { KeyPairs = [] } = await aws().clients.ec2.send(
    new DescribeKeyPairsCommand({
      Filters: [{ Name: 'key-name', Values: [keyPairName(deployment, role)] }],
      IncludePublicKey: true,
    }),
  );
  return KeyPairs[0]?.PublicKey;
}

async function storedSecret(deployment: Deployment): Promise<string | undefined> {
  const { SecretString } = await aws().clients.secretsManager.send(
    new GetSecretValueCommand({ SecretId: keySecretName(deployment, role) }),
  );
  return SecretString;
}

async function secretExists(deployment: Deployment): Promise<boolean> {
  const description = aws().clients.secretsManager.send(
    new DescribeSecretCommand({ SecretId: keySecretName(deployment, role) }),
  );
  return description.then(
    () => true,
    () => false,
  );
}

/** Ensures the pair and checks everything that must hold of it afterwards. */
async function ensureWhole(deployment: Deployment): Promise<string> {
  const pair = await keys.ensureKeyPair({ ...deployment, role });
  expect(pair).toMatchObject({ role, keyName: keyPairName(deployment, role) });
  expect(pair.publicKey).toMatch(/^ssh-ed25519 [A-Za-z0-9+/=]+$/);
  expect(await publicKeyInEc2(deployment)).toBe(pair.publicKey);
  const secret = (await storedSecret(deployment)) ?? '';
  expect(publicKeyOf(secret)).toBe(pair.publicKey);
  expect(JSON.stringify(pair)).not.toContain(secret.split('\n')[2]);
  return pair.publicKey;
}

describe('ensureKeyPair', () => {
  test('makes an ED25519 pair whose private half is in Secrets Manager', async () => {
    const deployment = freshDeployment();
    expect(await ensureWhole(deployment)).toBe(await publicKeyInEc2(deployment));
  });

  test('both halves are tagged with tenant, epoch and role', async () => {
    const deployment = freshDeployment();
    await ensureWhole(deployment);
    const secret = await aws().clients.secretsManager.send(
      new DescribeSecretCommand({ SecretId: keySecretName(deployment, role) }),
    );
    const { KeyPairs = [] } = await aws().clients.ec2.send(
      new DescribeKeyPairsCommand({ KeyNames: [keyPairName(deployment, role)] }),
    );
    const tags = toTagList(keyTags(deployment, role));
    expect(secret.Tags).toEqual(expect.arrayContaining(tags));
    expect(KeyPairs[0]?.Tags).toEqual(expect.arrayContaining(tags));
  });

  test('repeated, it answers the same key', async () => {
    const deployment = freshDeployment();
    expect(await ensureWhole(deployment)).toBe(await ensureWhole(deployment));
  });

  test('five attempts at a time agree on one key', async () => {
    const deployment = freshDeployment();
    const pairs = await Promise.all(
      Array.from({ length: 5 }, async () => keys.ensureKeyPair({ ...deployment, role })),
    );
    expect(new Set(pairs.map(({ publicKey }) => publicKey))).toEqual(
      new Set([await ensureWhole(deployment)]),
    );
  });

  test('roles and epochs have keys of their own', async () => {
    const [first, second] = [freshDeployment(), freshDeployment()];
    const pairs = await Promise.all([
      keys.ensureKeyPair({ ...first, role: 'admin' }),
      keys.ensureKeyPair({ ...first, role: 'job-user' }),
      keys.ensureKeyPair({ ...second, role: 'admin' }),
    ]);
    expect(new Set(pairs.map(({ publicKey }) => publicKey)).size).toBe(3);
    expect(new Set(pairs.map(({ privateKeySecretArn }) => privateKeySecretArn)).size).toBe(3);
  });
});

describe('the policy of the secret', () => {
  const keyReaders = {
    provisionerRoleArn: 'arn:aws:iam::123456789012:role/provisioner',
    workflowServiceRoleArn: 'arn:aws:iam::123456789012:role/workflow-service',
  };
  let protectedKeys: ReturnType<typeof createKeyActivities>;
  let noted: ReturnType<typeof noteCalls>;

  beforeEach(() => {
    protectedKeys = createKeyActivities({ ...aws().clients, keyReaders, halfMadeGraceSeconds: 0.1 });
    noted = noteCalls(aws().clients.secretsManager);
  });
  afterEach(() => {
    noted.stop();
  });

  async function policyOf(deployment: Deployment, of: KeyRole): Promise<string | undefined> {
    const { ResourcePolicy } = await aws().clients.secretsManager.send(
      new GetResourcePolicyCommand({ SecretId: keySecretName(deployment, of) }),
    );
    return ResourcePolicy;
  }

  test.each(['admin', 'job-user'] as const)(
    'is that of the role %s, and there before the value',
    async (of) => {
      const deployment = freshDeployment();
      await protectedKeys.ensureKeyPair({ ...deployment, role: of });
      const changes = noted.calls.filter((name) => /^(Create|Put)/.test(name));
      expect(changes.slice(0, 3)).toEqual(['CreateSecret', 'PutResourcePolicy', 'PutSecretValue']);
      expect(await policyOf(deployment, of)).toBe(keyPolicy(of, keyReaders));
    },
  );

  test('is given to a secret that an earlier attempt left without one', async () => {
    const [whole, empty] = [freshDeployment(), freshDeployment()];
    const { publicKey } = await keys.ensureKeyPair({ ...whole, role });
    expect(await policyOf(whole, role)).toBeUndefined();
    expect((await protectedKeys.ensureKeyPair({ ...whole, role })).publicKey).toBe(publicKey);
    await createSecret(empty, undefined);
    await protectedKeys.ensureKeyPair({ ...empty, role });
    for (const deployment of [whole, empty]) {
      expect(await policyOf(deployment, role)).toBe(keyPolicy(role, keyReaders));
    }
  });

  test('is put on no secret of somebody else', async () => {
    const deployment = freshDeployment();
    await createSecret(deployment, 'theirs', foreignTags);
    await expect(protectedKeys.ensureKeyPair({ ...deployment, role })).rejects.toMatchObject({
      type: 'KeyPairConflict',
    });
    expect(await policyOf(deployment, role)).toBeUndefined();
  });

  test('that Secrets Manager refuses leaves no key at all, and says what to correct', async () => {
    const deployment = freshDeployment();
    aws().clients.secretsManager.middlewareStack.add(
      (next, { commandName = '' }) =>
        async (args) => {
          if (commandName !== 'PutResourcePolicyCommand') return next(args);
          const message = 'This resource policy contains an unsupported principal.';
          throw new MalformedPolicyDocumentException({ message, $metadata: {} });
        },
      { step: 'initialize', name: 'refusePolicies' },
    );
    try {
      await expect(protectedKeys.ensureKeyPair({ ...deployment, role })).rejects.toMatchObject({
        type: 'SecretPolicyRefused',
        message: expect.stringContaining('unsupported principal') as unknown,
      });
    } finally {
      aws().clients.secretsManager.middlewareStack.remove('refusePolicies');
    }
    await expect(storedSecret(deployment)).rejects.toThrow(ResourceNotFoundException);
    expect(await publicKeyInEc2(deployment)).toBeUndefined();
    await runActivity(keys.deleteKeyPair, { ...deployment, role });
    expect(await secretExists(deployment)).toBe(false);
  });
});

describe('ensureKeyPair repairs', () => {
  test('a pair whose private half was lost', async () => {
    const deployment = freshDeployment();
    const lost = publicKeyOf(await createPair(deployment));
    expect(await ensureWhole(deployment)).not.toBe(lost);
  });

  test('a pair whose secret has no value yet', async () => {
    const deployment = freshDeployment();
    await createPair(deployment);
    await createSecret(deployment, undefined);
    expect(await ensureWhole(deployment)).toBe(await publicKeyInEc2(deployment));
  });

  test('a secret without a pair', async () => {
    const deployment = freshDeployment();
    await createSecret(deployment, 'left over');
    expect(await ensureWhole(deployment)).toBe(await publicKeyInEc2(deployment));
  });

  test('a secret that holds the key of another pair', async () => {
    const deployment = freshDeployment();
    const other = await createPair(deployment);
    await createSecret(deployment, other);
    await aws().clients.ec2.send(new DeleteKeyPairCommand({ KeyName: keyPairName(deployment, role) }));
    await createPair(deployment);
    expect(await ensureWhole(deployment)).not.toBe(publicKeyOf(other));
  });

  test('a secret that holds something else than a private key', async () => {
    const deployment = freshDeployment();
    await ensureWhole(deployment);
    await aws().clients.secretsManager.send(
      new PutSecretValueCommand({ SecretId: keySecretName(deployment, role), SecretString: 'not a key' }),
    );
    expect(await ensureWhole(deployment)).toBe(await publicKeyInEc2(deployment));
  });

  test('a secret that is scheduled for deletion', async () => {
    const deployment = freshDeployment();
    await ensureWhole(deployment);
    await aws().clients.secretsManager.send(
      new DeleteSecretCommand({ SecretId: keySecretName(deployment, role), RecoveryWindowInDays: 7 }),
    );
    await ensureWhole(deployment);
    const secret = await aws().clients.secretsManager.send(
      new DescribeSecretCommand({ SecretId: keySecretName(deployment, role) }),
    );
    expect(secret.DeletedDate).toBeUndefined();
  });

  test('a pair whose secret is scheduled for deletion and stays so until it is needed', async () => {
    const deployment = freshDeployment();
    await createSecret(deployment, 'left over');
    await aws().clients.secretsManager.send(
      new DeleteSecretCommand({ SecretId: keySecretName(deployment, role), RecoveryWindowInDays: 7 }),
    );
    expect(await ensureWhole(deployment)).toBe(await publicKeyInEc2(deployment));
  });

  test('a half-made pair is given time: the other half that arrives meanwhile is taken', async () => {
    const deployment = freshDeployment();
    const privateKey = await createPair(deployment);
    const ensured = ensureWhole(deployment);
    await new Promise((resolve) => setTimeout(resolve, 150));
    await createSecret(deployment, privateKey);
    expect(await ensured).toBe(publicKeyOf(privateKey));
  });
});

describe('a name that somebody else uses', () => {
  test('a foreign key pair is a conflict and stays as it is', async () => {
    const deployment = freshDeployment();
    const foreign = publicKeyOf(await createPair(deployment, foreignTags));
    const ensuring = keys.ensureKeyPair({ ...deployment, role });
    await expect(ensuring).rejects.toMatchObject({ type: 'KeyPairConflict' });
    await expect(ensuring).rejects.toThrow(keyPairName(deployment, role));
    await runActivity(keys.deleteKeyPair, { ...deployment, role });
    expect(await publicKeyInEc2(deployment)).toBe(foreign);
    expect(await secretExists(deployment)).toBe(false);
  });

  test('a foreign secret is a conflict and stays as it is', async () => {
    const deployment = freshDeployment();
    await createSecret(deployment, 'theirs', foreignTags);
    const ensuring = keys.ensureKeyPair({ ...deployment, role });
    await expect(ensuring).rejects.toMatchObject({ type: 'KeyPairConflict' });
    await expect(ensuring).rejects.not.toThrow('theirs');
    await runActivity(keys.deleteKeyPair, { ...deployment, role });
    expect(await storedSecret(deployment)).toBe('theirs');
    expect(await publicKeyInEc2(deployment)).toBeUndefined();
  });

  test('the tags of another epoch are foreign as well', async () => {
    const deployment = freshDeployment();
    await createPair(deployment, toTagList(keyTags(freshDeployment(), role)));
    await expect(keys.ensureKeyPair({ ...deployment, role })).rejects.toMatchObject({
      type: 'KeyPairConflict',
    });
  });
});

describe('deleteKeyPair', () => {
  test('deletes both halves at once, without a recovery window', async () => {
    const deployment = freshDeployment();
    await ensureWhole(deployment);
    await runActivity(keys.deleteKeyPair, { ...deployment, role });
    expect(await publicKeyInEc2(deployment)).toBeUndefined();
    expect(await secretExists(deployment)).toBe(false);
  });

  test('what is absent, or half gone, is no failure', async () => {
    const [nothing, pairOnly, secretOnly] = [freshDeployment(), freshDeployment(), freshDeployment()];
    await createPair(pairOnly);
    await createSecret(secretOnly, 'left over');
    for (const deployment of [nothing, pairOnly, secretOnly]) {
      await runActivity(keys.deleteKeyPair, { ...deployment, role });
      await runActivity(keys.deleteKeyPair, { ...deployment, role });
      expect(await publicKeyInEc2(deployment)).toBeUndefined();
      expect(await secretExists(deployment)).toBe(false);
    }
  });

  test('a secret that is scheduled for deletion goes at once', async () => {
    const deployment = freshDeployment();
    await createSecret(deployment, 'left over');
    await aws().clients.secretsManager.send(
      new DeleteSecretCommand({ SecretId: keySecretName(deployment, role), RecoveryWindowInDays: 7 }),
    );
    await runActivity(keys.deleteKeyPair, { ...deployment, role });
    expect(await secretExists(deployment)).toBe(false);
  });

  test('a pair that was asked for and does not show yet is looked for until it must', async () => {
    const deployment = freshDeployment();
    const { ec2, secretsManager } = aws().clients;
    const stops = [
      lagBehind(ec2, { change: 'CreateKeyPair', read: 'DescribeKeyPairs', times: 1 }),
      lagBehind(secretsManager, { change: 'CreateSecret', read: 'DescribeSecret', times: 2 }),
    ];
    await runActivity(keys.deleteKeyPair, { ...deployment, role });
    await createPair(deployment);
    await createSecret(deployment, 'left over');
    await runActivity(keys.deleteKeyPair, { ...deployment, role, askedSecondsAgo: 20 });
    expect(stops.map((stop) => stop())).toEqual([1, 2]);
    expect(await publicKeyInEc2(deployment)).toBeUndefined();
    expect(await secretExists(deployment)).toBe(false);
  });

  test('the pair of the other role stays', async () => {
    const deployment = freshDeployment();
    const admin = await keys.ensureKeyPair({ ...deployment, role: 'admin' });
    await runActivity(keys.deleteKeyPair, { ...deployment, role });
    expect(await keys.ensureKeyPair({ ...deployment, role: 'admin' })).toEqual(admin);
  });
});
