import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectAlways, specs } from '../../test/support/properties.ts';
import { clusterSpecInputSchema, resolveClusterSpec } from './cluster-spec-input.ts';
import { type ClusterSpec, coversSpec, diffSpecs } from './cluster-spec.ts';
import type { QueueInput } from './queue.ts';
import { tierNames } from './tiers.ts';

const c7a = { name: 'c7a', instanceType: 'c7a.48xlarge', maxCount: 20 };

function specOf(...queues: QueueInput[]): ClusterSpec {
  return resolveClusterSpec(clusterSpecInputSchema.parse({ queues }));
}

function manyQueues(count: number): QueueInput[] {
  return Array.from({ length: count }, (_, index) => ({ name: `q${index}`, computeResources: [c7a] }));
}

function pathsOfIssues(input: unknown): string[] {
  const { error } = clusterSpecInputSchema.safeParse(input);
  return error?.issues.map(({ path }) => path.join('.')) ?? [];
}

describe('what a caller may ask for', () => {
  it('lives seven days and goes after half an hour of idleness unless told otherwise', () => {
    expect(resolveClusterSpec(clusterSpecInputSchema.parse({ tier: 'debug' }))).toMatchObject({
      tier: 'debug',
      idleTimeoutSeconds: 1800,
      maxLifetimeSeconds: 604_800,
    });
  });

  it.each([
    ['neither tier nor queues', {}, ['tier']],
    ['both', { tier: 'debug', queues: manyQueues(1) }, ['tier']],
    ['an unknown tier', { tier: 'huge' }, ['tier']],
    ['no queue', { queues: [] }, ['queues']],
    ['an unknown field', { tier: 'debug', spot: true }, ['']],
    ['too short an idle time', { tier: 'debug', idleTimeoutSeconds: 4 }, ['idleTimeoutSeconds']],
    ['too long an idle time', { tier: 'debug', idleTimeoutSeconds: 604_801 }, ['idleTimeoutSeconds']],
    [
      'an idle time of nodes that is no whole minute',
      { tier: 'debug', scaledownIdleTimeSeconds: 90 },
      ['scaledownIdleTimeSeconds'],
    ],
    [
      'an idle time of nodes below a minute',
      { tier: 'debug', scaledownIdleTimeSeconds: 0 },
      ['scaledownIdleTimeSeconds'],
    ],
    ['too short a life', { tier: 'debug', maxLifetimeSeconds: 599 }, ['maxLifetimeSeconds']],
    ['too long a life', { tier: 'debug', maxLifetimeSeconds: 90 * 86_400 + 1 }, ['maxLifetimeSeconds']],
    ['a queue twice', { queues: [...manyQueues(2), ...manyQueues(1)] }, ['queues.2.name']],
    [
      'a compute resource twice in a queue',
      { queues: [{ name: 'q', computeResources: [c7a, c7a] }] },
      ['queues.0.computeResources.1.name'],
    ],
    [
      'more nodes at least than at most',
      { queues: [{ name: 'q', computeResources: [{ ...c7a, minCount: 21 }] }] },
      ['queues.0.computeResources.0.minCount'],
    ],
    [
      'more compute resources than ParallelCluster allows',
      {
        queues: [...manyQueues(49), { name: 'last', computeResources: [c7a, { ...c7a, name: 'c7a-more' }] }],
      },
      ['queues'],
    ],
  ])('is refused with %s, naming the field', (_, input, paths) => {
    expect(pathsOfIssues(input)).toEqual(paths);
  });

  it('may have one compute resource’s name in two queues, and fifty queues', () => {
    expect(pathsOfIssues({ queues: manyQueues(50) })).toEqual([]);
  });
});

describe('a stored specification', () => {
  it('stays what it is when its queues are sent again', () => {
    expectAlways(
      fc.property(specs, (spec) => {
        const sent = { ...spec, tier: undefined };
        const again = resolveClusterSpec(clusterSpecInputSchema.parse(JSON.parse(JSON.stringify(sent))));
        expect(diffSpecs(again, { ...spec, tier: 'custom' })).toEqual([]);
      }),
    );
  });
});

