import { specIssues, type CheckedSpec } from './cluster-spec-rules.ts';
import type { ClusterSpec } from './cluster-spec.ts';
import type { Issue } from './queue-rules.ts';
import { type Queue, queueSchema } from './queue.ts';
import { type Tier, tiers } from './tiers.ts';

/**
 * The specification with the nodes of a fallback tier. They stand in the queue that was asked for, with its name and limits:
 * jobs that name their queue and their time run as they are.
 */
export function ofFallbackTier(asked: ClusterSpec, tier: Tier): ClusterSpec {
  const [queue] = asked.queues;
  return queue ? { ...asked, tier, queues: [withNodesOf(queue, tier)] } : asked;
}

function withNodesOf(asked: Queue, tier: Tier): Queue {
  const { computeResources: _nodes, placementGroup: _group, capacityType: _type, ...kept } = asked;
  const { computeResources, placementGroup, capacityType } = queueSchema.parse(tiers[tier].queues[0]);
  return { ...kept, computeResources, placementGroup, capacityType };
}

/** Everything that is wrong with the fallback tiers of a specification. */
export function fallbackIssues(spec: CheckedSpec & { readonly tier?: string | undefined }): Issue[] {
  const { fallbackTiers = [], queues, tier } = spec;
  if (fallbackTiers.length === 0) return [];
  const [queue] = queues ?? [];
  if (!queue || queues?.length !== 1) {
    const message = queues
      ? `take the place of one queue, the cluster has ${queues.length}`
      : 'go with a tier or a queue, not with needs';
    return [{ path: ['fallbackTiers'], message }];
  }
  return fallbackTiers.flatMap((fallback, index): Issue[] => {
    const path = ['fallbackTiers', index];
    if (fallback === tier) return [{ path, message: `${fallback} is the tier itself` }];
    if (fallbackTiers.indexOf(fallback) !== index)
      return [{ path, message: `${fallback} stands there twice` }];
    const queues = [withNodesOf(queue, fallback)];
    return specIssues({ ...spec, queues }).map(({ message }) => ({
      path,
      message: `${fallback}: ${message}`,
    }));
  });
}
