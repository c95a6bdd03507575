import {
  type CloudWatchLogsClient,
  GetLogEventsCommand,
  paginateDescribeLogStreams,
} from '@aws-sdk/client-cloudwatch-logs';
import { isOfNodes, type ListedLogGroup, nodeLogGroupPrefix } from '../domain/log-groups.ts';
import { listLogGroups } from './log-groups.ts';

/** The newest lines of one log file of one node, or why they cannot be had. */
export interface NodeLog {
  /** `<node>.<instance id>.<file>`, e.g. `ip-10-0-1-4.i-0123456789abcdef0.chef-client`. */
  readonly stream: string;
  readonly lines: readonly string[] | undefined;
  readonly problem?: string;
}

/** Of each file; what went wrong last stands at its end. */
const NEWEST_LINES = 1000;
/** A head node has some twenty, and comes first. */
const MOST_STREAMS = 100;
/** Files that only head nodes have. */
const OF_HEAD_NODE = /\.(?:cfn-init|chef-client|clustermgtd|slurmctld)$/;

/**
 * What the nodes of a cluster wrote into CloudWatch Logs since a moment (seconds since 1970). Each creation of a cluster has a
 * group of its own.
 */
export async function* newestNodeLogs(
  logs: CloudWatchLogsClient,
  clusterName: string,
  sinceSeconds: number,
): AsyncGenerator<NodeLog> {
  const logGroupName = await groupOf(logs, clusterName, sinceSeconds);
  if (logGroupName === undefined) return;
  const streams = headNodeFirst(await streamsOf(logs, logGroupName));
  for (const stream of streams.slice(0, MOST_STREAMS)) yield newestLines(logs, logGroupName, stream);
  for (const stream of streams.slice(MOST_STREAMS))
    yield { stream, lines: undefined, problem: `left out: only ${MOST_STREAMS} files are read` };
}

async function streamsOf(logs: CloudWatchLogsClient, logGroupName: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { logStreams = [] } of paginateDescribeLogStreams({ client: logs }, { logGroupName }))
    names.push(...logStreams.flatMap(({ logStreamName }) => logStreamName ?? []));
  return names;
}

function headNodeFirst(streams: readonly string[]): string[] {
  const nodeOf = (stream: string) => stream.split('.').slice(0, 2).join('.');
  const headNodes = new Set(streams.filter((stream) => OF_HEAD_NODE.test(stream)).map(nodeOf));
  const isOfHeadNode = (stream: string) => headNodes.has(nodeOf(stream));
  return [...streams.filter(isOfHeadNode), ...streams.filter((stream) => !isOfHeadNode(stream))];
}

async function newestLines(
  logs: CloudWatchLogsClient,
  logGroupName: string,
  logStreamName: string,
): Promise<NodeLog> {
  const page = { logGroupName, logStreamName, limit: NEWEST_LINES, startFromHead: false };
  try {
    const { events = [] } = await logs.send(new GetLogEventsCommand(page));
    const lines = events.map(({ timestamp = 0, message = '' }) => `${isoOf(timestamp)} ${message}`);
    return { stream: logStreamName, lines };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { stream: logStreamName, lines: undefined, problem };
  }
}

async function groupOf(
  logs: CloudWatchLogsClient,
  clusterName: string,
  sinceSeconds: number,
): Promise<string | undefined> {
  let newest: ListedLogGroup | undefined;
  for await (const group of listLogGroups(logs, nodeLogGroupPrefix(clusterName))) {
    if (!isOfNodes(group.name, clusterName) || group.createdAt < sinceSeconds) continue;
    if (!newest || group.createdAt > newest.createdAt) newest = group;
  }
  return newest?.name;
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
