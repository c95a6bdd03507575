import { clusterName, logGroupName } from './cluster-name.ts';
import type { Deployment } from './deployment.ts';
import type { Tenant } from './ids.ts';
import { tagKeys } from './resource-tags.ts';

/*
 * CloudWatch deletes events when they are older than a group's retention; the empty group stays for ever (CloudWatch Logs
 * user guide, "Change log data retention"). One in which nothing is left, and into which nobody writes, may go.
 */

/** Beginnings of the names of log groups that can be ours: jobs, and the nodes of ParallelCluster. */
export const logGroupPrefixes = ['/parallelcluster-provisioner/', '/aws/parallelcluster/pcluster-'] as const;

/** What CloudWatch says of a group in its list. */
export interface ListedLogGroup {
  readonly name: string;
  readonly arn: string;
  /** Seconds since 1970. */
  readonly createdAt: number;
  /** Absent: for ever. */
  readonly retentionDays?: number;
  readonly storedBytes: number;
}

const DAY_SECONDS = 86_400;
/** CloudWatch deletes expired events within 72 hours (the same guide), and counts bytes some hours behind. */
const GRACE_DAYS = 3;

/** Whether a group is worth asking more about. Never one that has bytes. */
export function isPastRetention(group: ListedLogGroup, nowSeconds: number): boolean {
  const { storedBytes, retentionDays, createdAt } = group;
  return storedBytes === 0 && isOver(createdAt, retentionDays ?? 0, nowSeconds);
}

/** Whether anything was written, in seconds since 1970, that is not past the group's retention. */
export function wasWrittenLately(
  lastWrittenAt: number | undefined,
  { retentionDays = 0 }: ListedLogGroup,
  nowSeconds: number,
): boolean {
  return lastWrittenAt !== undefined && !isOver(lastWrittenAt, retentionDays, nowSeconds);
}

function isOver(atSeconds: number, days: number, nowSeconds: number): boolean {
  return nowSeconds - atSeconds > (days + GRACE_DAYS) * DAY_SECONDS;
}

/** Whose group it is: of a tenant's jobs, or of the nodes of one deployment. A text says why it is nobody's. */
export type LogGroupOwner =
  { readonly tenant: Tenant } | { readonly deployment: Deployment } | { readonly foreign: string };

export function ownerOf(name: string, tags: Readonly<Record<string, string>>): LogGroupOwner {
  const {
    [tagKeys.virtualLab]: virtualLabId,
    [tagKeys.project]: projectId,
    [tagKeys.epoch]: epoch,
    [tagKeys.cluster]: cluster,
  } = tags;
  if (!virtualLabId || !projectId) return { foreign: 'It lacks tags that we would have set.' };
  const tenant = { virtualLabId, projectId };
  if (name === logGroupName(tenant)) return { tenant };
  if (cluster !== clusterName(tenant) || !epoch || !isOfNodes(name, cluster))
    return { foreign: 'We would have named it otherwise.' };
  return { deployment: { ...tenant, clusterName: cluster, epoch } };
}

/** How the names of the groups begin into which the nodes of a cluster of this name write. */
export function nodeLogGroupPrefix(cluster: string): string {
  return `/aws/parallelcluster/${cluster}-`;
}

/**
 * ParallelCluster adds the time of the creation (user guide, "Integration with Amazon CloudWatch Logs"); without a look at it,
 * other clusters' names may begin in the same way.
 */
export function isOfNodes(name: string, cluster: string): boolean {
  const prefix = nodeLogGroupPrefix(cluster);
  return name.startsWith(prefix) && /^\d{12}$/.test(name.slice(prefix.length));
}
