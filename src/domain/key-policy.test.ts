import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { keyPolicy, type KeyReaders } from './key-policy.ts';

const PROVISIONER = 'arn:aws:iam::123456789012:role/platform/provisioner';
const WORKFLOWS = 'arn:aws:iam::123456789012:role/workflow-service';
const readers = { provisionerRoleArn: PROVISIONER, workflowServiceRoleArn: WORKFLOWS };

const policySchema = z.object({
  Statement: z.array(
    z.strictObject({
      Sid: z.string(),
      Effect: z.enum(['Allow', 'Deny']),
      Principal: z.unknown(),
      Action: z.literal('secretsmanager:GetSecretValue'),
      Resource: z.literal('*'),
      Condition: z
        .strictObject({ ArnNotEquals: z.strictObject({ 'aws:PrincipalArn': z.array(z.string()) }) })
        .optional(),
    }),
  ),
});

/** What the policy alone says to somebody who asks for the value; `other` leaves it to the caller's own policies. */
function verdict(role: Parameters<typeof keyPolicy>[0], who: string, settings: KeyReaders = readers): string {
  const { Statement } = policySchema.parse(JSON.parse(keyPolicy(role, settings)));
  const isDenied = Statement.some(
    ({ Effect, Condition }) =>
      Effect === 'Deny' && Condition?.ArnNotEquals['aws:PrincipalArn'].includes(who) === false,
  );
  if (isDenied) return 'denied';
  const isAllowed = Statement.some(
    ({ Effect, Principal }) => Effect === 'Allow' && JSON.stringify(Principal).includes(`"${who}"`),
  );
  return isAllowed ? 'allowed' : 'other';
}

describe('the policy of a private key', () => {
  it('lets the worker read every key, and the Workflow Service that of the job user', () => {
    expect(verdict('job-user', PROVISIONER)).toBe('allowed');
    expect(verdict('admin', PROVISIONER)).toBe('allowed');
    expect(verdict('slurm-api', PROVISIONER)).toBe('allowed');
    expect(verdict('job-user', WORKFLOWS)).toBe('allowed');
    expect(verdict('admin', WORKFLOWS)).toBe('denied');
    expect(verdict('slurm-api', WORKFLOWS)).toBe('denied');
  });

  it('lets nobody else read, neither the account’s root user nor a role of the same name below another path', () => {
    for (const role of ['admin', 'job-user', 'slurm-api'] as const) {
      expect(verdict(role, 'arn:aws:iam::123456789012:root')).toBe('denied');
      expect(verdict(role, 'arn:aws:iam::123456789012:role/provisioner')).toBe('denied');
    }
    expect(verdict('job-user', WORKFLOWS, { provisionerRoleArn: PROVISIONER })).toBe('denied');
  });

  // The schema above takes no other action: deleting the secret and replacing the policy are nobody's loss.
  it('denies reading only', () => {
    expect(() => policySchema.parse(JSON.parse(keyPolicy('admin', readers)))).not.toThrow();
  });
});
