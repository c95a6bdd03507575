import { createHash } from 'node:crypto';
import type { Tenant } from '../domain/ids.ts';

/** RFC 4648, section 6, in lower case. */
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
const CAMPAIGN_ID_CHARACTERS = 26;

/**
 * The id of the campaign that a tenant submits under an `Idempotency-Key`: the first 130 bits of the SHA-256 of
 * both, in base 32. The ids of a tenant hold no line break, so no two pairs hash the same text.
 */
export function campaignIdFor({ virtualLabId, projectId }: Tenant, idempotencyKey: string): string {
  const hash = createHash('sha256').update(`${virtualLabId}\n${projectId}\n${idempotencyKey}`).digest('hex');
  let bits = BigInt(`0x${hash}`) >> BigInt(256 - CAMPAIGN_ID_CHARACTERS * 5);
  let id = '';
  for (let i = 0; i < CAMPAIGN_ID_CHARACTERS; i++) {
    id = BASE32.charAt(Number(bits & 31n)) + id;
    bits >>= 5n;
  }
  return id;
}