describe('the differences of two specifications', () => {
  it('are none between a specification and itself, also after a journey as JSON', () => {
    expectAlways(
      fc.property(specs, (spec) => {
        expect(diffSpecs(spec, JSON.parse(JSON.stringify(spec)))).toEqual([]);
      }),
    );
  });

  it('are the same from both sides', () => {
    expectAlways(
      fc.property(specs, specs, (a, b) => {
        const mirrored = diffSpecs(b, a).map(({ path, existing, requested }) => ({
          path,
          existing: requested,
          requested: existing,
        }));
        const byPath = (x: { path: string }, y: { path: string }) => (x.path < y.path ? -1 : 1);
        expect(diffSpecs(a, b).toSorted(byPath)).toEqual(mirrored.toSorted(byPath));
      }),
    );
  });

  it('name the path and both values of what was changed', () => {
    const spec = specOf({ name: 'q', computeResources: [c7a] });
    const larger = specOf({ name: 'q', computeResources: [{ ...c7a, maxCount: 30 }], maxTimeSeconds: 60 });
    expect(diffSpecs(spec, larger)).toEqual([
      { path: 'queues.0.computeResources.0.maxCount', existing: 20, requested: 30 },
      { path: 'queues.0.maxTimeSeconds', existing: undefined, requested: 60 },
    ]);
  });
});

describe('a cluster covers', () => {
  it('its own specification, and every part of it', () => {
    expectAlways(
      fc.property(specs, fc.nat(), (spec, seed) => {
        expect(coversSpec(spec, spec)).toBe(true);
        const part = { ...spec, queues: spec.queues.slice(seed % spec.queues.length) };
        expect(coversSpec(spec, part)).toBe(true);
      }),
    );
  });

  it('what a smaller specification asks for, and not the other way round', () => {
    expectAlways(
      fc.property(specs, fc.integer({ min: 1, max: 100 }), (spec, more) => {
        const queues = spec.queues.map((queue) => ({
          ...queue,
          computeResources: queue.computeResources.map((each) => ({
            ...each,
            maxCount: each.maxCount + more,
          })),
        }));
        const larger = { ...spec, queues };
        expect(coversSpec(larger, spec)).toBe(true);
        expect(coversSpec(spec, larger)).toBe(false);
      }),
    );
  });

  it.each(tierNames)('no tier but its own when it was made from %s', (tier) => {
    const of = (name: string) => resolveClusterSpec(clusterSpecInputSchema.parse({ tier: name }));
    const covered = tierNames.filter((other) => coversSpec(of(tier), of(other)));
    expect(covered).toEqual([tier]);
  });

  const small = { name: 'q', computeResources: [c7a] };
  it.each<[string, QueueInput, boolean]>([
    ['a compute resource under another name', { ...small, computeResources: [{ ...c7a, name: 'x' }] }, true],
    ['nodes that are kept', { ...small, computeResources: [{ ...c7a, minCount: 2 }] }, true],
    ['another queue', { ...small, name: 'other' }, false],
    ['another type', { ...small, computeResources: [{ ...c7a, instanceType: 'c7i.48xlarge' }] }, false],
    ['EFA', { ...small, computeResources: [{ ...c7a, efa: true }] }, false],
    ['one thread per core', { ...small, computeResources: [{ ...c7a, multithreading: false }] }, false],
    ['a placement group', { ...small, placementGroup: true }, false],
    ['spot instances', { ...small, capacityType: 'SPOT' }, false],
    ['another time limit', { ...small, maxTimeSeconds: 3600 }, false],
    [
      'twice as many nodes in two compute resources',
      { ...small, computeResources: [c7a, { ...c7a, name: 'c7a-more' }] },
      false,
    ],
  ])('or not, where %s is asked for: %#', (_, asked, covered) => {
    expect(coversSpec(specOf(small), specOf(asked))).toBe(covered);
  });

  it.each([
    ['none asked for', {}, {}, true],
    ['none asked for, one there', { trust: 'epoch-key' }, undefined, true],
    ['one asked for, none there', undefined, {}, false],
    ['the same trust', { jobsOver: 'slurmrestd' }, { trust: 'epoch-key' }, true],
    ['more trust', {}, { trust: 'epoch-key-and-keycloak' }, false],
    ['less trust', { trust: 'epoch-key-and-keycloak' }, { trust: 'epoch-key' }, false],
  ] as const)('or not, as to Slurm’s REST API: %s', (_, existing, asked, covered) => {
    const withApi = (slurmApi: typeof existing) =>
      resolveClusterSpec(clusterSpecInputSchema.parse({ queues: [small], ...(slurmApi && { slurmApi }) }));
    expect(coversSpec(withApi(existing), withApi(asked))).toBe(covered);
  });

  it('no large compute resource by two small ones, between which a placement group would be torn', () => {
    const halves = [
      { ...c7a, maxCount: 10 },
      { ...c7a, name: 'c7a-more', maxCount: 10 },
    ];
    expect(coversSpec(specOf({ ...small, computeResources: halves }), specOf(small))).toBe(false);
  });
});
