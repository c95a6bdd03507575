import { z } from 'zod';

/*
 * File systems that exist without the service and that clusters may mount: a closed list, which the installation allows. What
 * is in one is open to every tenant whose cluster mounts it.
 */

/** ParallelCluster's own words (`StorageType`) for what may exist before a cluster. */
export const fileSystemTypes = ['Efs', 'FsxLustre', 'FsxOpenZfs', 'FsxOntap'] as const;

export type FileSystemType = (typeof fileSystemTypes)[number];

/** What an installation lets clusters mount, and what each of it is. */
export type AttachableFileSystems = Readonly<Record<string, FileSystemType>>;

/** ParallelCluster names file systems of EFS and Lustre, but volumes of OpenZFS and ONTAP (its schema's own patterns). */
const ID = /^(fs-[0-9a-f]{17}|fsvol-[0-9a-f]{17})$/;

/** Whether this is how ParallelCluster names file systems of the type. */
export function isIdOf(type: FileSystemType, id: string): boolean {
  const isVolume = type === 'FsxOpenZfs' || type === 'FsxOntap';
  return ID.test(id) && id.startsWith('fsvol-') === isVolume;
}

/** Every part begins with a letter or digit: ParallelCluster takes no hidden folder, and nobody an option or `..`. */
const DIRECTORY = /^(\/[A-Za-z0-9][\w.-]*){1,8}$/;

/** ParallelCluster's `SharedStorageMountDirValidator` refuses most of them themselves; below, a mount would hide a system's files. */
const CLOSED = [
  'bin',
  'boot',
  'dev',
  'etc',
  'lib',
  'lib64',
  'opt/amazon',
  'opt/intel',
  'opt/parallelcluster',
  'opt/slurm',
  'proc',
  'root',
  'run',
  'sbin',
  'sys',
  'tmp',
  'usr',
  'var',
  // Of ParallelCluster on instances with drives of their own, and of this service.
  'scratch',
  'home',
  'data',
  'NONE',
].map((path) => `/${path}`);

/** Of these only what is below may be given. */
const ONLY_BELOW = ['/media', '/mnt', '/opt', '/srv'];

const fileSystemSchema = z.strictObject({
  id: z
    .string()
    .regex(ID, 'must be a file system (fs-…) or a volume of OpenZFS or ONTAP (fsvol-…), with 17 digits')
    .meta({ description: 'Of a file system of EFS or Lustre, or of a volume of OpenZFS or ONTAP.' }),
  mountDirectory: z
    .string()
    .max(128)
    .regex(DIRECTORY, 'must be an absolute path of letters, digits and ._-')
    .refine(
      (path) => !isReserved(path),
      'is a directory of the system, of ParallelCluster or of this service',
    )
    .meta({ description: 'Where all nodes mount it, e.g. `/shared`.' }),
});

/** ParallelCluster's `OverlappingMountDirValidator` compares names in place of directories (3.16.1), so nobody else refuses it. */
function overlap(one: string, other: string): boolean {
  return isWithin(one, other) || isWithin(other, one);
}

/** Existing file systems for a cluster to mount. ParallelCluster takes 20; the service has two of its own. */
export const fileSystemsSchema = z
  .array(fileSystemSchema)
  .min(1)
  .max(10)
  .superRefine((fileSystems, context) => {
    fileSystems.forEach(({ id, mountDirectory }, index) => {
      const before = fileSystems.slice(0, index);
      if (before.some((each) => each.id === id))
        context.addIssue({ code: 'custom', path: [index, 'id'], message: `${id} is mounted twice` });
      const other = before.find((each) => overlap(each.mountDirectory, mountDirectory));
      if (other) {
        const message = `overlaps ${other.mountDirectory}: give directories of which none contains another`;
        context.addIssue({ code: 'custom', path: [index, 'mountDirectory'], message });
      }
    });
  })
  .meta({
    description:
      'Existing file systems to mount on all nodes, of those that the installation allows (`ATTACHABLE_FILE_SYSTEMS`). What ' +
      'is in one is open to every cluster that mounts it, and stays.',
  });

export type FileSystemMount = z.output<typeof fileSystemSchema>;

function isReserved(path: string): boolean {
  return ONLY_BELOW.includes(path) || CLOSED.some((closed) => isWithin(path, closed));
}

function isWithin(path: string, parent: string): boolean {
  return path === parent || path.startsWith(`${parent}/`);
}

/** Which of the file systems the installation does not allow; undefined if it allows all. */
export function foreignFileSystem(
  fileSystems: readonly FileSystemMount[] = [],
  attachable: AttachableFileSystems = {},
): number | undefined {
  const index = fileSystems.findIndex(({ id }) => !Object.hasOwn(attachable, id));
  return index === -1 ? undefined : index;
}
