import {
  type CloudWatchLogsClient,
  GetLogEventsCommand,
  paginateDescribeLogGroups,
  paginateDescribeLogStreams,
} from '@aws-sdk/client-cloudwatch-logs';

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
 * What the nodes of a cluster wrote into CloudWatch Logs since a moment (milliseconds since 1970). ParallelCluster names the
 * group `/aws/parallelcluster/<cluster>-<YYYYMMDDHHMM>`, and makes one for each creation of a cluster (user guide,
 * "Integration with Amazon CloudWatch Logs").
 */
export async function* newestNodeLogs(
  logs: CloudWatchLogsClient,
  clusterName: string,
  sinceMs: number,
): AsyncGenerator<NodeLog> {
  const logGroupName = await groupOf(logs, clusterName, sinceMs);
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
  sinceMs: number,
): Promise<string | undefined> {
  const logGroupNamePrefix = `/aws/parallelcluster/${clusterName}-`;
  let newest: { readonly name: string; readonly createdMs: number } | undefined;
  for await (const { logGroups = [] } of paginateDescribeLogGroups(
    { client: logs },
    { logGroupNamePrefix },
  )) {
    for (const { logGroupName: name = '', creationTime: createdMs = 0 } of logGroups) {
      // Other clusters' names may begin in the same way.
      if (!/^\d{12}$/.test(name.slice(logGroupNamePrefix.length)) || createdMs < sinceMs) continue;
      if (!newest || createdMs > newest.createdMs) newest = { name, createdMs };
    }
  }
  return newest?.name;
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
