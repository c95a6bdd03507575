import { describe, expect, it } from 'vitest';
import { campaignManifestSchema, partsOfRange, summariseManifest } from './campaign-manifest.ts';
import type { CampaignManifest, ManifestPartReference } from './campaign-manifest.ts';

function part(key: string, jobsByState: ManifestPartReference['jobsByState']): ManifestPartReference {
  const jobCount = Object.values(jobsByState).reduce((sum, count) => sum + count, 0);
  return { key, sha256: 'x', jobCount, jobsByState };
}

const parts = [
  part('a', { succeeded: 3 }),
  part('b', { succeeded: 1, cancelled: 2 }),
  part('c', { cancelled: 2 }),
];
const parted: CampaignManifest = {
  version: 2,
  campaignId: 'c',
  state: 'cancelled',
  contentSha256: 'y',
  parts,
};

describe('the manifest of a campaign', () => {
  it('of version 2 is summed up without its parts', () => {
    expect(summariseManifest(parted)).toEqual({
      state: 'cancelled',
      jobCount: 8,
      jobsByState: { succeeded: 4, cancelled: 4 },
    });
  });

  it('of version 1, as 0.1.0 wrote it, is summed up from its jobs', () => {
    const manifest = campaignManifestSchema.parse({
      version: 1,
      campaignId: 'c',
      jobs: [
        { key: 'a', state: 'failed', reason: 'Exit code 1', logsComplete: true },
        { key: 'b', state: 'cancelled', reason: 'Cancelled', logsComplete: true },
      ],
    });

    expect(summariseManifest(manifest)).toEqual({
      state: 'failed',
      jobCount: 2,
      jobsByState: { failed: 1, cancelled: 1 },
    });
  });

  it.each([
    [0, 3, ['a'], 0],
    [2, 1, ['a'], 2],
    [2, 2, ['a', 'b'], 2],
    [3, 100, ['b', 'c'], 0],
    [7, 1, ['c'], 1],
    [8, 1, [], 0],
    [0, 0, [], 0],
  ])('has the jobs from %i on, %i of them, in the parts %j', (offset, limit, keys, skip) => {
    const range = partsOfRange(parts, { offset, limit });

    expect([range.parts.map(({ key }) => key), range.skip]).toEqual([keys, skip]);
  });
});
