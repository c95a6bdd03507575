import { describe, expect, it, test } from 'vitest';
import { architectureOf } from './architecture.ts';
import { clusterSpecInputSchema } from './cluster-spec-input.ts';
import { instanceTypes } from './instance-types.ts';

const m5 = { name: 'm5', instanceType: 'm5.large', maxCount: 4 };
const reserved = { ...m5, capacityReservation: { id: 'cr-0123456789abcdef0' } };

/** A specification with one queue of one compute resource. */
const oneQueue = (resource: object, queue: object = {}) => ({
  queues: [{ name: 'q', computeResources: [{ ...m5, ...resource }], ...queue }],
});

function issuesOf(input: unknown): string[] {
  const { error } = clusterSpecInputSchema.safeParse(input);
  return error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];
}

const nodes = 'queues.0.computeResources.0';
const mount = (mountDirectory: string) => ({ id: 'fs-0aaaaaaaaaaaaaaaa', mountDirectory });
const action = { nodes: 'all-nodes', script: 's3://scripts/a.sh' };

describe('what ParallelCluster would refuse is refused first, at the field', () => {
  it.each<[string, object, string]>([
    [
      'a mistyped instance type',
      oneQueue({ instanceType: 'c7a.48xlrage' }),
      `${nodes}.instanceType: c7a.48xlrage is no instance type that this release knows`,
    ],
    [
      'EFA where there is none',
      oneQueue({ efa: true }),
      `${nodes}.efa: m5.large has no Elastic Fabric Adapter`,
    ],
    [
      'spot instances of a type that has none',
      oneQueue({ instanceType: 'hpc7a.96xlarge' }, { capacityType: 'SPOT' }),
      `${nodes}.instanceType: hpc7a.96xlarge is not offered as a spot instance; this queue is SPOT`,
    ],
    [
      'a placement group of a type that cannot be in one',
      oneQueue({ instanceType: 't3.micro' }, { placementGroup: true }),
      `${nodes}.instanceType: t3.micro cannot be in a cluster placement group; this queue has placementGroup`,
    ],
    [
      'GPUs that the images have no driver for',
      oneQueue({ instanceType: 'p3dn.24xlarge' }),
      `${nodes}.instanceType: ParallelCluster’s images have no driver for p3dn.24xlarge: give a customAmi that has one`,
    ],
    [
      'nodes of two architectures',
      {
        queues: [
          ...oneQueue({}).queues,
          { name: 'r', computeResources: [{ ...m5, instanceType: 'c7g.large' }] },
        ],
      },
      'queues.1.computeResources.0.instanceType: c7g.large is arm64; all nodes must be x86_64, like m5.large',
    ],
    [
      'a head node of another architecture',
      { tier: 'debug', headNode: { instanceType: 't4g.large' } },
      'headNode.instanceType: t4g.large is arm64; all nodes must be x86_64, like t3.micro',
    ],
    [
      'a head node of another architecture than what will be planned',
      {
        needs: { tasks: 1, memoryMebibytesPerTask: 1, expectedSecondsPerJob: 60 },
        headNode: { instanceType: 't4g.large' },
      },
      'headNode.instanceType: t4g.large is arm64; all nodes must be x86_64, as needs are planned',
    ],
    [
      'a head node that does not exist',
      { tier: 'debug', headNode: { instanceType: 'm5.tiny' } },
      'headNode.instanceType: m5.tiny is no instance type that this release knows',
    ],
    [
      'a head node with too little memory for its nodes',
      { ...oneQueue({ maxCount: 100 }), headNode: { instanceType: 't3.medium' } },
      'headNode.instanceType: has 4 GiB of memory; for so many nodes it must have 4.6, as t3.large has',
    ],
    [
      'an operating system without an image',
      { tier: 'debug', os: 'rocky9' },
      'os: there is no image of ParallelCluster for rocky9: give customAmi as well',
    ],
    [
      'S3 mounted beside Lustre, which has the same folders',
      { tier: 'debug', lustre: {}, s3Mounts: true },
      's3Mounts: is for clusters without Lustre, which has the same folders: leave one out',
    ],
    [
      'S3 mounted where Lustre may be planned',
      { needs: { tasks: 1, memoryMebibytesPerTask: 1, expectedSecondsPerJob: 60 }, s3Mounts: true },
      's3Mounts: is for clusters without Lustre: say `no` in `needs.lustre` as well',
    ],
    [
      'S3 mounted by a program that nodes can get nowhere',
      { tier: 'debug', os: 'ubuntu2404', s3Mounts: true },
      's3Mounts: ubuntu2404 has no package of Mountpoint: give a customAmi that has it, or use alinux2023',
    ],
    [
      'a file system mounted twice',
      { tier: 'debug', fileSystems: [mount('/a'), mount('/b')] },
      `fileSystems.1.id: ${mount('/b').id} is mounted twice`,
    ],
    [
      'a directory within another',
      {
        tier: 'debug',
        fileSystems: [mount('/shared'), { ...mount('/shared/models'), id: 'fs-0bbbbbbbbbbbbbbbb' }],
      },
      'fileSystems.1.mountDirectory: overlaps /shared: give directories of which none contains another',
    ],
    [
      'two queues whose nodes would have the same names',
      {
        queues: [
          { name: 'a-dy-b', computeResources: [{ name: 'c', instanceType: 'c5.large', maxCount: 2 }] },
          { name: 'a', computeResources: [{ name: 'b-dy-c', instanceType: 'c5.large', maxCount: 2 }] },
        ],
      },
      'queues.1.computeResources.0.name: its nodes would be named `a-dy-b-dy-c-1` like those of another queue: take a name without `-st-` and `-dy-`',
    ],
    [
      'reserved capacity in a spot queue',
      oneQueue(reserved, { capacityType: 'SPOT' }),
      `${nodes}.capacityReservation: is for on-demand queues; this one is SPOT`,
    ],
    [
      'one reservation for two instance types',
      {
        queues: [
          { name: 'q', computeResources: [reserved, { ...reserved, name: 'c', instanceType: 'c5.large' }] },
        ],
      },
      'queues.0.computeResources.1.capacityReservation.id: cr-0123456789abcdef0 is already used for m5.large, and a reservation is of one instance type',
    ],
    [
      'a reservation named in two ways',
      oneQueue({
        capacityReservation: {
          ...reserved.capacityReservation,
          resourceGroupArn: 'arn:aws:resource-groups:us-east-1:123456789012:group/g',
        },
      }),
      `${nodes}.capacityReservation.id: give one of \`id\` and \`resourceGroupArn\``,
    ],
    [
      'a default time limit above the limit',
      oneQueue({}, { defaultTimeSeconds: 120, maxTimeSeconds: 60 }),
      'queues.0.defaultTimeSeconds: must not exceed maxTimeSeconds',
    ],
    [
      'memory for each CPU where memory is not handed out',
      {
        tier: 'debug',
        slurmSettings: { memoryBasedScheduling: false, defaultMemoryMebibytesPerCpu: 100 },
      },
      'slurmSettings.defaultMemoryMebibytesPerCpu: has no effect without memoryBasedScheduling: leave one of the two out',
    ],
  ])('%s', (_, input, issue) => {
    expect(issuesOf(input)).toEqual([issue]);
  });

  it.each<[string, object, string]>([
    [
      'a setting that ParallelCluster keeps for itself',
      { slurmSettings: { ResumeProgram: '/x' } },
      'slurmSettings',
    ],
    [
      'a parameter that reaches into what the service relies on',
      { slurmSettings: { schedulerParameters: { requeue_delay: 1 } } },
      'slurmSettings.schedulerParameters',
    ],
    [
      'a period that CloudWatch does not have',
      { cloudWatch: { retentionDays: 2 } },
      'cloudWatch.retentionDays',
    ],
    ['logs that are kept for ever', { cloudWatch: { retentionDays: 0 } }, 'cloudWatch.retentionDays'],
    [
      'a disk that no image fits on',
      { headNode: { rootVolumeGibibytes: 8 } },
      'headNode.rootVolumeGibibytes',
    ],
    ['an image that is none', { customAmi: 'latest' }, 'customAmi'],
    ['a system that ParallelCluster does not know', { os: 'alinux2' }, 'os'],
  ])('%s', (_, options, path) => {
    expect(issuesOf({ tier: 'debug', ...options }).map((issue) => issue.split(':')[0])).toEqual([path]);
  });

  it.each([
    ['a web address', { script: 'https://example.org/a.sh' }, 'script'],
    ['a bucket alone', { script: 's3://scripts/' }, 'script'],
    ['a pattern that would let nodes read more', { script: 's3://scripts/*' }, 'script'],
    ['what a shell would expand', { args: ['$(reboot)'] }, 'args.0'],
    ['two words in one', { args: ['a b'] }, 'args.0'],
    ['several lines', { args: ['a\nb'] }, 'args.0'],
    ['no word', { args: [''] }, 'args.0'],
    ['what YAML 1.1 has no string for', { args: ['='] }, 'args.0'],
  ])('a custom action with %s', (_, wrong, path) => {
    const issues = issuesOf({ tier: 'debug', customActions: [action, { ...action, ...wrong }] });
    expect(issues.map((issue) => issue.split(':')[0])).toEqual([`customActions.1.${path}`]);
  });
});

