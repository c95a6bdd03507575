import { describe, expect, it } from 'vitest';
import type { ClusterSpec } from './cluster-spec.ts';
import { clusterSpecInputSchema, resolveClusterSpec } from './cluster-spec-input.ts';
import { describeFailedChecks, isPassed } from './preflight.ts';
import {
  judgeAddresses,
  judgeOfferings,
  judgeVcpus,
  type QuotaFacts,
  vcpuQuotaOf,
} from './preflight-instances.ts';
import {
  judgeDatabase,
  judgeEndpoints,
  judgeImage,
  judgeLustreQuota,
  judgeNames,
  judgeNotifications,
} from './preflight-surroundings.ts';

const STANDARD = 'L-1216C47A';

function specOf(values: Record<string, unknown>, lustre?: object): ClusterSpec {
  const computeResources = [{ name: 'c', instanceType: 'c7a.48xlarge', maxCount: 10, ...values }];
  const queues = [{ name: 'q', computeResources }];
  return resolveClusterSpec(clusterSpecInputSchema.parse({ queues, ...(lustre && { lustre }) }));
}

const types = new Map([
  ['t3.medium', { vcpus: 2, networkCards: 1 }],
  ['c7a.48xlarge', { vcpus: 192, networkCards: 1 }],
  ['hpc7a.96xlarge', { vcpus: 192, networkCards: 2 }],
]);

function quota(limit: number, running: QuotaFacts['running'] = []): QuotaFacts {
  return { types, limits: new Map([[STANDARD, limit]]), running };
}

describe('vCPU quotas', () => {
  it.each([
    ['exactly the head node, the static nodes', 2 + 3 * 192, 'ok'],
    ['one vCPU less', 2 + 3 * 192 - 1, 'failed'],
  ])('a limit of %s is judged %s', (_, limit, outcome) => {
    expect(judgeVcpus(specOf({ minCount: 3 }), quota(limit)).outcome).toBe(outcome);
  });

  it('one node of each compute resource must have room although none is static', () => {
    expect(judgeVcpus(specOf({}), quota(2 + 192)).outcome).toBe('ok');
    expect(judgeVcpus(specOf({}), quota(2 + 191)).outcome).toBe('failed');
  });

  it('what runs already counts, spot against its own quota', () => {
    const running = { instanceType: 'c7a.48xlarge', count: 1 } as const;
    expect(judgeVcpus(specOf({}), quota(200, [{ ...running, capacityType: 'ONDEMAND' }])).outcome).toBe(
      'failed',
    );
    expect(judgeVcpus(specOf({}), quota(200, [{ ...running, capacityType: 'SPOT' }])).outcome).toBe('ok');
  });

  it('says that jobs will wait where not all nodes have room', () => {
    expect(judgeVcpus(specOf({}), quota(200)).cause).toContain('the queues may ask for 1922: jobs will wait');
    expect(judgeVcpus(specOf({}), quota(1922)).cause).not.toContain('wait');
  });

  it('is unknown where AWS names no limit', () => {
    expect(judgeVcpus(specOf({}), { ...quota(0), limits: new Map() }).outcome).toBe('unknown');
  });

  it.each([
    ['c7a.48xlarge', 'ONDEMAND', STANDARD],
    ['m5.8xlarge', 'SPOT', 'L-34B43A08'],
    ['hpc7a.96xlarge', 'ONDEMAND', 'L-F7808C92'],
    ['h1.2xlarge', 'ONDEMAND', STANDARD],
    ['g5.xlarge', 'SPOT', 'L-3819A6DF'],
    ['p4d.24xlarge', 'ONDEMAND', 'L-417A185B'],
  ] as const)('%s %s counts against %s', (instanceType, capacityType, code) => {
    expect(vcpuQuotaOf(instanceType, capacityType)?.code).toBe(code);
  });

  it('families with quotas of their own are not taken for standard ones', () => {
    for (const type of ['inf2.xlarge', 'trn1.2xlarge', 'x2idn.16xlarge', 'dl1.24xlarge', 'u-6tb1.metal'])
      expect(vcpuQuotaOf(type, 'ONDEMAND')).toBeUndefined();
    expect(vcpuQuotaOf('hpc7a.96xlarge', 'SPOT')).toBeUndefined();
  });
});

describe('addresses', () => {
  const subnet = (availableAddresses: number) => ({ subnetId: 'subnet-1', availableAddresses });

  it('counts all nodes and the head node', () => {
    expect(judgeAddresses(specOf({}), subnet(11), types).outcome).toBe('ok');
    expect(judgeAddresses(specOf({}), subnet(10), types).outcome).toBe('failed');
  });

  it('counts every network card, and the servers of Lustre', () => {
    const hpc = { instanceType: 'hpc7a.96xlarge' };
    expect(judgeAddresses(specOf(hpc), subnet(21), types).outcome).toBe('ok');
    expect(judgeAddresses(specOf(hpc), subnet(20), types).outcome).toBe('failed');
    expect(judgeAddresses(specOf(hpc, {}), subnet(23), types).outcome).toBe('ok');
    expect(judgeAddresses(specOf(hpc, {}), subnet(22), types).outcome).toBe('failed');
  });
});

