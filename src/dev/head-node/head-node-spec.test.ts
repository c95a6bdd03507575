import { describe, expect, it } from 'vitest';
import { assertValidSpec } from './head-node-spec.ts';
import type { HeadNodeSpec } from './head-node-spec.ts';

const valid: HeadNodeSpec = {
  clusterName: 'pcluster-lab-1',
  adminUser: 'ec2-user',
  adminPublicKey: 'ssh-ed25519 AAAA test\n',
  queues: [{ name: 'debug', computeResources: [{ name: 't3', instanceType: 't3.micro', maxCount: 8 }] }],
  onNodeConfigured: [],
};

describe('assertValidSpec', () => {
  it('accepts a usual spec', () => {
    expect(() => assertValidSpec(valid)).not.toThrow();
  });

  it.each([
    ['a cluster name that leaves its folder', { clusterName: '../etc' }, 'clusterName'],
    ['a cluster name of 61 characters', { clusterName: 'a'.repeat(61) }, 'clusterName'],
    ['an admin that looks like an option', { adminUser: '-o' }, 'adminUser'],
    ['a second key on another line', { adminPublicKey: 'ssh-ed25519 A\nssh-ed25519 B' }, 'adminPublicKey'],
    ['no queue', { queues: [] }, 'queues'],
    ['a queue without compute resources', { queues: [{ name: 'q', computeResources: [] }] }, 'queues'],
    [
      'a setting that starts a second line',
      { customSlurmSettings: { MaxArraySize: '1\nInclude /x' } },
      'MaxArraySize',
    ],
    ['a setting that is no name', { customSlurmSettings: { 'a=b c': 1 } }, 'customSlurmSettings'],
  ])('refuses %s', (_, change, field) => {
    expect(() => assertValidSpec({ ...valid, ...change })).toThrow(field);
  });
});
