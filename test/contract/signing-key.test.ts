import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetResourcePolicyCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
} from '@aws-sdk/client-secrets-manager';
import { randomUUID } from 'node:crypto';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createSigningKeyActivities } from '../../src/activities/signing-key.ts';
import type { HeadNode } from '../../src/clients/slurm-gateway.ts';
import { publicHalfOf } from '../../src/clients/slurm-tokens.ts';
import { keySecretName } from '../../src/domain/cluster-name.ts';
import type { ClusterAccess } from '../../src/domain/cluster-view.ts';
import type { Deployment } from '../../src/domain/deployment.ts';
import { KnownFailure } from '../../src/domain/failures.ts';
import { keyPolicy } from '../../src/domain/key-policy.ts';
import { keyTags, toTagList } from '../../src/domain/resource-tags.ts';
import { renderJwks } from '../../src/domain/slurm-jwt.ts';
import type { SlurmJwk } from '../../src/domain/slurm-jwt.ts';
import { activityContext, runActivity } from '../support/activity.ts';
import { lagBehind, noteCalls, useEmulatedAws } from '../support/aws.ts';

const aws = useEmulatedAws();
let keys: ReturnType<typeof createSigningKeyActivities>;
/** What Slurm was given, in order, and the key that signed at that moment. */
const pushes: { readonly jwks: string; readonly signing: SlurmJwk }[] = [];
let pushFailure: Error | undefined;
beforeAll(() => {
  const { secretsManager } = aws().clients;
  const replaceJwks = async ({ epoch }: HeadNode, jwks: string) => {
    pushes.push({ jwks, signing: publicHalfOf(await stored({ ...freshDeployment(), epoch })) });
    if (pushFailure) throw pushFailure;
  };
  keys = createSigningKeyActivities({ secretsManager, control: { replaceJwks } });
});
beforeEach(() => {
  pushes.length = 0;
  pushFailure = undefined;
});

let count = 0;
function freshDeployment(): Deployment {
  count += 1;
  return { virtualLabId: 'lab', projectId: 'proj', clusterName: 'pcluster-lab-proj', epoch: `sign${count}` };
}

const nameOf = (deployment: Deployment) => keySecretName(deployment, 'slurm-api');
const stored = async (deployment: Deployment) => {
  const command = new GetSecretValueCommand({ SecretId: nameOf(deployment), VersionStage: 'AWSCURRENT' });
  return (await aws().clients.secretsManager.send(command)).SecretString ?? '';
};
const createSecret = async (
  deployment: Deployment,
  value: string | undefined,
  tags = ownTags(deployment),
) => {
  const command = new CreateSecretCommand({ Name: nameOf(deployment), SecretString: value, Tags: tags });
  await aws().clients.secretsManager.send(command);
};
const adminAccess: ClusterAccess = {
  address: '10.0.0.1',
  port: 22,
  user: 'ec2-user',
  hostKey: 'ssh-ed25519 AAAA',
  privateKeySecretArn: 'arn:of-the-admin',
};
const rotate = async (request: Parameters<typeof keys.rotateSigningKey>[0]) =>
  runActivity(keys.rotateSigningKey, request, activityContext());
const ownTags = (deployment: Deployment) => toTagList(keyTags(deployment, 'slurm-api'));

