import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { readPrivateKey } from '../../clients/secrets.ts';
import { SshConnection } from '../../clients/ssh-connection.ts';
import type { ClusterAccess } from '../../domain/cluster-view.ts';
import type { JobReference } from '../../domain/ids.ts';
import { jobPaths } from '../../domain/sbatch.ts';
import { DevStackError } from '../errors.ts';

const MAX_FILE_BYTES = 16 * 1024 * 1024;
const TIMEOUT_SECONDS = 30;

/**
 * Fetches a file that a job left in its working directory, as the Workflow Service may do it: by a login of its own
 * with the address, the pinned host key and the job user's key that the cluster's view names.
 *
 * @throws DevStackError when there is no such file; KnownFailure when the head node cannot be reached.
 */
export async function fetchFile(
  secretsManager: SecretsManagerClient,
  access: ClusterAccess,
  job: JobReference,
  fileName: string,
): Promise<Buffer> {
  const privateKey = await readPrivateKey(secretsManager, access.privateKeySecretArn);
  const connection = await SshConnection.open(access, privateKey, {
    connectSeconds: TIMEOUT_SECONDS,
    keepAliveSeconds: TIMEOUT_SECONDS,
  });
  try {
    // A login begins in the home, and ids hold nothing that a shell would read.
    const path = `${jobPaths('.', job).defaultWorkingDirectory}/${fileName}`;
    const { exitCode, stdout, stderr } = await connection.run(`exec cat -- ${path}`, {
      purpose: `Reading ${path}`,
      timeoutSeconds: TIMEOUT_SECONDS,
      maxOutputBytes: MAX_FILE_BYTES,
    });
    if (exitCode === 0) return stdout;
    throw new DevStackError('head node', stderr.trim(), { nextStep: `Check what job ${job.jobKey} wrote` });
  } finally {
    connection.close();
  }
}
