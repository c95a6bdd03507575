import {
  campaignFolder,
  contentKey,
  contentMissing,
  decodeContent,
  decodeManifestPart,
  encodeContent,
  encodeManifestPart,
  manifestIn,
  manifestKey,
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
    reference: (tenant, campaignId, sha256) => ({
      bucket,
      key: contentKey(tenant, campaignId, sha256),
      sha256,
    }),
    async get(reference) {
      const text = objects.get(reference.key);
      if (text === undefined) throw contentMissing(reference, 'does not exist');
      return decodeContent(reference, text);
    },
    async putManifestPart(content, part, jobs) {
      const { text, reference } = encodeManifestPart(content, part, jobs);
      objects.set(reference.key, text);
      return reference;
    },
    getManifestPart: async (part) => decodeManifestPart(part, bucket, objects.get(part.key)),
    async putManifest(content, manifest) {
      objects.set(manifestKey(content), JSON.stringify(manifest));
    },
    async getManifest(tenant, campaignId): Promise<CampaignManifest | undefined> {
      const text = objects.get(manifestIn(campaignFolder(tenant, campaignId)));
      return text === undefined ? undefined : campaignManifestSchema.parse(JSON.parse(text));
    },
  };
}
