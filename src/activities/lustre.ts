import type { DataRepositoryAssociation, FileSystem } from '@aws-sdk/client-fsx';
import { isFsxRefusal } from '../clients/aws-errors.ts';
import { isAutomaticallyExported, LustreFileSystems, withoutSlash } from '../clients/lustre-file-systems.ts';
import type { Deployment } from '../domain/deployment.ts';
import { fileSystemCause } from '../domain/creation-causes.ts';
import { KnownFailure } from '../domain/failures.ts';
import { dataRepositories, type DataRepository, type LustreFileSystem } from '../domain/lustre.ts';
import { deploymentTags, tagKeys, tagValue } from '../domain/resource-tags.ts';
import { type Heartbeat, withHeartbeat } from './heartbeat.ts';
import type { LustreDeps, LustreSettings } from './lustre-deps.ts';
import { exportOnce } from './lustre-export.ts';
import { persist, pollUntil, settling, takeAway } from './poll.ts';
import type { Activities, LustreRequest } from './port.ts';

/** FSx has a file system running "within minutes" (its FAQ); one that takes an hour hangs, and is paid for. */
const FILE_SYSTEM_SECONDS = 3600;

type LustreActivities = Pick<
  Activities,
  'ensureLustre' | 'setAutomaticExport' | 'exportLustre' | 'deleteLustre'
>;

/**
 * A deployment's Lustre file system. It lives outside the stack, so that no rollback of CloudFormation can take data with
 * it, and is known by the epoch in its tags. It goes only with proof that everything in it is in S3, or because somebody
 * said by name that it may be lost.
 */
export function createLustreActivities(deps: LustreDeps): LustreActivities {
  const fileSystems = new LustreFileSystems(deps.fsx);
  return {
    async ensureLustre(request) {
      const settings = settingsOf(deps);
      return withHeartbeat(async (heartbeat) => {
        const [existing] = await fileSystems.ofEpoch(request.epoch);
        const fileSystemId =
          existing?.FileSystemId ?? (await createFileSystem(deps, fileSystems, settings, request));
        await untilAvailable(deps, fileSystems, fileSystemId, heartbeat);
        // One at a time: FSx refuses a second link while one is being made.
        for (const repository of dataRepositories(request, settings.buckets))
          await ensureLink(deps, fileSystems, fileSystemId, repository, request, heartbeat);
        return { fileSystemId } satisfies LustreFileSystem;
      });
    },

    async setAutomaticExport({ fileSystemId, isOn, ...deployment }) {
      const { buckets } = settingsOf(deps);
      await withHeartbeat(async (heartbeat) => {
        const repositories = dataRepositories(deployment, buckets);
        await switchExport(deps, fileSystems, { fileSystemId, repositories, isOn }, heartbeat);
      });
    },

    async exportLustre(request) {
      const settings = settingsOf(deps);
      return withHeartbeat(async (heartbeat) => {
        const repositories = dataRepositories(request, settings.buckets);
        const { fileSystemId } = request;
        await switchExport(deps, fileSystems, { fileSystemId, repositories, isOn: false }, heartbeat);
        const verdict = await exportOnce(deps, fileSystems, { ...request, repositories }, heartbeat);
        const { requestId } = request;
        const keep = async () => deps.deploymentStore.putExport(request, { requestId, ...verdict });
        await persist(keep, heartbeat.signal);
        return verdict;
      });
    },

    async deleteLustre({ consent, askedSecondsAgo, ...deployment }) {
      await withHeartbeat(async (heartbeat) => {
        const take = async () => {
          const mine = await fileSystems.ofEpoch(deployment.epoch);
          for (const fileSystem of mine) {
            await refuseWithoutConsent(fileSystems, fileSystem, consent);
            if (consent.kind === 'discard') await deps.deploymentStore.putDiscard(deployment, consent);
            await deleteOne(deps, fileSystems, fileSystem, heartbeat);
          }
          return mine.length > 0;
        };
        await takeAway(take, { askedSecondsAgo, signal: heartbeat.signal });
      });
    },
  };
}

function settingsOf({ lustre }: LustreDeps): LustreSettings {
  if (lustre) return lustre;
  throw new KnownFailure(
    'LustreNotConfigured',
    'The worker has no buckets and security group for Lustre file systems',
  );
}

