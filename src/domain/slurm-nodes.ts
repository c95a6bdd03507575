import { countByGroup, type NodeCounts } from './node-groups.ts';
import type { SlurmJobFact } from './slurm-facts.ts';
import { COLUMN_SEPARATOR, SlurmOutputError } from './slurm-output.ts';
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
 * Parses sinfo printed with `--Node` and the columns PartitionName, NodeList, StateComplete, Reason, each ended by the separator. Reasons are free text: a line that goes on with one is left out.
 *
 * @throws SlurmOutputError if it printed something and no node: unknown nodes are not free ones.
 */
export function parseNodes(output: string): NodeFact[] {
  const nodes = output.split('\n').flatMap((line) => {
    const [partition, name, states = '', reason] = line.split(COLUMN_SEPARATOR);
    if (partition === undefined || !name || !/^[a-z_+]+$/i.test(states) || reason === undefined) return [];
    return [{ partition, name, states: states.toLowerCase().split('+'), reason }];
  });
  if (nodes.length === 0 && output.trim() !== '')
    throw new SlurmOutputError(`not a node: ${JSON.stringify(output.slice(0, 200))}`);
  return nodes;
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
