import { describe, expect, it } from 'vitest';
import { campaignIdSchema } from '../domain/ids.ts';
import { campaignIdFor } from './campaign-id.ts';

const KEY = 'campaign-2026-01-15';
const tenant = { virtualLabId: 'lab-1', projectId: 'project-1' };
const other = { virtualLabId: 'lab-2', projectId: 'project-1' };

describe('campaignIdFor', () => {
  it('is a campaign id, the same for the same tenant and key only', () => {
    const ids = [
      campaignIdFor(tenant, KEY),
      campaignIdFor(other, KEY),
      campaignIdFor(tenant, `${KEY}.`),
      campaignIdFor({ virtualLabId: 'lab', projectId: '1-project-1' }, KEY),
      campaignIdFor({ virtualLabId: 'lab-1-project', projectId: '1' }, KEY),
    ];

    expect(ids.map((each) => campaignIdSchema.safeParse(each).success)).toEqual(ids.map(() => true));
    expect(new Set(ids).size).toBe(ids.length);
    expect(campaignIdFor({ ...tenant }, KEY)).toBe(ids[0]);
  });

  it('is the beginning of the RFC 4648 base 32 of the SHA-256', () => {
    // printf 'lab-1\nproject-1\nk' | openssl dgst -sha256 -binary | base32 | tr A-Z a-z | cut -c1-26
    expect(campaignIdFor(tenant, 'k')).toBe('ngkoyvx47plsi3aamgyq5uto5a');
  });
});
