import { describe, expect, it } from 'vitest';
import { nextSpan } from './log-limits.ts';
import type { LogLimits } from './log-limits.ts';

/** What a copy in steps of some bytes keeps, with `.` for each byte that was left out. */
function kept(text: string, limits: LogLimits, stepBytes: number): string {
  let position = 0;
  let shown = '';
  while (position < text.length) {
    const span = nextSpan(position, text.length, limits);
    const end =
      'omittedBytes' in span ? position + span.omittedBytes : Math.min(span.copyUntil, position + stepBytes);
    expect(end).toBeGreaterThan(position);
    shown += 'omittedBytes' in span ? '.'.repeat(span.omittedBytes) : text.slice(position, end);
    position = end;
  }
  return shown;
}

describe('what is kept of an output', () => {
  const limits = { headBytes: 4, tailBytes: 3 };
  it.each([
    ['', ''],
    ['abcd', 'abcd'],
    ['abcdefg', 'abcdefg'],
    ['abcdefgh', 'abcd.fgh'],
    ['abcdefghijklmnop', 'abcd.........nop'],
  ])('of %j is %j, in steps of any size', (text, expected) => {
    for (const stepBytes of [1, 2, 3, 100]) expect(kept(text, limits, stepBytes)).toBe(expected);
  });

  it.each([
    [{ headBytes: 0, tailBytes: 3 }, '.....fgh'],
    [{ headBytes: 3, tailBytes: 0 }, 'abc.....'],
    [{ headBytes: 0, tailBytes: 0 }, '........'],
  ])('with limits of %j is %j', (limits, expected) => expect(kept('abcdefgh', limits, 2)).toBe(expected));

  it('is copied on, and not cut again, by a copy that begins within the tail', () => {
    expect(nextSpan(14, 16, limits)).toEqual({ copyUntil: 16 });
  });
});
