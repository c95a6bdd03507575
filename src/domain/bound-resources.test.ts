import { describe, expect, it } from 'vitest';
import { type SubnetInterface, withBonds } from './bound-resources.ts';
import type { ResourceKind, TaggedResource } from './orphans.ts';
import { tagKeys } from './resource-tags.ts';

const resource = (
  kind: ResourceKind,
  id: string,
  more: Partial<TaggedResource> & { epoch?: string; subnet?: string } = {},
): TaggedResource => {
  const { epoch = 'mine', subnet, ...rest } = more;
  return {
    kind,
    id,
    name: id,
    tags: { [tagKeys.epoch]: epoch, ...(subnet !== undefined && { [tagKeys.subnet]: subnet }) },
    ...rest,
  };
};
const lease = resource('subnet-lease', 'subnet-1');
const link = resource('lustre-link', 'dra-1', { fileSystemId: 'fs-1' });
const eni = (more: Partial<SubnetInterface> = {}): SubnetInterface => ({
  id: 'eni-1',
  subnetId: 'subnet-1',
  type: 'interface',
  description: '',
  ...more,
});

function bonds(
  resources: readonly TaggedResource[],
  interfaces: readonly SubnetInterface[] = [],
  fileSystemIds: readonly string[] = [],
) {
  const [first] = withBonds(resources, { interfaces, fileSystemIds: new Set(fileSystemIds) });
  return { inUse: first?.inUse, remnant: first?.remnant };
}

describe('a lease that nobody looks after', () => {
  it.each<[string, readonly TaggedResource[], readonly SubnetInterface[]]>([
    ['nothing is in the subnet', [], []],
    [
      'only the endpoints and mount targets of the network are',
      [],
      [eni({ type: 'vpc_endpoint' }), eni({ type: 'efs' })],
    ],
    ['interfaces are in another subnet only', [], [eni({ subnetId: 'subnet-2' })]],
    [
      'a stack of another subnet is there',
      [resource('stack', 's', { epoch: 'other', subnet: 'subnet-2' })],
      [],
    ],
    ['a stack of its own goes first', [resource('stack', 's', { subnet: 'subnet-1' })], [eni()]],
    ['a Lustre file system of its own goes first', [resource('lustre', 'fs-1')], [eni()]],
    ['an instance of its own goes first', [resource('instance', 'i-1')], [eni()]],
  ])('can go when %s', (_when, others, interfaces) => {
    expect(bonds([lease, ...others], interfaces)).toEqual({ inUse: undefined, remnant: undefined });
  });

  it.each<[string, readonly TaggedResource[], readonly SubnetInterface[], string]>([
    [
      'a network interface',
      [],
      [eni({ description: 'ENI of a node' })],
      'The network interface eni-1 (ENI of a node) is in it.',
    ],
    ['a function of AWS', [], [eni({ type: 'lambda' })], 'The network interface eni-1 is in it.'],
    [
      'a stack of another deployment',
      [resource('stack', 's', { epoch: 'other', subnet: 'subnet-1' })],
      [],
      'The stack s lives in it.',
    ],
    [
      'a stack that lacks the epoch',
      [{ ...resource('stack', 's'), tags: { [tagKeys.subnet]: 'subnet-1' } }],
      [],
      'The stack s lives in it.',
    ],
    [
      'what another deployment has',
      [resource('instance', 'i-1', { epoch: 'other' })],
      [eni()],
      'The network interface eni-1 is in it.',
    ],
  ])('stays when the subnet holds %s', (_what, others, interfaces, because) => {
    expect(bonds([lease, ...others], interfaces)).toEqual({ inUse: because, remnant: undefined });
  });
});

describe('a link of Lustre with S3', () => {
  it('goes with the file system of its deployment', () => {
    expect(bonds([link, resource('lustre', 'fs-1')], [], ['fs-1'])).toEqual({});
  });

  it('goes by itself when its file system is gone', () => {
    expect(bonds([link, resource('lustre', 'fs-2')], [], ['fs-2'])).toEqual({ remnant: 'fs-1 is gone.' });
  });

  it.each<[string, readonly TaggedResource[]]>([
    ['has no tags', []],
    ['is of another deployment', [resource('lustre', 'fs-1', { epoch: 'other' })]],
  ])('stays when its file system %s', (_what, others) => {
    expect(bonds([link, ...others], [], ['fs-1'])).toEqual({ inUse: 'fs-1 is not of its deployment.' });
  });
});
