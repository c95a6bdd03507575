import { describe, expect, test } from 'vitest';
import { canonicalJson } from './canonical-json.ts';

describe('canonicalJson', () => {
  test('equal values have equal texts, whatever the order of their keys', () => {
    expect(canonicalJson({ b: [{ d: 1, c: 2 }], a: null })).toBe(
      canonicalJson({ a: null, b: [{ c: 2, d: 1 }] }),
    );
  });

  test('the order of a list matters', () => {
    expect(canonicalJson([1, 2])).not.toBe(canonicalJson([2, 1]));
  });

  test('it is JSON: parsing gives the value back, an absent member stays absent', () => {
    const value = { z: 'é"\n', a: [true, 1.5, { y: '', x: undefined }] };
    expect(JSON.parse(canonicalJson(value))).toEqual({ z: 'é"\n', a: [true, 1.5, { y: '' }] });
  });

  test('numeric keys and __proto__ are members like any other', () => {
    const value = JSON.parse('{"__proto__":1,"10":2,"9":3}') as unknown;
    expect(JSON.parse(canonicalJson(value))).toEqual(value);
  });
});
