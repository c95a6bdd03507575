import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import type { FSxClient } from '@aws-sdk/client-fsx';
import { deleteLogGroup, lastWrittenAt, listLogGroups, tagsOfLogGroup } from '../clients/log-groups.ts';
import { ensureLogGroup } from '../clients/log-streams.ts';
import { LustreFileSystems } from '../clients/lustre-file-systems.ts';
import {
  isPastRetention,
  type ListedLogGroup,
  logGroupPrefixes,
  ownerOf,
  wasWrittenLately,
} from '../domain/log-groups.ts';
import type { LookAlike, Remnant } from '../domain/orphans.ts';
import { tagKeys } from '../domain/resource-tags.ts';
import { type AttendanceDeps, isAttended, isBusy } from './attendance.ts';

/*
 * What deployments leave behind that needs no teardown: empty log groups past their retention, and links of Lustre file
 * systems that are gone. Each is looked at once more right before it goes.
 */

export interface RemnantDeps extends AttendanceDeps {
  readonly fsx: FSxClient;
  readonly logs: CloudWatchLogsClient;
  /** See `installationName`. */
  readonly installation: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

interface Surveyed {
  readonly remnants: Remnant[];
  readonly lookAlikes: LookAlike[];
}

export async function surveyLogGroups(
  deps: RemnantDeps,
  report: (progress: unknown) => void,
): Promise<Surveyed> {
  const found: Surveyed = { remnants: [], lookAlikes: [] };
  for (const prefix of logGroupPrefixes) {
    for await (const group of listLogGroups(deps.logs, prefix)) {
      const { name: id } = group;
      const verdict = await judge(deps, group);
      report({ logGroup: id });
      if (verdict === 'stays') continue;
      if ('foreign' in verdict) found.lookAlikes.push({ kind: 'log-group', id, because: verdict.foreign });
      else found.remnants.push({ kind: 'log-group', id, because: verdict.because });
    }
  }
  return found;
}

type Verdict = 'stays' | { readonly foreign: string } | { readonly because: string };

async function judge(deps: RemnantDeps, group: ListedLogGroup): Promise<Verdict> {
  const nowSeconds = deps.now() / 1000;
  if (!isPastRetention(group, nowSeconds)) return 'stays';
  const tags = await tagsOfLogGroup(deps.logs, group);
  const owner = ownerOf(group.name, tags);
  if ('foreign' in owner) return owner;
  const maker = tags[tagKeys.installation];
  if (maker !== undefined && maker !== deps.installation)
    return { foreign: `It is of the installation ${maker}.` };
  const { retentionDays } = group;
  if (retentionDays === undefined) return { foreign: 'It is empty, and no retention says when it may go.' };
  const isInUse =
    'tenant' in owner
      ? await isBusy(deps.describeWorkflow, owner.tenant)
      : await isAttended(deps, owner.deployment);
  if (isInUse) return 'stays';
  if (maker === undefined) return { foreign: 'It does not say which installation made it.' };
  if (wasWrittenLately(await lastWrittenAt(deps.logs, group), group, nowSeconds)) return 'stays';
  return { because: `Nothing is in it, and its retention of ${retentionDays} days is over.` };
}

interface Removal {
  readonly isRemoved: boolean;
  /** Why it stayed, where it did. */
  readonly because: string;
}

/** Looks once more, and takes it away if it is still so. */
export async function removeRemnant(deps: RemnantDeps, { kind, id, because }: Remnant): Promise<Removal> {
  return kind === 'log-group' ? removeLogGroup(deps, id) : removeLink(deps, id, because);
}

async function removeLogGroup(deps: RemnantDeps, name: string): Promise<Removal> {
  const group = await findLogGroup(deps.logs, name);
  if (!group) return { isRemoved: true, because: 'It is gone.' };
  const verdict = await judge(deps, group);
  if (verdict === 'stays' || 'foreign' in verdict)
    return { isRemoved: false, because: 'It is in use again.' };
  const tags = await tagsOfLogGroup(deps.logs, group);
  await deleteLogGroup(deps.logs, group);
  const owner = ownerOf(name, tags);
  // A cluster that was asked for in between found the group, and relies on it.
  if ('tenant' in owner && (await isBusy(deps.describeWorkflow, owner.tenant))) {
    await ensureLogGroup(deps.logs, { name, retentionInDays: group.retentionDays ?? 1, tags: { ...tags } });
    return { isRemoved: false, because: 'Its tenant came back: it was made anew.' };
  }
  return { isRemoved: true, because: verdict.because };
}

async function findLogGroup(logs: CloudWatchLogsClient, name: string): Promise<ListedLogGroup | undefined> {
  for await (const group of listLogGroups(logs, name)) if (group.name === name) return group;
  return undefined;
}

/** No data hangs on it: the file system was where the data lay. What was exported stays in S3. */
async function removeLink({ fsx }: RemnantDeps, id: string, because: string): Promise<Removal> {
  const fileSystems = new LustreFileSystems(fsx);
  const link = await fileSystems.findLink(id);
  if (link?.FileSystemId === undefined) return { isRemoved: true, because: 'It is gone.' };
  const fileSystem = await fileSystems.find(link.FileSystemId);
  if (fileSystem)
    return { isRemoved: false, because: `${link.FileSystemId} is ${fileSystem.Lifecycle ?? 'there'}.` };
  await fileSystems.unlink(id);
  return { isRemoved: true, because };
}
