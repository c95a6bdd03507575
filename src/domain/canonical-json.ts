/**
 * JSON in which equal values have equal texts: keys sorted, no white space, undefined members left out. For
 * hashing. Only for plain JSON data.
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) => (isPlainObject(member) ? sorted(member) : member));
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function sorted(object: Record<string, unknown>): Record<string, unknown> {
  const members = Object.entries(object).toSorted(([a], [b]) => (a < b ? -1 : 1));
  // `fromEntries` defines members, so that one called `__proto__` is a member like any other.
  return Object.fromEntries(members);
}
