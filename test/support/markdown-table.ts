/** The rows of the table whose first line is this, as cells without surrounding blanks. */
export function cellsAfter(text: string, header: string): string[][] {
  const [, rest] = text.split(`\n${header}\n`);
  if (rest === undefined) throw new Error(`no table begins with ${header}`);
  const rows: string[][] = [];
  for (const line of rest.split('\n').slice(1)) {
    if (!line.startsWith('|')) break;
    rows.push(
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  }
  return rows;
}
