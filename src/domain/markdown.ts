/** A row of a table. What somebody else has worded ends neither a cell nor the row. */
export function tableRow(...cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|')).join(' | ')} |`;
}

/** The beginning of a table. */
export function tableHead(...titles: readonly string[]): string[] {
  return [tableRow(...titles), tableRow(...titles.map(() => '---'))];
}
