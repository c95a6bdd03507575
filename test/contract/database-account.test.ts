import { CreateSecretCommand, DeleteSecretCommand } from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import { databaseAccountOf } from '../../src/activities/database-account.ts';
import { useEmulatedAws } from '../support/aws.ts';

const aws = useEmulatedAws();
const uri = 'db.example.org:3306';

async function makeSecret(name: string): Promise<string> {
  const { secretsManager } = aws().clients;
  const { ARN = '' } = await secretsManager.send(new CreateSecretCommand({ Name: name, SecretString: 'x' }));
  return ARN;
}

/** With the name of the secret as the installation writes it: without the suffix that AWS adds. */
const settingsLike = (arn: string) => ({
  uri,
  userName: 'slurm_{database}',
  passwordSecretArn: arn.replace(/secret:.*$/, 'secret:slurm-database/{database}'),
});

describe('the account of an accounting database', () => {
  it('is the database’s own, with the whole ARN of its secret', async () => {
    const arn = await makeSecret('slurm-database/pcluster_lab_a');
    await makeSecret('slurm-database/pcluster_lab_b');
    const account = await databaseAccountOf(
      aws().clients.secretsManager,
      settingsLike(arn),
      'pcluster-lab-a',
    );
    expect(account).toEqual({ uri, userName: 'slurm_pcluster_lab_a', passwordSecretArn: arn });
  });

  it('is one for all where the settings name one', async () => {
    const settings = {
      uri,
      userName: 'slurm',
      passwordSecretArn: 'arn:aws:secretsmanager:x:1:secret:s-a1b2c3',
    };
    expect(await databaseAccountOf(aws().clients.secretsManager, settings, 'pcluster-lab-a')).toEqual(
      settings,
    );
  });

  it('is missed by name when nobody has made it, or somebody has deleted it', async () => {
    const { secretsManager } = aws().clients;
    const arn = await makeSecret('slurm-database/pcluster_lab_gone');
    await secretsManager.send(new DeleteSecretCommand({ SecretId: arn }));
    for (const name of ['pcluster-lab-gone', 'pcluster-lab-never']) {
      await expect(databaseAccountOf(secretsManager, settingsLike(arn), name)).rejects.toMatchObject({
        type: 'SlurmDatabaseAccountMissing',
        message: expect.stringContaining(`slurm-database/${name.replaceAll('-', '_')} `) as unknown,
      });
    }
  });
});
