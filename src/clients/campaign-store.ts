import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { countByState } from '../domain/campaign.ts';
import {
  type CampaignManifest,
  campaignManifestSchema,
  type ManifestPartReference,
  manifestPartSchema,
} from '../domain/campaign-manifest.ts';
import type { JobView } from '../domain/campaign-view.ts';
import { canonicalJson } from '../domain/canonical-json.ts';
import { KnownFailure } from '../domain/failures.ts';
import type { Tenant } from '../domain/ids.ts';
import { campaignContentSchema } from '../domain/job.ts';
import type { CampaignContent, CampaignContentReference } from '../domain/job.ts';
import { type ControlBucket, readObject, writeObject } from './control-bucket.ts';

/** Keeps what is too big, or too private, for workflow history. */
export interface CampaignStore {
  /** Stores the content. Equal contents get equal references, and nothing stored before is ever overwritten. */
  put(tenant: Tenant, content: CampaignContent): Promise<CampaignContentReference>;
  /** The content of a reference. CampaignContentMissing if it is gone or its hash is another. */
  get(reference: CampaignContentReference): Promise<CampaignContent>;
  /**
   * Stores some of a campaign's jobs for its manifest, which takes the reference up. Equal parts get equal references,
   * and nothing stored before is ever overwritten.
   */
  putManifestPart(
    content: CampaignContentReference,
    part: number,
    jobs: readonly JobView[],
  ): Promise<ManifestPartReference>;
  /** Where the content with this hash is, or was. */
  reference(tenant: Tenant, campaignId: string, sha256: string): CampaignContentReference;
  /** The jobs of a part. CampaignContentMissing if it is gone or its hash is another. */
  getManifestPart(part: ManifestPartReference): Promise<JobView[]>;
  /** Stores how the campaign ended, beside its content, replacing an earlier manifest. */
  putManifest(content: CampaignContentReference, manifest: CampaignManifest): Promise<void>;
  /** How the campaign ended, or undefined if that was never written. */
  getManifest(tenant: Tenant, campaignId: string): Promise<CampaignManifest | undefined>;
}

/** Text and hash of a content: what a store keeps and what its reference says. */
export function encodeContent(content: CampaignContent): { readonly text: string; readonly sha256: string } {
  const text = canonicalJson(content);
  return { text, sha256: sha256(text) };
}

/**
 * The content of a stored text. CampaignContentMissing if the text is not the one that the reference was made for:
 * a changed script must never run.
 */
export function decodeContent(reference: CampaignContentReference, text: string): CampaignContent {
  if (sha256(text) !== reference.sha256) {
    throw contentMissing(reference, 'was changed after the campaign was accepted');
  }
  return campaignContentSchema.parse(JSON.parse(text));
}

export function contentMissing(
  reference: Pick<CampaignContentReference, 'bucket' | 'key'>,
  what: string,
): KnownFailure {
  const location = `s3://${reference.bucket}/${reference.key}`;
  return new KnownFailure('CampaignContentMissing', `${location} ${what}`, { location });
}

/**
 * Where the content lies. The hash is part of the key: another body sent with the same `Idempotency-Key` cannot
 * overwrite the content of a running campaign, and the campaign itself decides which one is its own.
 */
export function contentKey(tenant: Tenant, campaignId: string, contentSha256: string): string {
  return `${campaignFolder(tenant, campaignId)}/content-${contentSha256}.json`;
}

/** Key prefix of everything that is kept of a campaign. */
export function campaignFolder({ virtualLabId, projectId }: Tenant, campaignId: string): string {
  return `campaigns/${virtualLabId}/${projectId}/${campaignId}`;
}

/** Where the manifest of the campaign with this content lies. */
export function manifestKey(content: Pick<CampaignContentReference, 'key'>): string {
  return manifestIn(posix.dirname(content.key));
}

/** Where the manifest lies in the folder of a campaign. */
export function manifestIn(folder: string): string {
  return `${folder}/manifest.json`;
}

/** Text and reference of a part of a manifest. Its hash is part of the key, as with contents. */
export function encodeManifestPart(
  content: Pick<CampaignContentReference, 'key'>,
  part: number,
  jobs: readonly JobView[],
): { readonly text: string; readonly reference: ManifestPartReference } {
  const text = canonicalJson({ version: 1, jobs });
  const hash = sha256(text);
  const key = `${posix.dirname(content.key)}/manifest-${part}-${hash}.json`;
  return { text, reference: { key, sha256: hash, jobCount: jobs.length, jobsByState: countByState(jobs) } };
}

/** The jobs in the stored text of a part. CampaignContentMissing if it is not the text that was stored. */
export function decodeManifestPart(
  part: ManifestPartReference,
  bucket: string,
  text: string | undefined,
): JobView[] {
  if (text === undefined) throw contentMissing({ bucket, key: part.key }, 'does not exist');
  if (sha256(text) !== part.sha256) {
    throw contentMissing({ bucket, key: part.key }, 'was changed after the campaign ended');
  }
  return manifestPartSchema.parse(JSON.parse(text)).jobs;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The store in the control bucket, encrypted at rest. */
export function createS3CampaignStore(control: ControlBucket): CampaignStore {
  const { s3, bucket } = control;
  const write = async (key: string, text: string) => writeObject(control, key, text);

  return {
    async put(tenant, content) {
      const { text, sha256 } = encodeContent(content);
      const key = contentKey(tenant, content.campaignId, sha256);
      await write(key, text);
      return { bucket, key, sha256 };
    },

    reference: (tenant, campaignId, sha256) => ({
      bucket,
      key: contentKey(tenant, campaignId, sha256),
      sha256,
    }),

    async get(reference) {
      const text = await readObject({ s3, bucket: reference.bucket }, reference.key);
      if (text === undefined) throw contentMissing(reference, 'does not exist');
      return decodeContent(reference, text);
    },

    async putManifestPart(content, part, jobs) {
      const { text, reference } = encodeManifestPart(content, part, jobs);
      await write(reference.key, text);
      return reference;
    },

    getManifestPart: async (part) => decodeManifestPart(part, bucket, await readObject(control, part.key)),

    async putManifest(content, manifest) {
      await write(manifestKey(content), canonicalJson(manifest));
    },

    async getManifest(tenant, campaignId) {
      const text = await readObject(control, manifestIn(campaignFolder(tenant, campaignId)));
      return text === undefined ? undefined : campaignManifestSchema.parse(JSON.parse(text));
    },
  };
}