it('names the instance types that the zone does not have', () => {
  const check = judgeOfferings(specOf({}), 'us-east-1a', new Set(['t3.medium']));
  expect(check).toMatchObject({ outcome: 'failed', cause: 'EC2 does not offer c7a.48xlarge in us-east-1a' });
});

describe('endpoints', () => {
  it('a missing one fails, unless there is another way out', () => {
    const available = new Set(['s3']);
    expect(judgeEndpoints(['s3', 'ec2'], available, false)).toMatchObject({ outcome: 'failed' });
    expect(judgeEndpoints(['s3', 'ec2'], available, true).outcome).toBe('ok');
    expect(judgeEndpoints(['s3'], available, false).outcome).toBe('ok');
  });
});

describe('an image of the installation’s own', () => {
  const wanted = { imageId: 'ami-1', os: 'alinux2023', version: '3.16', architecture: 'x86_64' };
  const image = { imageId: 'ami-1', state: 'available', architecture: 'x86_64' };

  it.each([
    [{ ...image, version: '3.16.1', os: 'alinux2023' }, 'ok'],
    [{ ...image, version: '3.1.6' }, 'failed'],
    [{ ...image, version: '3.16.1', os: 'ubuntu2404' }, 'failed'],
    [{ ...image, version: '3.16.1', architecture: 'arm64' }, 'failed'],
    [{ ...image, version: '3.16.1', state: 'deregistered' }, 'failed'],
    [image, 'unknown'],
    [undefined, 'failed'],
  ])('%j is %s', (found, outcome) => {
    expect(judgeImage(found, wanted).outcome).toBe(outcome);
  });
});

describe('Lustre’s quota', () => {
  const lustre = { sizeGibibytes: 1200, throughputMegabytesPerSecondPerTebibyte: 250 } as const;
  const facts = { maxFileSystems: 2, maxStorageGibibytes: 2400, fileSystems: 1, storageGibibytes: 1200 };

  it.each([
    [facts, 'ok'],
    [{ ...facts, fileSystems: 2 }, 'failed'],
    [{ ...facts, storageGibibytes: 1201 }, 'failed'],
    [{ ...facts, maxStorageGibibytes: undefined }, 'unknown'],
  ])('%j is %s', (each, outcome) => {
    expect(judgeLustreQuota(lustre, each).outcome).toBe(outcome);
  });
});

describe('notifications of buckets', () => {
  const repositories = [{ dataRepositoryPath: 's3://scratch/lab/project/' }] as const;
  const notification = { bucket: 'scratch', id: 'own', events: ['s3:ObjectCreated:*'], prefix: 'lab/' };

  it.each([
    ['a prefix above', notification, 'failed'],
    ['a prefix below', { ...notification, prefix: 'lab/project/results/' }, 'failed'],
    ['no prefix', { ...notification, prefix: '' }, 'failed'],
    ['a prefix beside', { ...notification, prefix: 'lab/project2/' }, 'ok'],
    ['another bucket', { ...notification, bucket: 'other' }, 'ok'],
    ['other events', { ...notification, events: ['s3:ObjectRestore:Completed'] }, 'ok'],
    ['FSx’s own', { ...notification, id: 'FSx-import-1' }, 'ok'],
  ])('%s', (_, each, outcome) => {
    expect(judgeNotifications(repositories, [each]).outcome).toBe(outcome);
  });
});

it('a database that is silent may let in head nodes alone, one that refuses is not there', () => {
  const outcome = (kind: 'refused' | 'silent') =>
    judgeDatabase('db:3306', { kind, reason: 'r' }, undefined).outcome;
  expect([outcome('refused'), outcome('silent')]).toEqual(['failed', 'unknown']);
  expect(judgeDatabase('db:3306', { kind: 'open' }, undefined).outcome).toBe('ok');
  expect(judgeDatabase('db:3306', { kind: 'open' }, 'no secret').outcome).toBe('failed');
});

it('tells all failures in one text, and lets what is unknown pass', () => {
  const unknown = { name: 'image', outcome: 'unknown', cause: 'nobody knows' } as const;
  const failed = [judgeNames(['stack a']), judgeNames(['stack b'])];
  expect(isPassed({ checks: [unknown] })).toBe(true);
  expect(isPassed({ checks: [unknown, ...failed] })).toBe(false);
  const text = describeFailedChecks({ checks: [unknown, ...failed] });
  expect(text).toContain('stack a');
  expect(text).toContain('stack b');
  expect(text).not.toContain('nobody knows');
});
