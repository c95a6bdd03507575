/**
 * One word of a POSIX shell that stands for exactly `text`: single quotes switch every special character off, and a
 * single quote itself is written outside them. `text` must not contain NUL, which no shell word can hold.
 */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
