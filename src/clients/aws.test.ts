import { DescribeKeyPairsCommand } from '@aws-sdk/client-ec2';
import { afterEach, describe, expect, test } from 'vitest';
import { createAwsClients } from './aws.ts';

const clients = createAwsClients({ region: 'us-east-1' });
afterEach(() => clients.destroy());

/** The client with every call failing before it is sent. */
function failing(name: string, message: string) {
  const { ec2 } = createAwsClients({ region: 'us-east-1' });
  ec2.middlewareStack.add(() => async () => Promise.reject(Object.assign(new Error(message), { name })), {
    step: 'initialize',
    priority: 'low',
  });
  return ec2.send(new DescribeKeyPairsCommand({}));
}

describe('AWS clients', () => {
  test('a denied call fails with AwsAccessDenied, naming the call as IAM does', async () => {
    const call = failing('UnauthorizedOperation', 'You are not authorized');
    await expect(call).rejects.toMatchObject({
      type: 'AwsAccessDenied',
      details: { operation: 'ec2:DescribeKeyPairs' },
    });
    await expect(call).rejects.toThrow('You are not authorized');
  });

  test('every other failure passes unchanged', async () => {
    await expect(failing('InternalError', 'try later')).rejects.toMatchObject({ name: 'InternalError' });
  });

  test('each client gives up on its own after bounded attempts', async () => {
    const { ec2, secretsManager, cloudFormation, logs, s3 } = clients;
    for (const client of [ec2, secretsManager, cloudFormation, logs, s3]) {
      expect(await client.config.maxAttempts()).toBe(5);
    }
  });
});
