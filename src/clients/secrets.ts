import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { KnownFailure } from '../domain/failures.ts';

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
