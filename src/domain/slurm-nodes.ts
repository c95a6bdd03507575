import { countByGroup, type NodeCounts } from './node-groups.ts';
import type { SlurmJobFact } from './slurm-facts.ts';
import { columnsOf } from './slurm-output.ts';
import { nodeProblemOf, waitsForNodes } from './slurm-reasons.ts';

/** A node in one of its partitions. */
export interface NodeFact {
  readonly partition: string;
  readonly name: string;
  /** Lower-case words of Slurm, e.g. `idle`, `cloud`, `powered_down`. */
  readonly states: readonly string[];
  readonly reason: string;
}

/**
 * Parses lines of `sinfo --Node` with the columns PartitionName, NodeList, StateComplete, Reason.
 *
 * @throws SlurmOutputError naming a line that is no node: unknown nodes are not free ones.
 */
export function parseNodes(output: string): NodeFact[] {
  const lines = output.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const [partition = '', name = '', states = '', reason = ''] = columnsOf(line, 4);
    return { partition, name, states: states.toLowerCase().split('+'), reason };
  });
}

/** What is wrong with nodes of a partition, by partition. Of several problems one is told. */
export function nodeProblemsOf(nodes: readonly NodeFact[]): ReadonlyMap<string, string> {
  const problems = new Map<string, string>();
  for (const { partition, reason } of nodes) {
    const problem = nodeProblemOf(reason);
    if (problem !== undefined) problems.set(partition, problem);
  }
  return problems;
}

/** The same facts; those of jobs that wait for nodes with the problem of their partition. */
export function withNodeProblems(
  facts: readonly SlurmJobFact[],
  problems: ReadonlyMap<string, string>,
): SlurmJobFact[] {
  return facts.map((fact) => {
    const nodeProblem = problems.get(fact.partition);
    const isTold = nodeProblem !== undefined && fact.state === 'PENDING' && waitsForNodes(fact.reason);
    return isTold ? { ...fact, nodeProblem } : fact;
  });
}

/**
 * The nodes that EC2 bills, by their groups: all but those that Slurm has powered down and does not power up again. One that
 * is being powered down still runs; one that is down or does not answer may.
 */
export function nodesUpOf(nodes: readonly Pick<NodeFact, 'name' | 'states'>[]): NodeCounts {
  return countByGroup(nodes.filter(({ states }) => !isOff(states)).map(({ name }) => name));
}

function isOff(states: readonly string[]): boolean {
  const isPoweredDown = states.includes('powered_down') || states.includes('future');
  return isPoweredDown && !states.includes('powering_up');
}
