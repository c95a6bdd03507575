/** Like `String.replaceAll` with a function, which gets the match itself, with typed groups. */
export function replaceMatches(
  text: string,
  pattern: RegExp,
  replacement: (match: RegExpExecArray) => string,
): string {
  let replaced = '';
  let position = 0;
  for (const match of text.matchAll(pattern)) {
    replaced += text.slice(position, match.index) + replacement(match);
    position = match.index + match[0].length;
  }
  return replaced + text.slice(position);
}
