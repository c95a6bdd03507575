import {
  GetSecretValueCommand,
  PutResourcePolicyCommand,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { KnownFailure } from '../domain/failures.ts';
import { isPolicyRefused } from './aws-errors.ts';

/**
 * Reads the private key in a secret. The value must never reach a log, an error or a workflow.
 *
 * @throws KnownFailure NotFound when the secret holds no text.
 */
export async function readPrivateKey(
  secretsManager: SecretsManagerClient,
  secretArn: string,
): Promise<string> {
  const { SecretString } = await secretsManager.send(
    new GetSecretValueCommand({ SecretId: secretArn, VersionStage: 'AWSCURRENT' }),
  );
  if (!SecretString) throw new KnownFailure('NotFound', `The secret ${secretArn} holds no private key`);
  return SecretString;
}

/**
 * Gives a secret its resource policy, in the place of any other. Secrets Manager checks it first, and that it does not
 * open the secret to the public.
 *
 * @throws KnownFailure SecretPolicyRefused
 */
export async function putSecretPolicy(
  secretsManager: SecretsManagerClient,
  secretId: string,
  policy: string,
): Promise<void> {
  try {
    await secretsManager.send(
      new PutResourcePolicyCommand({ SecretId: secretId, ResourcePolicy: policy, BlockPublicPolicy: true }),
    );
  } catch (error) {
    if (!isPolicyRefused(error)) throw error;
    throw new KnownFailure('SecretPolicyRefused', `The policy of ${secretId} was refused: ${error.message}`);
  }
}
