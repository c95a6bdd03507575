import { HeadNodeSpecError } from './head-node-spec.ts';
import type { Queue } from './head-node-spec.ts';

/**
 * Nodes that differ in their numbers only, named as ParallelCluster names them:
 * `<queue>-<st or dy>-<compute resource>-[1-<count>]`. Static ones (MinCount) always run; dynamic ones (up to MaxCount)
 * are started when Slurm wants them, each a real `slurmd` with a host name of its own.
 */
export interface ComputeNodes {
  kind: 'static' | 'dynamic';
  queue: string;
  computeResource: string;
  instanceType: string;
  /** Number of the first: not 1 for those that an update has added. */
  first: number;
  count: number;
  /** All nodes of a cluster share one address, so each has a port of its own: this and the following ones. */
  firstPort: number;
}

/** Above the ports of Slurm's other daemons, below those that Linux gives to clients. */
const FIRST_PORT = 7000;
const LAST_PORT = 32_767;

/**
 * All nodes that these queues may have. Of those that there were `before`, each keeps its port: it may be running.
 *
 * @throws HeadNodeSpecError for more nodes than there are ports.
 */
export function planComputeNodes(
  queues: readonly Queue[],
  before: readonly ComputeNodes[] = [],
): ComputeNodes[] {
  let nextPort = Math.max(FIRST_PORT, ...before.map(({ firstPort, count }) => firstPort + count));
  const plan = queues.flatMap((queue) =>
    queue.computeResources.flatMap(({ name, instanceType, minCount = 0, maxCount }) =>
      (
        [
          ['static', minCount],
          ['dynamic', maxCount - minCount],
        ] as const
      ).flatMap(([kind, count]) => {
        const kept = before.flatMap((each) =>
          each.queue === queue.name && each.computeResource === name && each.kind === kind
            ? [{ ...each, instanceType, count: Math.min(each.count, count - each.first + 1) }]
            : [],
        );
        const first = 1 + kept.reduce((sum, each) => sum + Math.max(0, each.count), 0);
        const added = count - first + 1;
        const firstPort = nextPort;
        nextPort += added;
        return [
          ...kept,
          { kind, queue: queue.name, computeResource: name, instanceType, first, count: added, firstPort },
        ].filter((each) => each.count > 0);
      }),
    ),
  );
  if (nextPort > LAST_PORT + 1) {
    throw new HeadNodeSpecError(
      `queues: ${nextPort - FIRST_PORT} nodes are too many, the embedded stack has ports for ${LAST_PORT + 1 - FIRST_PORT}`,
    );
  }
  return plan;
}

/** What the names of these nodes begin with. */
function prefixOf({ queue, kind, computeResource }: ComputeNodes): string {
  return `${queue}-${kind === 'static' ? 'st' : 'dy'}-${computeResource}-`;
}

/** The nodes in Slurm's notation, e.g. `debug-dy-t3-[1-8]`. */
export function nodeList(nodes: ComputeNodes): string {
  return `${prefixOf(nodes)}${rangeFrom(nodes.first, nodes.count)}`;
}

/** Their ports in the same notation. */
export function portList({ firstPort, count }: ComputeNodes): string {
  return rangeFrom(firstPort, count);
}

/** Each node's name. */
export function nodeNames(nodes: ComputeNodes): string[] {
  return Array.from({ length: nodes.count }, (_, index) => `${prefixOf(nodes)}${nodes.first + index}`);
}

function rangeFrom(first: number, count: number): string {
  return count === 1 ? String(first) : `[${first}-${first + count - 1}]`;
}
