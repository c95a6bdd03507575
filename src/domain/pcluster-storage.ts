import type { ClusterConfigurationInput } from './cluster-configuration-input.ts';
import type { AttachableFileSystems, FileSystemMount, FileSystemType } from './file-systems.ts';
import type { EfsHome } from './home.ts';
import { type LustreFileSystem, STORAGE_MOUNT_PATH } from './lustre.ts';
import type { ClusterConfiguration, SharedStorage, StorageSettings } from './pcluster-document.ts';

/** Names of what this service makes itself; what existed before is named by its id. */
const HOME = 'home';
const LUSTRE = 'lustre';

/**
 * All that nodes mount. Everything exists already: ParallelCluster mounts it, and neither makes nor deletes it.
 *
 * @throws RangeError for a file system that the installation does not allow.
 */
export function renderStorage({
  home,
  lustre,
  spec,
  settings,
}: ClusterConfigurationInput): Pick<ClusterConfiguration, 'SharedStorage'> {
  return sectionOf([
    ...(home ? [renderHome(home)] : []),
    ...(lustre ? [renderLustre(lustre)] : []),
    ...renderFileSystems(spec.fileSystems, settings.attachableFileSystems),
  ]);
}

/**
 * What is mounted once other file systems are asked for; those that were mounted before are as they were then.
 *
 * @throws RangeError for a new file system that the installation does not allow.
 */
export function storageWith(
  deployed: readonly SharedStorage[] = [],
  fileSystems: readonly FileSystemMount[] = [],
  attachable: AttachableFileSystems | undefined,
): Pick<ClusterConfiguration, 'SharedStorage'> {
  const isOwn = ({ Name }: SharedStorage) => Name === HOME || Name === LUSTRE;
  const isNew = ({ id }: FileSystemMount) => !deployed.some(({ Name }) => Name === id);
  const isKept = ({ Name }: SharedStorage) => fileSystems.some(({ id }) => id === Name);
  return sectionOf([
    ...deployed.filter((each) => isOwn(each) || isKept(each)),
    ...renderFileSystems(fileSystems.filter(isNew), attachable),
  ]);
}

/** ParallelCluster takes no empty list. */
function sectionOf(storage: readonly SharedStorage[]): Pick<ClusterConfiguration, 'SharedStorage'> {
  return storage.length > 0 ? { SharedStorage: storage } : {};
}

function renderLustre({ fileSystemId }: LustreFileSystem): SharedStorage {
  return {
    Name: LUSTRE,
    StorageType: 'FsxLustre',
    MountDir: STORAGE_MOUNT_PATH,
    FsxLustreSettings: { FileSystemId: fileSystemId },
  };
}

function renderHome({ fileSystemId, accessPointId }: EfsHome): SharedStorage {
  return {
    Name: HOME,
    StorageType: 'Efs',
    MountDir: '/home',
    // ParallelCluster accepts an access point only together with encryption.
    EfsSettings: { FileSystemId: fileSystemId, AccessPointId: accessPointId, EncryptionInTransit: true },
  };
}

function renderFileSystems(
  fileSystems: readonly FileSystemMount[] = [],
  attachable: AttachableFileSystems = {},
): SharedStorage[] {
  return fileSystems.map(({ id, mountDirectory }) => {
    const type = attachable[id];
    if (!type) throw new RangeError(`${id} is no file system that clusters may mount`);
    return { Name: id, MountDir: mountDirectory, ...settingsOf[type](id) };
  });
}

/** What ParallelCluster wants to know of each type. */
const settingsOf: Readonly<Record<FileSystemType, (id: string) => StorageSettings>> = {
  Efs: (id) => ({ StorageType: 'Efs', EfsSettings: { FileSystemId: id, EncryptionInTransit: true } }),
  FsxLustre: (id) => ({ StorageType: 'FsxLustre', FsxLustreSettings: { FileSystemId: id } }),
  FsxOpenZfs: (id) => ({ StorageType: 'FsxOpenZfs', FsxOpenZfsSettings: { VolumeId: id } }),
  FsxOntap: (id) => ({ StorageType: 'FsxOntap', FsxOntapSettings: { VolumeId: id } }),
};
