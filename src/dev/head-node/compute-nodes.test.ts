import { describe, expect, it } from 'vitest';
import { nodeList, nodeNames, planComputeNodes, portList } from './compute-nodes.ts';
import type { Queue } from './head-node-spec.ts';

function queue(name: string, ...counts: [minCount: number, maxCount: number][]): Queue {
  return {
    name,
    computeResources: counts.map(([minCount, maxCount], index) => ({
      name: `cr${index + 1}`,
      instanceType: 'c7a.48xlarge',
      minCount,
      maxCount,
    })),
  };
}

describe('planComputeNodes', () => {
  it('has MinCount static nodes and further ones up to MaxCount, named as ParallelCluster names them', () => {
    const plan = planComputeNodes([queue('a', [0, 20], [2, 3]), queue('b', [1, 1])]);
    expect(plan.map(nodeList)).toEqual(['a-dy-cr1-[1-20]', 'a-st-cr2-[1-2]', 'a-dy-cr2-1', 'b-st-cr1-1']);
    expect(plan.flatMap(nodeNames).slice(18, 23)).toEqual([
      'a-dy-cr1-19',
      'a-dy-cr1-20',
      'a-st-cr2-1',
      'a-st-cr2-2',
      'a-dy-cr2-1',
    ]);
  });

  it('gives every node a port of its own', () => {
    const plan = planComputeNodes([queue('a', [0, 20], [2, 3])]);
    expect(plan.map(portList)).toEqual(['[7000-7019]', '[7020-7021]', '7022']);
  });

  it('gives nodes that an update adds further ports, and leaves the others theirs', () => {
    const before = planComputeNodes([queue('a', [1, 3]), queue('b', [0, 2])]);
    const plan = planComputeNodes([queue('a', [1, 5]), queue('c', [0, 1]), queue('b', [0, 1])], before);
    expect(plan.map((nodes) => [nodeList(nodes), portList(nodes)])).toEqual([
      ['a-st-cr1-1', '7000'],
      ['a-dy-cr1-[1-2]', '[7001-7002]'],
      ['a-dy-cr1-[3-4]', '[7005-7006]'],
      ['c-dy-cr1-1', '7007'],
      ['b-dy-cr1-1', '7003'],
    ]);
    expect(planComputeNodes([queue('a', [1, 6])], plan).map(nodeList)).toEqual([
      'a-st-cr1-1',
      'a-dy-cr1-[1-2]',
      'a-dy-cr1-[3-4]',
      'a-dy-cr1-5',
    ]);
  });

  it('refuses more nodes than it has ports for', () => {
    const queues = Array.from({ length: 26 }, (_, index) => queue(`q${index}`, [0, 1000]));
    expect(() => planComputeNodes(queues)).toThrow('26000 nodes are too many');
  });
});
