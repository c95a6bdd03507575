import { describe, expect, it } from 'vitest';
import { queueSchema } from './queue.ts';

const resource = { name: 'c7a', instanceType: 'c7a.48xlarge', maxCount: 20 };
const queue = { name: 'batch', computeResources: [resource] };

function isQueue(changes: object): boolean {
  return queueSchema.safeParse({ ...queue, ...changes }).success;
}

function isResource(changes: object): boolean {
  return isQueue({ computeResources: [{ ...resource, ...changes }] });
}

describe('a queue', () => {
  it('is on demand, without placement group, and scales down to nothing unless told otherwise', () => {
    expect(queueSchema.parse(queue)).toEqual({
      name: 'batch',
      placementGroup: false,
      capacityType: 'ONDEMAND',
      computeResources: [{ ...resource, minCount: 0, efa: false, multithreading: true }],
    });
  });

  it.each([
    ['a', true],
    ['prod-mpi', true],
    ['a'.repeat(25), true],
    ['a'.repeat(26), false],
    ['default', false],
    ['Prod', false],
    ['1st', false],
    ['-a', false],
    ['a_b', false],
    ['a b', false],
    ['a\n', false],
    ['', false],
  ])('named %j, as its compute resources: %s', (name, valid) => {
    expect(isQueue({ name })).toBe(valid);
    expect(isResource({ name })).toBe(valid);
  });

  it.each([
    [{ maxTimeSeconds: 60 }, true],
    [{ maxTimeSeconds: 59 }, false],
    [{ maxTimeSeconds: 90 }, false],
    [{ maxTimeSeconds: 365 * 86_400 }, true],
    [{ maxTimeSeconds: 365 * 86_400 + 60 }, false],
    [{ maxNodesPerJob: 1 }, true],
    [{ maxNodesPerJob: 0 }, false],
    [{ maxNodesPerJob: 1001 }, false],
    [{ capacityType: 'SPOT' }, true],
    [{ capacityType: 'CAPACITY_BLOCK' }, false],
    [{ computeResources: [] }, false],
    [{ subnetId: 'subnet-1' }, false],
  ])('with %j: %s', (changes, valid) => {
    expect(isQueue(changes)).toBe(valid);
  });
});

describe('a compute resource', () => {
  it.each([
    [{ instanceType: 't3.micro' }, true],
    [{ instanceType: 'u7in-24tb.224xlarge' }, true],
    [{ instanceType: 'c7a' }, false],
    [{ instanceType: 'c7a.48xlarge\n' }, false],
    [{ instanceType: 'c7a.48xlarge; true' }, false],
    [{ instanceType: `c7a.${'x'.repeat(40)}` }, false],
    [{ maxCount: 0 }, false],
    [{ maxCount: 1000 }, true],
    [{ maxCount: 1001 }, false],
    [{ maxCount: 1.5 }, false],
    [{ minCount: -1 }, false],
    [{ spotPrice: 1 }, false],
  ])('with %j: %s', (changes, valid) => {
    expect(isResource(changes)).toBe(valid);
  });
});
