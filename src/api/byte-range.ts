import { KnownFailure } from '../domain/failures.ts';

/** What a `Range` header asks for: from a byte to another one (inclusive) or to the end, or so many of the last. */
export type ByteRange = { readonly first: number; readonly last?: number } | { readonly suffixBytes: number };

/** RFC 9110, section 14.1.2. More digits than this are no place in a log. */
const RANGE = /^(?:(\d{1,15})-(\d{1,15})?|-(\d{1,15}))$/;

/**
 * The range in a header; undefined if the header is to be ignored, because it is absent or of another unit (RFC 9110,
 * section 14.2). InvalidRequest for one that is malformed, and for several at a time.
 */
export function parseRange(header: string | undefined): ByteRange | undefined {
  const [, unit, ranges] = /^([^=]+)=(.*)$/s.exec(header ?? '') ?? [];
  if (header === undefined || (unit !== undefined && unit.toLowerCase() !== 'bytes')) return undefined;
  if (ranges?.includes(',')) throw invalidRange('asks for several ranges: ask for them one by one');
  const match = RANGE.exec(ranges ?? '');
  if (!match) throw invalidRange('must be `bytes=a-b`, `bytes=a-` or `bytes=-n`');
  const [, first, last, suffix] = match;
  if (suffix !== undefined) return { suffixBytes: Number(suffix) };
  const range = { first: Number(first), ...(last !== undefined && { last: Number(last) }) };
  if (range.last !== undefined && range.last < range.first) throw invalidRange('ends before it begins');
  return range;
}

function invalidRange(reason: string): KnownFailure {
  return new KnownFailure('InvalidRequest', `header Range: ${reason}`, {
    errors: [{ in: 'header', path: 'Range', reason }],
  });
}
