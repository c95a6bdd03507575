/** A number and its noun, in the singular for one: `1 job`, `0 jobs`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
