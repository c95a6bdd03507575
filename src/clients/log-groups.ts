import {
  type CloudWatchLogsClient,
  DeleteLogGroupCommand,
  ListTagsForResourceCommand,
  paginateDescribeLogGroups,
  paginateDescribeLogStreams,
} from '@aws-sdk/client-cloudwatch-logs';
import type { ListedLogGroup } from '../domain/log-groups.ts';
import { isNotFound } from './aws-errors.ts';

/** All groups whose names begin like this. */
export async function* listLogGroups(
  client: CloudWatchLogsClient,
  logGroupNamePrefix: string,
): AsyncGenerator<ListedLogGroup> {
  for await (const { logGroups = [] } of paginateDescribeLogGroups({ client }, { logGroupNamePrefix })) {
    for (const { logGroupName: name, arn = '', creationTime, retentionInDays, storedBytes } of logGroups) {
      // What CloudWatch does not say counts as there, and as new.
      if (name === undefined || creationTime === undefined || storedBytes === undefined) continue;
      yield {
        name,
        arn: arn.replace(/:\*$/, ''),
        createdAt: creationTime / 1000,
        storedBytes,
        ...(retentionInDays !== undefined && { retentionDays: retentionInDays }),
      };
    }
  }
}

export async function tagsOfLogGroup(
  client: CloudWatchLogsClient,
  { arn }: ListedLogGroup,
): Promise<Readonly<Record<string, string>>> {
  const { tags = {} } = await client.send(new ListTagsForResourceCommand({ resourceArn: arn }));
  return tags;
}

/** When anything was last written into a group or made in it, in seconds since 1970; undefined if never. */
export async function lastWrittenAt(
  client: CloudWatchLogsClient,
  { name: logGroupName }: ListedLogGroup,
): Promise<number | undefined> {
  let last: number | undefined;
  for await (const { logStreams = [] } of paginateDescribeLogStreams({ client }, { logGroupName }))
    for (const { creationTime = 0, lastEventTimestamp = 0, lastIngestionTime = 0 } of logStreams)
      last = Math.max(last ?? 0, creationTime / 1000, lastEventTimestamp / 1000, lastIngestionTime / 1000);
  return last;
}

export async function deleteLogGroup(
  client: CloudWatchLogsClient,
  { name: logGroupName }: ListedLogGroup,
): Promise<void> {
  try {
    await client.send(new DeleteLogGroupCommand({ logGroupName }));
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
