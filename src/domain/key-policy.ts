import type { SecretRole } from './deployment.ts';

/** IAM roles that may read private keys. */
export interface KeyReaders {
  /** The worker's own. */
  readonly provisionerRoleArn: string;
  /** May read the job user's key, to log in itself. */
  readonly workflowServiceRoleArn?: string;
}

const READ = 'secretsmanager:GetSecretValue';

/**
 * The resource policy of a secret with a private key, as JSON: these roles may read its value, and nobody else may,
 * whatever other policies allow. Only reading is denied, so that no mistake here keeps anybody from deleting the secret
 * or replacing its policy.
 *
 * `aws:PrincipalArn` is the ARN of the role, with its path, for every session of the role (IAM User Guide, "AWS global
 * condition context keys"). Callers without one, such as AWS's own services, do not equal it either and are denied.
 */
export function keyPolicy(role: SecretRole, readers: KeyReaders): string {
  const { provisionerRoleArn, workflowServiceRoleArn } = readers;
  const arns = [provisionerRoleArn];
  if (role === 'job-user' && workflowServiceRoleArn !== undefined) arns.push(workflowServiceRoleArn);
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      { Sid: 'TheseRead', Effect: 'Allow', Principal: { AWS: arns }, Action: READ, Resource: '*' },
      {
        Sid: 'NobodyElseReads',
        Effect: 'Deny',
        Principal: '*',
        Action: READ,
        Resource: '*',
        Condition: { ArnNotEquals: { 'aws:PrincipalArn': arns } },
      },
    ],
  });
}