async function createFileSystem(
  { installation }: LustreDeps,
  fileSystems: LustreFileSystems,
  { securityGroupIds, kmsKeyId }: LustreSettings,
  { lustre, lease, ...deployment }: LustreRequest,
): Promise<string> {
  try {
    return await fileSystems.create({
      requestToken: `lustre-${deployment.epoch}`,
      lustre,
      subnetId: lease.subnetId,
      securityGroupIds,
      ...(kmsKeyId && { kmsKeyId }),
      tags: {
        ...deploymentTags(deployment, installation),
        Name: `${deployment.clusterName} ${deployment.epoch}`,
      },
    });
  } catch (error) {
    if (!isFsxRefusal(error)) throw error;
    throw new KnownFailure(fileSystemCause(error.message), `FSx refused the file system: ${error.message}`);
  }
}

async function untilAvailable(
  deps: LustreDeps,
  fileSystems: LustreFileSystems,
  fileSystemId: string,
  { signal, report }: Heartbeat,
): Promise<void> {
  const look = async (): Promise<true | undefined> => {
    const found = await fileSystems.find(fileSystemId);
    const lifecycle = found?.Lifecycle ?? 'CREATING';
    report({ fileSystemId, lifecycle });
    if (lifecycle === 'AVAILABLE') return true;
    if (lifecycle !== 'CREATING' && lifecycle !== 'UPDATING') {
      const reason = found?.FailureDetails?.Message ?? 'FSx gives no reason';
      throw new KnownFailure(fileSystemCause(reason), `${fileSystemId} is ${lifecycle}: ${reason}`);
    }
    const madeForSeconds = (Date.now() - (found?.CreationTime?.getTime() ?? Date.now())) / 1000;
    if (madeForSeconds <= FILE_SYSTEM_SECONDS) return undefined;
    throw new KnownFailure(
      'LustreCreateFailed',
      `${fileSystemId} is still ${lifecycle} after ${Math.round(madeForSeconds / 60)} minutes; FSx usually takes some`,
    );
  };
  await pollUntil(look, { intervalSeconds: deps.lustrePollSeconds, signal });
}

async function ensureLink(
  deps: LustreDeps,
  fileSystems: LustreFileSystems,
  fileSystemId: string,
  repository: DataRepository,
  deployment: Deployment,
  heartbeat: Heartbeat,
): Promise<void> {
  if (!(await linkOf(fileSystems, fileSystemId, repository))) {
    const requestToken = `lustre-${deployment.epoch}`;
    const tags = { ...deploymentTags(deployment, deps.installation), Name: repository.name };
    try {
      await fileSystems.link(fileSystemId, repository, { requestToken, tags });
    } catch (error) {
      if (!isFsxRefusal(error)) throw error;
      throw new KnownFailure(
        'LustreCreateFailed',
        `FSx refused to link ${repository.fileSystemPath} with ${repository.dataRepositoryPath}: ${error.message}`,
      );
    }
  }
  await untilLinked(deps, fileSystems, { fileSystemId, repository }, heartbeat);
}

interface LinkOf {
  readonly fileSystemId: string;
  readonly repository: DataRepository;
}

/** Waits until a link is as it was asked to be: available and, where that was asked for, with automatic export on or off. */
async function untilLinked(
  deps: LustreDeps,
  fileSystems: LustreFileSystems,
  { fileSystemId, repository, isOn }: LinkOf & { readonly isOn?: boolean },
  { signal, report }: Heartbeat,
): Promise<void> {
  const mayBeUnseen = settling();
  const look = async (): Promise<true | undefined> => {
    const link = await linkOf(fileSystems, fileSystemId, repository);
    const lifecycle = link?.Lifecycle ?? 'CREATING';
    report({ fileSystemId, path: repository.fileSystemPath, lifecycle });
    const isAsAsked = isOn === undefined || (link !== undefined && isAutomaticallyExported(link) === isOn);
    if (lifecycle === 'AVAILABLE' && (isAsAsked || !mayBeUnseen())) return true;
    if (lifecycle === 'CREATING' || lifecycle === 'UPDATING' || lifecycle === 'AVAILABLE') return undefined;
    const reason = link?.FailureDetails?.Message ?? 'FSx gives no reason';
    throw new KnownFailure(
      'LustreLinkFailed',
      `The link of ${repository.fileSystemPath} with ${repository.dataRepositoryPath} is ${lifecycle}: ${reason}`,
    );
  };
  await pollUntil(look, { intervalSeconds: deps.lustrePollSeconds, signal });
}

