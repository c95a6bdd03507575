import { createHash } from 'node:crypto';
import { KnownFailure } from '../domain/failures.ts';

const CHECKSUM_BYTES = 6;

/**
 * A place in a list as the opaque token that callers hand back. The checksum tells a token that was cut or made up
 * from one of ours: Temporal answers such a one with an error that could mean anything.
 */
export function encodePageToken(place: Uint8Array): string {
  return Buffer.concat([checksum(place), place]).toString('base64url');
}

/** The place in a token. InvalidRequest if it is not one of ours. */
export function decodePageToken(token: string): Buffer {
  const bytes = Buffer.from(token, 'base64url');
  const place = bytes.subarray(CHECKSUM_BYTES);
  if (!bytes.subarray(0, CHECKSUM_BYTES).equals(checksum(place))) throw invalidPageToken();
  return place;
}

function checksum(place: Uint8Array): Buffer {
  return createHash('sha256').update(place).digest().subarray(0, CHECKSUM_BYTES);
}

function invalidPageToken(): KnownFailure {
  const reason = 'is not a page token of this list';
  return new KnownFailure('InvalidRequest', `query pageToken: ${reason}`, {
    errors: [{ in: 'query', path: 'pageToken', reason }],
  });
}

/** An offset in a list as a page token. */
export function encodeOffset(offset: number): string {
  return encodePageToken(Buffer.from(String(offset)));
}

/** The offset in a page token; 0 if there is none. InvalidRequest if it is not one of ours. */
export function decodeOffset(token: string | undefined): number {
  if (token === undefined) return 0;
  const text = decodePageToken(token).toString();
  if (!/^\d{1,9}$/.test(text)) throw invalidPageToken();
  return Number(text);
}
