import {
  type CloudWatchLogsClient,
  GetLogEventsCommand,
  paginateDescribeLogGroups,
  paginateDescribeLogStreams,
} from '@aws-sdk/client-cloudwatch-logs';

/** The newest lines of one log file of one node. */
export interface NodeLog {
  /** `<node>.<instance id>.<file>`, e.g. `ip-10-0-1-4.i-0123456789abcdef0.chef-client`. */
  readonly stream: string;
  readonly lines: readonly string[];
}

/** Of each file; what went wrong last stands at its end. */
const NEWEST_LINES = 1000;
/** A head node has some twenty. */
const MOST_STREAMS = 60;

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
  let left = MOST_STREAMS;
  for await (const { logStreams = [] } of paginateDescribeLogStreams({ client: logs }, { logGroupName })) {
    for (const { logStreamName } of logStreams) {
      if (logStreamName === undefined || left === 0) continue;
      left -= 1;
      const page = { logGroupName, logStreamName, limit: NEWEST_LINES, startFromHead: false };
      const { events = [] } = await logs.send(new GetLogEventsCommand(page));
      const lines = events.map(({ timestamp = 0, message = '' }) => `${isoOf(timestamp)} ${message}`);
      yield { stream: logStreamName, lines };
    }
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
