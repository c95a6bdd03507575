import { posix } from 'node:path';
import {
  campaignFolder,
  contentKey,
  contentMissing,
  decodeContent,
  encodeContent,
} from '../../src/clients/campaign-store.ts';
import type { CampaignStore } from '../../src/clients/campaign-store.ts';
import { type CampaignManifest, campaignManifestSchema } from '../../src/domain/campaign-manifest.ts';

export interface MemoryCampaignStore extends CampaignStore {
  /** What is stored, by key, for tests that look at it or damage it. */
  readonly objects: Map<string, string>;
}

/** A campaign store that ends with the process. Held to the same contract as the one in S3. */
export function createMemoryCampaignStore(bucket = 'control'): MemoryCampaignStore {
  const objects = new Map<string, string>();
  return {
    objects,
    async put(tenant, content) {
      const { text, sha256 } = encodeContent(content);
      const key = contentKey(tenant, content.campaignId, sha256);
      objects.set(key, text);
      return { bucket, key, sha256 };
    },
    async get(reference) {
      const text = objects.get(reference.key);
      if (text === undefined) throw contentMissing(reference, 'does not exist');
      return decodeContent(reference, text);
    },
    async putManifest(content, manifest) {
      objects.set(`${posix.dirname(content.key)}/manifest.json`, JSON.stringify(manifest));
    },
    async getManifest(tenant, campaignId): Promise<CampaignManifest | undefined> {
      const text = objects.get(`${campaignFolder(tenant, campaignId)}/manifest.json`);
      return text === undefined ? undefined : campaignManifestSchema.parse(JSON.parse(text));
    },
  };
}
