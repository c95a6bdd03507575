import { expect, it } from 'vitest';
import { tableHead, tableRow } from './markdown.ts';

it('a table begins with its titles', () => {
  expect(tableHead('zone', 'why not')).toEqual(['| zone | why not |', '| --- | --- |']);
});

it('a row is one line with its own cells, whatever is in them', () => {
  expect(tableRow('a', '', 'no | way\n| b |')).toBe('| a |  | no \\| way \\| b \\| |');
});
