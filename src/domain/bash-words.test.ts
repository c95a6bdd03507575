import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { readBashWord, writeBashWord } from './bash-words.ts';

const texts = [
  '',
  'plain',
  `it's "quoted" \\ $HOME \`x\``,
  'two\nlines\tand a tab\r',
  `quote ' and\nbreak`,
  '\u0001\u001B[0m\u007F',
  'é 日本 \u{1F600}',
  '-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n',
];

/** How bash quotes a text, and what it takes a word for. */
const byBash = (text: string) =>
  execFileSync('bash', ['--norc', '-c', 'printf %s "${1@Q}"', 'bash', text], {
    env: { LC_ALL: 'C.UTF-8' },
  }).toString();
const readByBash = (word: string) =>
  execFileSync('bash', ['--norc', '-c', `printf %s ${word}`], { env: { LC_ALL: 'C.UTF-8' } }).toString();

describe('words of bash', () => {
  it.each(texts)('are read as bash wrote them: %j', (text) => {
    expect(readBashWord(byBash(text))).toBe(text);
  });

  it.each(texts)('are written so that bash reads them: %j', (text) => {
    const word = writeBashWord(text);
    expect(word).not.toContain('\n');
    expect(readByBash(word)).toBe(text);
  });

  it.each([`'open`, `"double"`, 'two words', '$HOME', `$'open`])(
    'are not what bash never wrote: %j',
    (text) => {
      expect(readBashWord(text)).toBeUndefined();
    },
  );
});