describe('the signing key of a deployment', () => {
  test('is made once, its private half in the secret and nowhere else', async () => {
    const deployment = freshDeployment();
    const key = await keys.ensureSigningKey(deployment);
    expect(publicHalfOf(await stored(deployment))).toEqual(key.jwk);
    expect(JSON.stringify(key)).not.toMatch(/PRIVATE|"d":/);
    expect(await keys.ensureSigningKey(deployment)).toEqual(key);
  });

  test('is one, however many attempts make it at once', async () => {
    const deployment = freshDeployment();
    const made = await Promise.all(Array.from({ length: 4 }, async () => keys.ensureSigningKey(deployment)));
    expect(new Set(made.map(({ jwk }) => jwk.kid)).size).toBe(1);
  });

  test.each([
    ['has no value', undefined],
    ['holds something else', 'planted'],
  ])('is repaired where the secret %s', async (_what, value) => {
    const deployment = freshDeployment();
    await createSecret(deployment, value);
    const { jwk } = await keys.ensureSigningKey(deployment);
    expect(publicHalfOf(await stored(deployment))).toEqual(jwk);
  });

  test('is made anew where the secret waits for its deletion', async () => {
    const deployment = freshDeployment();
    const { jwk } = await keys.ensureSigningKey(deployment);
    await aws().clients.secretsManager.send(
      new DeleteSecretCommand({ SecretId: nameOf(deployment), RecoveryWindowInDays: 7 }),
    );
    expect((await keys.ensureSigningKey(deployment)).jwk).not.toEqual(jwk);
  });

  test('never takes the place of a secret that is not ours', async () => {
    const deployment = freshDeployment();
    await createSecret(deployment, 'theirs', [{ Key: 'owner', Value: 'somebody' }]);
    await expect(keys.ensureSigningKey(deployment)).rejects.toMatchObject({ type: 'KeyPairConflict' });
    await runActivity(keys.deleteSigningKey, deployment);
    expect(await stored(deployment)).toBe('theirs');
  });

  test('is looked for until it must show where it was asked for and does not yet', async () => {
    const deployment = freshDeployment();
    const { secretsManager } = aws().clients;
    const stop = lagBehind(secretsManager, { change: 'CreateSecret', read: 'DescribeSecret', times: 1 });
    await runActivity(keys.deleteSigningKey, deployment);
    await createSecret(deployment, 'left over');
    await runActivity(keys.deleteSigningKey, { ...deployment, askedSecondsAgo: 20 });
    expect(stop()).toBe(1);
    await expect(stored(deployment)).rejects.toThrow('find');
  });

  test('is followed by one that Slurm knows before it signs, the same in every attempt', async () => {
    const deployment = freshDeployment();
    const first = await keys.ensureSigningKey(deployment);
    const request = { ...deployment, adminAccess, rotationId: randomUUID(), trusted: [first.jwk] };
    pushFailure = new KnownFailure('SlurmUnavailable', 'slurmctld does not answer');
    await expect(rotate(request)).rejects.toThrow('slurmctld does not answer');
    expect(publicHalfOf(await stored(deployment))).toEqual(first.jwk);

    pushFailure = undefined;
    const next = await rotate(request);
    expect(next).toEqual({
      privateKeySecretArn: first.privateKeySecretArn,
      jwk: expect.anything() as unknown,
    });
    expect(next.jwk).not.toEqual(first.jwk);
    expect(JSON.stringify(next)).not.toMatch(/PRIVATE|"d":/);
    expect(publicHalfOf(await stored(deployment))).toEqual(next.jwk);
    expect(await rotate(request)).toEqual(next);
    const both = renderJwks([next.jwk, first.jwk]);
    expect(pushes).toEqual([
      { jwks: both, signing: first.jwk },
      { jwks: both, signing: first.jwk },
      { jwks: both, signing: next.jwk },
    ]);
    expect(await keys.ensureSigningKey(deployment)).toEqual(next);
  });

  test('is followed by one key, however many attempts rotate at once', async () => {
    const deployment = freshDeployment();
    const { jwk } = await keys.ensureSigningKey(deployment);
    const request = { ...deployment, adminAccess, rotationId: randomUUID(), trusted: [jwk] };
    const made = await Promise.all([1, 2, 3].map(async () => rotate(request)));
    expect(new Set(made.map(({ jwk: { kid } }) => kid)).size).toBe(1);
  });

  test('is not rotated where it is gone or somebody else’s', async () => {
    const deployment = freshDeployment();
    const request = { ...deployment, adminAccess, rotationId: randomUUID(), trusted: [] };
    await expect(rotate(request)).rejects.toMatchObject({ type: 'NotFound' });
    await createSecret(deployment, 'theirs', [{ Key: 'owner', Value: 'somebody' }]);
    await expect(rotate(request)).rejects.toMatchObject({ type: 'KeyPairConflict' });
    expect(pushes).toEqual([]);
  });

  test('goes at once, and is not missed when it is gone', async () => {
    const deployment = freshDeployment();
    await keys.ensureSigningKey(deployment);
    await aws().clients.secretsManager.send(
      new PutSecretValueCommand({ SecretId: nameOf(deployment), SecretString: 'changed' }),
    );
    await runActivity(keys.deleteSigningKey, deployment);
    await runActivity(keys.deleteSigningKey, deployment);
    await expect(
      aws().clients.secretsManager.send(new DescribeSecretCommand({ SecretId: nameOf(deployment) })),
    ).rejects.toThrow('find');
  });
});

describe('the policy of the secret with the signing key', () => {
  // The Workflow Service signs no tokens: it has no need of the key.
  const keyReaders = {
    provisionerRoleArn: 'arn:aws:iam::123456789012:role/provisioner',
    workflowServiceRoleArn: 'arn:aws:iam::123456789012:role/workflow-service',
  };
  let noted: ReturnType<typeof noteCalls>;
  let protectedKeys: ReturnType<typeof createSigningKeyActivities>;

  beforeEach(() => {
    const { secretsManager } = aws().clients;
    protectedKeys = createSigningKeyActivities({
      secretsManager,
      keyReaders,
      control: { replaceJwks: async () => {} },
    });
    noted = noteCalls(secretsManager);
  });
  afterEach(() => {
    noted.stop();
  });

  async function policyOf(deployment: Deployment): Promise<string | undefined> {
    const command = new GetResourcePolicyCommand({ SecretId: nameOf(deployment) });
    return (await aws().clients.secretsManager.send(command)).ResourcePolicy;
  }

  test('is there before the key, and lets the worker alone read it', async () => {
    const deployment = freshDeployment();
    await protectedKeys.ensureSigningKey(deployment);
    expect(noted.calls.filter((name) => /^(Create|Put)/.test(name)).slice(0, 3)).toEqual([
      'CreateSecret',
      'PutResourcePolicy',
      'PutSecretValue',
    ]);
    expect(await policyOf(deployment)).toBe(keyPolicy('slurm-api', keyReaders));
    expect(await policyOf(deployment)).not.toContain(keyReaders.workflowServiceRoleArn);
  });

  test('is given to a key that was made without one, which stays', async () => {
    const deployment = freshDeployment();
    const { jwk } = await keys.ensureSigningKey(deployment);
    expect(await policyOf(deployment)).toBeUndefined();
    expect((await protectedKeys.ensureSigningKey(deployment)).jwk).toEqual(jwk);
    expect(await policyOf(deployment)).toBe(keyPolicy('slurm-api', keyReaders));
  });

  test('is put on no secret of somebody else', async () => {
    const deployment = freshDeployment();
    await createSecret(deployment, 'theirs', [{ Key: 'owner', Value: 'somebody' }]);
    await expect(protectedKeys.ensureSigningKey(deployment)).rejects.toMatchObject({
      type: 'KeyPairConflict',
    });
    expect(await policyOf(deployment)).toBeUndefined();
  });
});
