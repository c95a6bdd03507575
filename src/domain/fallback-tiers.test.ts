import { describe, expect, it } from 'vitest';
import { clusterSpecInputSchema, resolveClusterSpec } from './cluster-spec-input.ts';
import { ofFallbackTier } from './fallback-tiers.ts';
import { tiers } from './tiers.ts';

const problems = (values: Record<string, unknown>) =>
  clusterSpecInputSchema
    .safeParse(values)
    .error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);

describe('a fallback tier', () => {
  it('gives its nodes to the queue that was asked for, which keeps its name and limits', () => {
    const asked = resolveClusterSpec(
      clusterSpecInputSchema.parse({
        queues: [
          {
            name: 'mine',
            computeResources: [{ name: 'big', instanceType: 'c7a.48xlarge', maxCount: 3 }],
            capacityType: 'SPOT',
            maxTimeSeconds: 7200,
            maxNodesPerJob: 2,
            exclusiveNodes: true,
          },
        ],
        fallbackTiers: ['prod-mpi-intel'],
      }),
    );
    const [queue] = ofFallbackTier(asked, 'prod-mpi-intel').queues;
    expect(queue).toMatchObject({
      name: 'mine',
      maxTimeSeconds: 7200,
      maxNodesPerJob: 2,
      exclusiveNodes: true,
    });
    expect(queue).toMatchObject({ capacityType: 'ONDEMAND', placementGroup: true });
    expect(queue?.computeResources.map(({ instanceType }) => instanceType)).toEqual(
      tiers['prod-mpi-intel'].queues[0].computeResources.map(({ instanceType }) => instanceType),
    );
  });

  it('is refused at its place where it makes no sense', () => {
    expect(problems({ tier: 'debug', fallbackTiers: ['debug'] })).toEqual([
      'fallbackTiers.0: debug is the tier itself',
    ]);
    expect(problems({ tier: 'debug', fallbackTiers: ['prod-batch', 'prod-batch'] })).toEqual([
      'fallbackTiers.1: prod-batch stands there twice',
    ]);
    const queue = (name: string) => ({
      name,
      computeResources: [{ name: 'n', instanceType: 'm5.large', maxCount: 1 }],
    });
    expect(problems({ queues: [queue('a'), queue('b')], fallbackTiers: ['debug'] })).toEqual([
      'fallbackTiers: take the place of one queue, the cluster has 2',
    ]);
    const arm = { ...queue('a'), computeResources: [{ name: 'n', instanceType: 'c7g.large', maxCount: 1 }] };
    expect(
      problems({ queues: [arm], headNode: { instanceType: 't4g.large' }, fallbackTiers: ['debug'] }),
    ).toEqual([
      expect.stringMatching(/^fallbackTiers\.0: debug: .*arm64|^fallbackTiers\.0: debug: .*x86_64/),
    ]);
  });
});
