import { createReadStream } from 'node:fs';
import { chmod, lchown, lstat, mkdir, readdir, readlink, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  paginateListObjectsV2,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';

/** S3's longest key, in bytes (S3 user guide, "Naming Amazon S3 objects"). */
const MAX_KEY_BYTES = 1024;
const FILE_TYPE_AND_MODE = 0o170_777;

/** A folder of a file system and the prefix in S3 that it is linked with. */
export interface Link {
  readonly directory: string;
  readonly bucket: string;
  /** Ends with a slash, or is empty. */
  readonly prefix: string;
}

export interface Entry {
  /** Relative to the link's folder; folders end with a slash. */
  readonly path: string;
  /** Differs when content or metadata differ. */
  readonly state: string;
  readonly changedAt: number;
}

/** Why a file was not exported, as FSx's reports say it. */
export class ExportError extends Error {
  override readonly name = 'ExportError';
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

/** Everything below the folder, the folders before what is in them. */
export async function listEntries({ directory }: Pick<Link, 'directory'>, below = ''): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const child of await readdir(join(directory, below), { withFileTypes: true })) {
    const path = join(below, child.name);
    const stats = await lstat(join(directory, path));
    const state = [
      stats.mode,
      stats.uid,
      stats.gid,
      stats.isDirectory() ? 0 : stats.size,
      stats.mtimeMs,
    ].join(' ');
    if (child.isDirectory()) {
      // What is made in a folder changes its time, which no object of its own shows.
      const own = [stats.mode, stats.uid, stats.gid].join(' ');
      entries.push({ path: `${path}/`, state: own, changedAt: stats.ctimeMs });
      entries.push(...(await listEntries({ directory }, path)));
    } else if (child.isFile() || child.isSymbolicLink()) {
      entries.push({ path, state, changedAt: stats.ctimeMs });
    }
  }
  return entries;
}

/** Writes one entry to S3 with its POSIX metadata, in the form of FSx (guide, "POSIX metadata support"). */
export async function exportEntry(
  s3: S3Client,
  { directory, bucket, prefix }: Link,
  path: string,
): Promise<void> {
  const key = prefix + path;
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) throw new ExportError('PathSizeTooLong');
  const file = join(directory, path);
  const stats = await lstat(file);
  const body = stats.isSymbolicLink()
    ? await readlink(file)
    : stats.isDirectory()
      ? ''
      : createReadStream(file);
  await s3.send(
    new PutObjectCommand({
      Bucket: bucket,
      Key: key,
      Body: body,
      // Said also of an empty body, of which the SDK would warn as of a stream of unknown length.
      ContentLength: typeof body === 'string' ? Buffer.byteLength(body) : stats.size,
      Metadata: {
        'file-permissions': `0${(stats.mode & FILE_TYPE_AND_MODE).toString(8)}`,
        'file-owner': String(stats.uid),
        'file-group': String(stats.gid),
        'file-mtime': `${Math.round(stats.mtimeMs)}000000ns`,
      },
    }),
  );
}

export async function removeObject(s3: S3Client, { bucket, prefix }: Link, path: string): Promise<void> {
  await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: prefix + path }));
}

/** Brings what is in S3 and not in the folder. FSx brings contents when they are read, which programs do not see. */
export async function importAll(s3: S3Client, link: Link): Promise<void> {
  await mkdir(link.directory, { recursive: true });
  for await (const { Contents = [] } of paginateListObjectsV2(
    { client: s3 },
    { Bucket: link.bucket, Prefix: link.prefix },
  )) {
    for (const { Key = '' } of Contents) await importObject(s3, link, Key);
  }
}

async function importObject(s3: S3Client, { directory, bucket, prefix }: Link, key: string): Promise<void> {
  const path = key.slice(prefix.length);
  const file = join(directory, path);
  if (path === '' || (await exists(file))) return;
  const { Body, Metadata = {} } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  const { mode, uid, gid, mtime } = posixOf(Metadata);
  const isLink = (mode & 0o170_000) === 0o120_000;
  if (key.endsWith('/')) await mkdir(file, { recursive: true });
  else {
    await mkdir(dirname(file), { recursive: true });
    const content = (await Body?.transformToByteArray()) ?? new Uint8Array();
    if (isLink) await symlink(Buffer.from(content).toString(), file);
    else await writeFile(file, content);
  }
  await lchown(file, uid, gid);
  if (isLink) return;
  await chmod(file, mode & 0o7777);
  if (mtime !== undefined) await utimes(file, mtime, mtime);
}

/** What FSx gives to objects that others made: root's, 755. */
function posixOf(metadata: Readonly<Record<string, string>>) {
  const nanoseconds = /^(\d+)ns$/.exec(metadata['file-mtime'] ?? '')?.[1];
  return {
    mode: Number.parseInt(metadata['file-permissions'] ?? '0100755', 8),
    uid: Number(metadata['file-owner'] ?? 0),
    gid: Number(metadata['file-group'] ?? 0),
    mtime: nanoseconds === undefined ? undefined : Number(nanoseconds) / 1e9,
  };
}

async function exists(file: string): Promise<boolean> {
  try {
    await lstat(file);
    return true;
  } catch {
    return false;
  }
}
