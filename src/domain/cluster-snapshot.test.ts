import { describe, expect, it } from 'vitest';
import { clusterSpecInputSchema, resolveClusterSpec } from './cluster-spec-input.ts';
import { adminAccessOf, type DeploymentRecord } from './cluster-snapshot.ts';

const access = {
  address: '10.0.0.1',
  port: 22,
  user: 'sim',
  hostKey: 'ssh-ed25519 A',
  privateKeySecretArn: 'arn:job-user',
};

function deployed(os?: string): DeploymentRecord {
  const spec = resolveClusterSpec(
    clusterSpecInputSchema.parse({ tier: 'debug', ...(os && { os, customAmi: 'ami-0123456789abcdef0' }) }),
  );
  const adminKey = {
    role: 'admin',
    keyName: 'a',
    publicKey: 'ssh-ed25519 B',
    privateKeySecretArn: 'arn:admin',
  } as const;
  return { epoch: 'e1', startedAt: '2026-01-15T12:00:00.000Z', spec, access, resources: { adminKey } };
}

describe('the administrator of a head node', () => {
  it.each([
    [undefined, 'ec2-user'],
    ['alinux2023', 'ec2-user'],
    ['ubuntu2404', 'ubuntu'],
    ['rhel9', 'ec2-user'],
    ['rocky9', 'rocky'],
  ])('is the user that images of its operating system have: %s', (os, user) => {
    const administrator = { ...access, user, privateKeySecretArn: 'arn:admin' };
    expect(adminAccessOf(deployed(os))).toEqual(administrator);
  });
});
