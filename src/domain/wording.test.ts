import { expect, it } from 'vitest';
import { counted } from './wording.ts';

it.each([
  [0, '0 jobs'],
  [1, '1 job'],
  [2, '2 jobs'],
])('%i is counted as "%s"', (count, text) => {
  expect(counted(count, 'job')).toBe(text);
});
