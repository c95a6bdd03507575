import { describe, expect, it } from 'vitest';
import { planComputeNodes } from './compute-nodes.ts';
import type { Queue } from './head-node-spec.ts';

function queue(name: string, ...maxCounts: number[]): Queue {
  return {
    name,
    computeResources: maxCounts.map((maxCount, index) => ({
      name: `cr${index + 1}`,
      instanceType: 'c7a.48xlarge',
      maxCount,
    })),
  };
}

const namesOf = (queues: Queue[]) => planComputeNodes(queues).map((node) => node.name);

describe('planComputeNodes', () => {
  it('names nodes as ParallelCluster does, at most two for a compute resource', () => {
    expect(namesOf([queue('debug', 8)])).toEqual(['debug-dy-cr1-1', 'debug-dy-cr1-2']);
  });

  it('has no more nodes than the compute resource may have instances', () => {
    expect(namesOf([queue('debug', 1)])).toEqual(['debug-dy-cr1-1']);
  });

  it('gives every queue a node before any compute resource gets its second', () => {
    const names = namesOf([queue('a', 20, 20, 20), queue('b', 20, 20), queue('c', 20)]);
    expect(names).toEqual([
      'a-dy-cr1-1',
      'b-dy-cr1-1',
      'c-dy-cr1-1',
      'a-dy-cr2-1',
      'a-dy-cr3-1',
      'b-dy-cr2-1',
      'a-dy-cr1-2',
      'b-dy-cr1-2',
    ]);
  });

  it("gives every node a port of its own, past the ports of Slurm's other daemons", () => {
    const ports = planComputeNodes([queue('a', 2, 2)]).map((node) => node.port);
    expect(ports).toEqual([6818, 6821, 6822, 6823]);
  });

  it('refuses more queues than it has nodes for', () => {
    const queues = Array.from({ length: 9 }, (_, index) => queue(`q${index}`, 1));
    expect(() => planComputeNodes(queues)).toThrow('9 are too many');
  });
});
