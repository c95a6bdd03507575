import { expect, it } from 'vitest';
import { clipped, counted, sentence } from './wording.ts';

it.each([
  [0, '0 jobs'],
  [1, '1 job'],
  [2, '2 jobs'],
])('%i is counted as "%s"', (count, text) => {
  expect(counted(count, 'job')).toBe(text);
});

it('cuts off a text that is too long, and shows that it did', () => {
  expect(clipped('abcdef', 6)).toBe('abcdef');
  expect(clipped('abcdefg', 6)).toBe('abcde…');
});

it.each([
  ['The stack exists', 'The stack exists.'],
  ['Asked for.', 'Asked for.'],
  ['Why?', 'Why?'],
  ['', ''],
])('%j ends as %j', (text, ended) => {
  expect(sentence(text)).toBe(ended);
});