async function linkOf(
  fileSystems: LustreFileSystems,
  fileSystemId: string,
  { fileSystemPath }: DataRepository,
): Promise<DataRepositoryAssociation | undefined> {
  const links = await fileSystems.links(fileSystemId);
  return links.find(({ FileSystemPath }) => withoutSlash(FileSystemPath) === fileSystemPath);
}

interface ExportSwitch {
  readonly fileSystemId: string;
  readonly repositories: readonly DataRepository[];
  readonly isOn: boolean;
}

/**
 * A link that does not work is changed, too: that makes FSx look again at what was wrong with it (guide, "Data repository
 * association lifecycle state"). If it still does not work, the export's verdict says so.
 */
async function switchExport(
  deps: LustreDeps,
  fileSystems: LustreFileSystems,
  { fileSystemId, repositories, isOn }: ExportSwitch,
  heartbeat: Heartbeat,
): Promise<void> {
  for (const repository of repositories.filter(({ isExported }) => isExported)) {
    const { signal } = heartbeat;
    const link = await persist(async () => linkOf(fileSystems, fileSystemId, repository), signal);
    if (!link || (link.Lifecycle === 'AVAILABLE' && isAutomaticallyExported(link) === isOn)) continue;
    await persist(async () => fileSystems.setAutomaticExport(link, isOn), signal);
    try {
      await untilLinked(deps, fileSystems, { fileSystemId, repository, isOn }, heartbeat);
    } catch (error) {
      if (isOn || !(error instanceof KnownFailure)) throw error;
    }
  }
}

/**
 * The last guard before data goes: whatever the caller believes, a file system that was ever mounted goes only when FSx
 * itself still shows the successful task that the proof names.
 */
async function refuseWithoutConsent(
  fileSystems: LustreFileSystems,
  { FileSystemId = '', Lifecycle }: FileSystem,
  consent: Parameters<Activities['deleteLustre']>[0]['consent'],
): Promise<void> {
  // Nothing was ever in one whose creation failed; and what is being deleted, was consented to.
  if (Lifecycle === 'FAILED' || Lifecycle === 'DELETING') return;
  if (consent.kind !== 'exported') return;
  const tasks = await fileSystems.tasks(FileSystemId);
  const task = tasks.find(({ TaskId }) => TaskId === consent.taskId);
  if (task?.Lifecycle === 'SUCCEEDED' && (task.Status?.FailedCount ?? 0) === 0) return;
  throw new KnownFailure(
    'LustreNotExported',
    `FSx does not show that ${consent.taskId} exported ${FileSystemId}`,
    { fileSystemId: FileSystemId },
  );
}

async function deleteOne(
  deps: LustreDeps,
  fileSystems: LustreFileSystems,
  { FileSystemId = '', Lifecycle, Tags }: FileSystem,
  { signal, report }: Heartbeat,
): Promise<void> {
  const epoch = tagValue(Tags, tagKeys.epoch);
  if (Lifecycle !== 'DELETING') await requestDeletion(fileSystems, FileSystemId);
  const mayBeUnseen = settling();
  const look = async (): Promise<true | undefined> => {
    const left = await fileSystems.find(FileSystemId);
    report({ epoch, fileSystemId: FileSystemId, lifecycle: left?.Lifecycle ?? 'DELETED' });
    if (left === undefined) return true;
    if (left.Lifecycle === 'DELETING' || (left.Lifecycle === Lifecycle && mayBeUnseen())) return undefined;
    const reason = left.FailureDetails?.Message ?? 'FSx gives no reason';
    throw new KnownFailure(
      'LustreDeleteFailed',
      `${FileSystemId} is ${left.Lifecycle ?? 'in no state'}: ${reason}`,
    );
  };
  await pollUntil(look, { intervalSeconds: deps.lustrePollSeconds, signal });
}

/** FSx refuses while a task of the file system is pending or runs. */
async function requestDeletion(fileSystems: LustreFileSystems, fileSystemId: string): Promise<void> {
  try {
    await fileSystems.delete(fileSystemId);
  } catch (error) {
    if (!isFsxRefusal(error)) throw error;
    throw new KnownFailure('LustreDeleteFailed', `FSx does not delete ${fileSystemId}: ${error.message}`);
  }
}
