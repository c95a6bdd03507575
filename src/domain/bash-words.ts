import { replaceMatches } from './replace-matches.ts';
import { shellQuote } from './shell-quote.ts';

/** Parts of a word: in single quotes, in `$'…'`, an escaped single quote, or plain. */
const PART = /'(?<single>[^']*)'|\$'(?<ansi>(?:\\[\s\S]|[^'\\])*)'|\\(?<escaped>')|(?<plain>[^\s'"\\$]+)/y;

const escapes: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  e: '\u001B',
  E: '\u001B',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

const ESCAPE =
  /\\(?:x(?<hex>[0-9a-fA-F]{1,2})|[uU](?<unicode>[0-9a-fA-F]{4,8})|(?<octal>[0-7]{1,3})|(?<character>[\s\S]))/g;

/** What a word stands for that bash quoted itself (`${name@Q}`); undefined for any other text. */
export function readBashWord(word: string): string | undefined {
  PART.lastIndex = 0;
  let text = '';
  while (PART.lastIndex < word.length) {
    const groups = PART.exec(word)?.groups;
    if (!groups) return undefined;
    const { single, ansi, escaped, plain } = groups;
    text += single ?? escaped ?? plain ?? unescape(ansi ?? '');
  }
  return text;
}

function unescape(text: string): string {
  return replaceMatches(text, ESCAPE, ({ groups = {} }) => {
    const { hex, unicode, octal, character = '' } = groups;
    const code = hex ?? unicode;
    if (code !== undefined) return String.fromCodePoint(Math.min(Number.parseInt(code, 16), 0x10_ff_ff));
    if (octal !== undefined) return String.fromCodePoint(Number.parseInt(octal, 8));
    return escapes[character] ?? character;
  });
}

/** A word for a text, on one line, as bash writes it. */
export function writeBashWord(text: string): string {
  if (!/\p{Cc}/u.test(text)) return shellQuote(text);
  const escaped = text.replaceAll(/[\\'\p{Cc}]/gu, (character) => {
    if (character === '\\' || character === "'") return `\\${character}`;
    if (character === '\n') return String.raw`\n`;
    if (character === '\t') return String.raw`\t`;
    return `\\${(character.codePointAt(0) ?? 0).toString(8).padStart(3, '0')}`;
  });
  return `$'${escaped}'`;
}
