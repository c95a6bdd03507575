import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
} from '@aws-sdk/client-secrets-manager';
import { beforeAll, describe, expect, test } from 'vitest';
import { createSigningKeyActivities } from '../../src/activities/signing-key.ts';
import { publicHalfOf } from '../../src/clients/slurm-tokens.ts';
import { keySecretName } from '../../src/domain/cluster-name.ts';
import type { Deployment } from '../../src/domain/deployment.ts';
import { keyTags, toTagList } from '../../src/domain/resource-tags.ts';
import { useEmulatedAws } from '../support/aws.ts';

const aws = useEmulatedAws();
let keys: ReturnType<typeof createSigningKeyActivities>;
beforeAll(() => {
  keys = createSigningKeyActivities(aws().clients);
});

let count = 0;
function freshDeployment(): Deployment {
  count += 1;
  return { virtualLabId: 'lab', projectId: 'proj', clusterName: 'pcluster-lab-proj', epoch: `sign${count}` };
}

const nameOf = (deployment: Deployment) => keySecretName(deployment, 'slurm-api');
const stored = async (deployment: Deployment) => {
  const command = new GetSecretValueCommand({ SecretId: nameOf(deployment) });
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
    await keys.deleteSigningKey(deployment);
    expect(await stored(deployment)).toBe('theirs');
  });

  test('goes at once, and is not missed when it is gone', async () => {
    const deployment = freshDeployment();
    await keys.ensureSigningKey(deployment);
    await aws().clients.secretsManager.send(
      new PutSecretValueCommand({ SecretId: nameOf(deployment), SecretString: 'changed' }),
    );
    await keys.deleteSigningKey(deployment);
    await keys.deleteSigningKey(deployment);
    await expect(
      aws().clients.secretsManager.send(new DescribeSecretCommand({ SecretId: nameOf(deployment) })),
    ).rejects.toThrow('find');
  });
});
