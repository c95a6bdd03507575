import { KnownFailure } from '../domain/failures.ts';

/** An offset in a list as the opaque token that callers hand back. */
export function encodeOffset(offset: number): string {
  return Buffer.from(`offset:${offset}`).toString('base64url');
}

/** The offset in a token; 0 if there is none. InvalidRequest if it is not one of ours. */
export function decodeOffset(token: string | undefined): number {
  if (token === undefined) return 0;
  const match = /^offset:(\d{1,9})$/.exec(Buffer.from(token, 'base64url').toString());
  if (!match) throw invalidPageToken();
  return Number(match[1]);
}

/** For a page token that this API did not give. */
export function invalidPageToken(): KnownFailure {
  const reason = 'is not a page token of this list';
  return new KnownFailure('InvalidRequest', `query pageToken: ${reason}`, {
    errors: [{ in: 'query', path: 'pageToken', reason }],
  });
}
