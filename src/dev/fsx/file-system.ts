import { randomBytes } from 'node:crypto';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { S3Client } from '@aws-sdk/client-s3';
import { parseS3Uri } from '../../domain/s3-uri.ts';
import type { FsxFaults } from './faults.ts';
import {
  type Entry,
  exportEntry,
  ExportError,
  importAll,
  type Link,
  listEntries,
  removeObject,
} from './s3-mirror.ts';

export type Lifecycle = 'CREATING' | 'AVAILABLE' | 'FAILED' | 'DELETING' | 'UPDATING' | 'MISCONFIGURED';

export interface Tag {
  readonly Key: string;
  readonly Value: string;
}

/** A data repository association. */
export interface Association {
  readonly id: string;
  readonly fileSystemId: string;
  readonly fileSystemPath: string;
  readonly dataRepositoryPath: string;
  readonly tags: readonly Tag[];
  readonly createdAt: number;
  readonly requestToken: string | undefined;
  importEvents: readonly string[];
  exportEvents: readonly string[];
  lifecycle: Lifecycle;
  failure?: string;
}

/** A data repository task. */
export interface Task {
  readonly id: string;
  readonly fileSystemId: string;
  readonly type: string;
  readonly paths: readonly string[];
  readonly reportPath: string | undefined;
  readonly createdAt: number;
  readonly requestToken: string | undefined;
  readonly tags: readonly Tag[];
  lifecycle: 'PENDING' | 'EXECUTING' | 'SUCCEEDED' | 'FAILED' | 'CANCELED';
  startedAt?: number;
  endedAt?: number;
  total: number;
  succeeded: number;
  failed: number;
  failure?: string;
}

/** `fs-`, `dra-` or `task-` and 17 hexadecimal digits, as AWS makes them. */
export function newId(prefix: string): string {
  return `${prefix}-${randomBytes(9).toString('hex').slice(0, 17)}`;
}

/** One Lustre file system: a folder of this machine, whose linked folders are copied to and from S3. */
export class LustreFileSystem {
  readonly id = newId('fs');
  readonly directory: string;
  readonly createdAt = Date.now();
  lifecycle: Lifecycle = 'CREATING';
  readonly associations = new Map<string, Association>();
  readonly #s3: S3Client;
  readonly #faults: FsxFaults;
  /** What S3 has, by association and path. */
  readonly #exported = new Map<string, Map<string, string>>();

  constructor(root: string, s3: S3Client, faults: FsxFaults) {
    this.directory = join(root, this.id);
    this.#s3 = s3;
    this.#faults = faults;
  }

  /** As FSx makes it: the root belongs to root, and nobody else writes there. */
  async create(): Promise<void> {
    await mkdir(this.directory, { recursive: true });
    await chmod(this.directory, 0o755);
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }

  linkOf({ fileSystemPath, dataRepositoryPath }: Association): Link {
    const { bucket, key: prefix } = parseS3Uri(dataRepositoryPath);
    return {
      directory: join(this.directory, fileSystemPath),
      bucket,
      prefix: prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`,
    };
  }

  /** Brings what is in S3, and takes it for exported. */
  async import(association: Association): Promise<void> {
    const link = this.linkOf(association);
    const known = this.#exportedOf(association);
    await importAll(this.#s3, link);
    for (const { path, state } of await listEntries(link)) if (!known.has(path)) known.set(path, state);
  }

  /** What S3 lacks or has otherwise. */
  async pending(association: Association): Promise<Entry[]> {
    const known = this.#exportedOf(association);
    const entries = await listEntries(this.linkOf(association));
    return entries.filter(({ path, state }) => known.get(path) !== state);
  }

  /** @returns the code of the failure, undefined when it is in S3 now. */
  async export(association: Association, { path, state }: Entry): Promise<string | undefined> {
    try {
      if (this.#faults.deniesKey(path)) throw new ExportError('S3AccessDenied');
      await exportEntry(this.#s3, this.linkOf(association), path);
      this.#exportedOf(association).set(path, state);
      return undefined;
    } catch (error) {
      return error instanceof ExportError ? error.code : 'InternalError';
    }
  }

  /** Takes from S3 what was exported and is no longer here. */
  async removeDeleted(association: Association): Promise<void> {
    const known = this.#exportedOf(association);
    const present = new Set((await listEntries(this.linkOf(association))).map(({ path }) => path));
    for (const path of [...known.keys()].filter((each) => !present.has(each))) {
      await removeObject(this.#s3, this.linkOf(association), path);
      known.delete(path);
    }
  }

  #exportedOf({ id }: Association): Map<string, string> {
    const known = this.#exported.get(id) ?? new Map<string, string>();
    this.#exported.set(id, known);
    return known;
  }
}
