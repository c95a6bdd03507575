import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { canonicalJson } from '../domain/canonical-json.ts';
import type { Tenant } from '../domain/ids.ts';
import { type UsageFile, usageFileSchema } from '../domain/usage-file.ts';
import { type ControlBucket, readObject, writeObject } from './control-bucket.ts';

/** An epoch whose usage is stored, without reading it. */
export interface StoredUsage {
  readonly epoch: string;
  /** When it was written last: nothing in it is later. */
  readonly writtenAt: Date;
  readonly sizeBytes: number;
}

/** What each epoch of a tenant used, for as long as the bucket keeps it: clusters and workflows come and go. */
export interface UsageStore {
  /** Stores the usage of an epoch, replacing what was stored before. */
  put(tenant: Tenant, usage: UsageFile): Promise<void>;
  /** The usage of an epoch, or undefined if none was ever stored. */
  get(tenant: Tenant, epoch: string): Promise<UsageFile | undefined>;
  /**
   * Epochs of the tenant with usage, the oldest first: at most `limit` (1,000 or fewer) of those after the given one.
   * Fewer than `limit` are the last.
   */
  list(tenant: Tenant, page: { readonly after?: string; readonly limit: number }): Promise<StoredUsage[]>;
}

/** Key prefix of a tenant's usage. Ids of tenants hold no slash, so none is the beginning of another. */
export function usageFolder({ virtualLabId, projectId }: Tenant): string {
  return `usage/${virtualLabId}/${projectId}/`;
}

/** Where the usage of an epoch lies. */
export function usageKey(tenant: Tenant, epoch: string): string {
  return `${usageFolder(tenant)}${epoch}.json`;
}

/** The store in the control bucket. */
export function createS3UsageStore(control: ControlBucket): UsageStore {
  return {
    async put(tenant, usage) {
      await writeObject(control, usageKey(tenant, usage.epoch), canonicalJson(usage));
    },

    async get(tenant, epoch) {
      const text = await readObject(control, usageKey(tenant, epoch));
      return text === undefined ? undefined : usageFileSchema.parse(JSON.parse(text));
    },

    async list(tenant, { after, limit }) {
      // S3 lists in the order of the keys, and epochs sort by time.
      const { Contents = [] } = await control.s3.send(
        new ListObjectsV2Command({
          Bucket: control.bucket,
          Prefix: usageFolder(tenant),
          MaxKeys: limit,
          ...(after !== undefined && { StartAfter: usageKey(tenant, after) }),
        }),
      );
      return Contents.map(({ Key = '', LastModified = new Date(), Size = 0 }) => ({
        epoch: epochOf(tenant, Key),
        writtenAt: LastModified,
        sizeBytes: Size,
      }));
    },
  };
}

function epochOf(tenant: Tenant, key: string): string {
  return key.slice(usageFolder(tenant).length, -'.json'.length);
}
