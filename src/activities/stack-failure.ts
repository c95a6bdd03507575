import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { newestNodeLogs } from '../clients/node-logs.ts';
import type { Stacks } from '../clients/stacks.ts';
import { creationCause } from '../domain/creation-causes.ts';
import type { Deployment } from '../domain/deployment.ts';
import { KnownFailure } from '../domain/failures.ts';
import { epochStartSeconds } from '../domain/ids.ts';

/** The cause, from the outer stack's events and, as far as it came, from those of the cluster's own stack. */
export async function createFailure(
  { stacks, logs }: { readonly stacks: Stacks; readonly logs: CloudWatchLogsClient },
  deployment: Deployment,
  stackId: string,
  status: string,
): Promise<KnownFailure> {
  const { clusterName, epoch } = deployment;
  const cluster = await stacks.find(clusterName);
  const reason = (await stacks.firstFailure(stackId, 'CREATE')) ?? `the stack is ${status}`;
  const clusterReason =
    cluster?.epoch === epoch ? await stacks.firstFailure(cluster.stackId, 'CREATE') : undefined;
  const events = clusterReason ? `${reason} In the cluster's own stack: ${clusterReason}` : reason;
  const line = NODES_DID_NOT_START.test(events) ? await whyNodesDidNotStart(logs, deployment) : undefined;
  const message = line === undefined ? events : `${events} In the head node's log: ${line}`;
  return new KnownFailure(creationCause(message) ?? 'StackCreateFailed', message, { stackId, status });
}

/**
 * What the stack of a cluster says when nodes that never power down (`minCount`) did not start: the head node waits for them and
 * then gives up, or goes into protected mode (`wait_static_fleet_running` of aws-parallelcluster-cookbook 3.16).
 */
const NODES_DID_NOT_START = /\bPROTECTED mode\b|\bWaitCondition timed out\b/i;

/** The last line of the head node's logs in which EC2 says why; undefined if there is none, or nobody can read it. */
async function whyNodesDidNotStart(
  logs: CloudWatchLogsClient,
  { clusterName, epoch }: Deployment,
): Promise<string | undefined> {
  try {
    for await (const { lines } of newestNodeLogs(logs, clusterName, epochStartSeconds(epoch))) {
      const line = lines?.findLast((each) => creationCause(each) !== undefined);
      if (line !== undefined) return line;
    }
  } catch {
    // The events have a reason, if not the best one.
  }
  return undefined;
}
