import { DescribeSecretCommand, ResourceNotFoundException } from '@aws-sdk/client-secrets-manager';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { KnownFailure } from '../domain/failures.ts';
import { DATABASE_PLACEHOLDER, slurmDatabaseName } from '../domain/pcluster-slurm-settings.ts';
import type { SlurmDatabase } from '../domain/cluster-configuration-input.ts';

/**
 * The account by which a cluster uses its database: the one of the settings, or where they have the placeholder the
 * one of this database alone, which the installation has made. ParallelCluster lets the head node read exactly the
 * secret whose ARN it is given, so the suffix that AWS adds to the name is looked up.
 *
 * @throws KnownFailure SlurmDatabaseAccountMissing when no such secret exists, or it is being deleted
 */
export async function databaseAccountOf(
  secretsManager: SecretsManagerClient,
  settings: SlurmDatabase,
  clusterName: string,
): Promise<SlurmDatabase> {
  if (!settings.passwordSecretArn.includes(DATABASE_PLACEHOLDER)) return settings;
  const name = slurmDatabaseName(clusterName);
  const userName = settings.userName.replaceAll(DATABASE_PLACEHOLDER, name);
  const secretId = settings.passwordSecretArn.replaceAll(DATABASE_PLACEHOLDER, name);
  const { ARN, DeletedDate } = await secretsManager
    .send(new DescribeSecretCommand({ SecretId: secretId }))
    .catch((error: unknown) => {
      if (error instanceof ResourceNotFoundException) return { ARN: undefined, DeletedDate: undefined };
      throw error;
    });
  if (ARN && !DeletedDate) return { ...settings, userName, passwordSecretArn: ARN };
  throw new KnownFailure(
    'SlurmDatabaseAccountMissing',
    `There is no secret ${secretId} with the password of the database user ${userName}`,
  );
}
