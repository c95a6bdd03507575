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
  // Without a prototype, so that a member called `__proto__` is a member like any other.
  const result = Object.create(null) as Record<string, unknown>;
  for (const key of Object.keys(object).toSorted()) result[key] = object[key];
  return result;
}
