/** A value with the names that lead to it. */
interface Place {
  readonly value: unknown;
  readonly name?: PropertyKey;
  readonly parent?: Place;
}

/**
 * The path of a name that no body may have, because what copies objects could change the prototype of all of them:
 * `__proto__`, and `prototype` in a `constructor` (as `secure-json-parse` refuses them). Undefined when there is none.
 */
export function forbiddenName(body: unknown): readonly PropertyKey[] | undefined {
  // Without recursion: a body can be nested as deeply as it is long.
  const open: Place[] = [{ value: body }];
  for (let parent = open.pop(); parent !== undefined; parent = open.pop()) {
    const { value, name: parentName } = parent;
    if (typeof value !== 'object' || value === null) continue;
    for (const [key, child] of Object.entries(value)) {
      const name = Array.isArray(value) ? Number(key) : key;
      const place: Place = { value: child, name, parent };
      if (name === '__proto__' || (name === 'prototype' && parentName === 'constructor'))
        return pathOf(place);
      open.push(place);
    }
  }
  return undefined;
}

function pathOf(place: Place): readonly PropertyKey[] {
  const path: PropertyKey[] = [];
  for (let at: Place | undefined = place; at?.name !== undefined; at = at.parent) path.unshift(at.name);
  return path;
}
