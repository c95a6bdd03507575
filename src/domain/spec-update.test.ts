import { describe, expect, it } from 'vitest';
import { type ClusterSpecInput, clusterSpecInputSchema, resolveClusterSpec } from './cluster-spec-input.ts';
import { grownFor, planUpdate } from './spec-update.ts';

/* Whether ParallelCluster agrees is tried by test/contract/spec-update.contract.test.ts. */

const spec = (input: ClusterSpecInput) => resolveClusterSpec(clusterSpecInputSchema.parse(input));
const queue = (name: string, maxCount = 4, instanceType = 'm5.large') => ({
  name,
  computeResources: [{ name: 'nodes', instanceType, maxCount }],
});

describe('what a change takes', () => {
  it('is nothing for the same specification', () => {
    expect(planUpdate(spec({ tier: 'debug' }), spec({ tier: 'debug' }))).toEqual({
      mode: 'none',
      changes: [],
    });
  });

  it('is nothing for who says what is so in any case', () => {
    const before = spec({ queues: [queue('a')] });
    const asked = spec({
      queues: [{ ...queue('a'), exclusiveNodes: false }],
      os: 'alinux2023',
      slurmSettings: { memoryBasedScheduling: true },
      cloudWatch: { dashboard: true },
    });
    expect(planUpdate(before, asked).mode).toBe('none');
    expect(planUpdate(before, spec({ queues: [queue('a')], os: 'rhel9' })).mode).toBe('after-drain');
  });

  it('names queues and compute resources in its paths, and why it is more than an update', () => {
    const plan = planUpdate(
      spec({ queues: [queue('a'), queue('b')] }),
      spec({ queues: [queue('a', 2), queue('c')] }),
    );
    expect(plan.mode).toBe('after-drain');
    expect(plan.changes.map(({ path, mode }) => [path, mode])).toEqual([
      ['queues.a.computeResources.nodes.maxCount', 'after-drain'],
      ['queues.c', 'in-place'],
      ['queues.b', 'after-drain'],
    ]);
    expect(plan.changes[0]?.because).toMatch(/only while none may run/);
  });

  it('is nothing in AWS for how long a cluster lives', () => {
    const asked = spec({ tier: 'debug', idleTimeoutSeconds: 60, maxLifetimeSeconds: 3600 });
    expect(planUpdate(spec({ tier: 'debug' }), asked).mode).toBe('at-once');
  });

  it('is the most of what its parts take', () => {
    const asked = spec({ queues: [queue('a', 8)], idleTimeoutSeconds: 60 });
    expect(planUpdate(spec({ queues: [queue('a')] }), asked).mode).toBe('in-place');
  });

  it('is refused where storage would be replaced', () => {
    const before = spec({ tier: 'debug', lustre: {} });
    for (const asked of [spec({ tier: 'debug' }), spec({ tier: 'debug', lustre: { sizeGibibytes: 2400 } })]) {
      expect(planUpdate(before, asked).mode).toBe('refused');
    }
    expect(planUpdate(spec({ tier: 'debug' }), before).mode).toBe('refused');
  });

  it('is another cluster where so many nodes want a larger head node', () => {
    const before = spec({ queues: [queue('a', 80)] });
    expect(planUpdate(before, spec({ queues: [queue('a', 84)] })).mode).toBe('in-place');
    const { mode, changes } = planUpdate(before, spec({ queues: [queue('a', 90)] }));
    expect(mode).toBe('after-drain');
    expect(changes.at(-1)).toMatchObject({ existing: 't3.medium', requested: 't3.large' });
  });

  it('is in place for another first queue, which ParallelCluster does not see', () => {
    const before = spec({ queues: [queue('a'), queue('b')] });
    const plan = planUpdate(before, spec({ queues: [queue('b'), queue('a')] }));
    expect(plan).toMatchObject({ mode: 'in-place', changes: [{ path: 'queues' }] });
  });
});

describe('a specification that grows for a campaign', () => {
  const before = spec({ queues: [queue('a')], idleTimeoutSeconds: 60 });

  it('gets queues that it lacks and more nodes of those that it has, and keeps the rest', () => {
    const grown = grownFor(before, spec({ queues: [queue('a', 9), queue('b')] }));
    expect(grown).toEqual(spec({ queues: [queue('a', 9), queue('b')], idleTimeoutSeconds: 60 }));
  });

  it('does not get a queue of another kind under the same name, nor anything smaller', () => {
    expect(grownFor(before, spec({ queues: [queue('a', 4, 'c7a.large')] }))).toBeUndefined();
    expect(grownFor(before, spec({ queues: [queue('a', 2)] }))).toBeUndefined();
    expect(grownFor(before, spec({ queues: [queue('a', 500)] }))).toBeUndefined();
  });

  it('does not get nodes of another architecture', () => {
    expect(grownFor(before, spec({ queues: [queue('arm', 4, 'c7g.large')] }))).toBeUndefined();
  });

  it('does not get queues alone where something else is asked for with them', () => {
    for (const more of [
      { lustre: {} },
      { slurmApi: { trust: 'epoch-key' as const } },
      { headNode: { instanceType: 'm5.xlarge' } },
      { os: 'ubuntu2204' as const },
    ])
      expect(grownFor(before, spec({ queues: [queue('b')], ...more }))).toBeUndefined();
  });
});