test('more than CloudFormation takes in one template is refused', () => {
  const script = `s3://${'b'.repeat(60)}/${'k'.repeat(60)}`;
  const issues = issuesOf({
    queues: Array.from({ length: 50 }, (_, index) => ({ name: `q${index}`, computeResources: [m5] })),
    customActions: Array.from({ length: 3 }, () => ({ ...action, script })),
  });
  expect(issues).toEqual([expect.stringMatching(/^queues: are too much for one CloudFormation template/)]);
});

describe('what ParallelCluster takes passes', () => {
  it.each<[string, object]>([
    ['nodes of arm64 alone', oneQueue({ instanceType: 'c7g.large' })],
    [
      'a head node of arm64 beside them',
      { ...oneQueue({ instanceType: 'c7g.large' }), headNode: { instanceType: 'm7g.large' } },
    ],
    [
      'one reservation of several compute resources',
      { queues: [{ name: 'q', computeResources: [reserved, { ...reserved, name: 'more' }] }] },
    ],
    [
      'one thread a core where there is no other',
      oneQueue({ instanceType: 'c7a.large', multithreading: false }),
    ],
    [
      'old GPUs with an image of one’s own',
      { ...oneQueue({ instanceType: 'p3dn.24xlarge' }), customAmi: 'ami-0123456789abcdef0' },
    ],
    [
      'a system without an official image, with one of one’s own',
      { tier: 'debug', os: 'rocky9', customAmi: 'ami-0123456789abcdef0' },
    ],
    ['a default time limit without a limit', oneQueue({}, { defaultTimeSeconds: 120 })],
  ])('%s', (_, input) => {
    expect(issuesOf(input)).toEqual([]);
  });
});

test('the architecture of every instance type can be told by its name', () => {
  const told = Object.fromEntries(Object.keys(instanceTypes).map((name) => [name, architectureOf(name)]));
  expect(told).toEqual(
    Object.fromEntries(Object.entries(instanceTypes).map(([name, { architecture }]) => [name, architecture])),
  );
});
