/** How much of one output of a job is kept. Over both together, what lies between head and tail is left out. */
export interface LogLimits {
  readonly headBytes: number;
  readonly tailBytes: number;
}

/** What a copy does next at a place in an output: leave bytes out, or copy up to a place. */
export type NextSpan = { readonly omittedBytes: number } | { readonly copyUntil: number };

/**
 * What follows at `position` of an output that has ended with `sizeBytes` bytes. Depends on nothing else, so that a
 * copy that dies anywhere is continued by another as it would have gone on itself.
 */
export function nextSpan(position: number, sizeBytes: number, { headBytes, tailBytes }: LogLimits): NextSpan {
  if (position < headBytes) {
    return { copyUntil: sizeBytes <= headBytes + tailBytes ? sizeBytes : headBytes };
  }
  const omittedBytes = sizeBytes - tailBytes - position;
  return omittedBytes > 0 ? { omittedBytes } : { copyUntil: sizeBytes };
}
