import { z } from 'zod';
import type { Tenant } from './ids.ts';

/**
 * A scratch file system of a cluster's own: Amazon FSx for Lustre, deployment type PERSISTENT_2 on SSD, linked to S3.
 * Sizes and throughputs are those that FSx has (CreateFileSystem, `StorageCapacity` and `PerUnitStorageThroughput`).
 */
export const lustreSpecSchema = z.strictObject({
  /** 1200 or a multiple of 2400. */
  sizeGibibytes: z
    .int()
    .min(1200)
    .max(240_000)
    .refine((size) => size === 1200 || size % 2400 === 0, 'must be 1200 or a multiple of 2400')
    .default(1200),
  throughputMegabytesPerSecondPerTebibyte: z
    .union([z.literal(125), z.literal(250), z.literal(500), z.literal(1000)])
    .default(250),
});

export type LustreSpec = z.output<typeof lustreSpecSchema>;

/** Where every node of a cluster mounts its storage. ParallelCluster mounts instance-store drives at `/scratch`. */
export const STORAGE_MOUNT_PATH = '/data';

/** What is below it, whatever lies behind it. */
export const storagePaths = {
  scratch: '/scratch',
  projectPublic: '/project/public',
  projectPrivate: '/project/private',
} as const;

/** Where the job user may write. */
export const writablePaths = [storagePaths.scratch, storagePaths.projectPrivate].map(
  (path) => STORAGE_MOUNT_PATH + path,
);

/** The buckets whose contents clusters see. */
export interface StorageBuckets {
  /** Each tenant has a prefix of its own in it. */
  readonly scratch: string;
  /** Seen by every tenant, written by none. */
  readonly projectPublic: string;
  /** Each tenant has a prefix of its own in it. */
  readonly projectPrivate: string;
}

/** An existing Lustre file system as a cluster is to use it. */
export interface LustreFileSystem {
  readonly fileSystemId: string;
}

/** A link between a path of the file system and a prefix in S3 (FSx: data repository association, DRA). */
export interface DataRepository {
  /** Unique in the file system. */
  readonly name: 'scratch' | 'project-public' | 'project-private';
  /** In the file system, from its root on. */
  readonly fileSystemPath: string;
  readonly dataRepositoryPath: `s3://${string}`;
  /** What changes in the file system is written to S3; what is there, S3 has, too, once it is exported. */
  readonly isExported: boolean;
}

/** The prefix of a tenant in the buckets that hold something of all tenants: a path of two ids, so none contains another. */
export function tenantPrefix({ virtualLabId, projectId }: Tenant): string {
  return `${virtualLabId}/${projectId}/`;
}

/**
 * The links of a tenant's file system, in the order in which they are made. FSx makes one at a time and has room for
 * eight (FSx quotas); no path may contain another.
 */
export function dataRepositories(tenant: Tenant, buckets: StorageBuckets): readonly DataRepository[] {
  const prefix = tenantPrefix(tenant);
  return [
    {
      name: 'scratch',
      fileSystemPath: storagePaths.scratch,
      dataRepositoryPath: `s3://${buckets.scratch}/${prefix}`,
      isExported: true,
    },
    {
      name: 'project-public',
      fileSystemPath: storagePaths.projectPublic,
      dataRepositoryPath: `s3://${buckets.projectPublic}/`,
      isExported: false,
    },
    {
      name: 'project-private',
      fileSystemPath: storagePaths.projectPrivate,
      dataRepositoryPath: `s3://${buckets.projectPrivate}/${prefix}`,
      isExported: true,
    },
  ];
}

/** Addresses of a subnet that a file system takes: FSx has one interface for the metadata server and one for each file server, which has 1.2 or 2.4 TiB; the more is counted. */
export function lustreInterfaces(sizeGibibytes: number | undefined): number {
  return sizeGibibytes === undefined ? 0 : 1 + Math.ceil(sizeGibibytes / 1200);
}
