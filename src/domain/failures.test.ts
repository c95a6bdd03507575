import { describe, expect, it, test } from 'vitest';
import { failureOf, failures, isFailureType, KnownFailure, unexpectedFailure } from './failures.ts';

const types = Object.keys(failures).filter(isFailureType);

describe.each(types.map((type) => [type, failures[type]] as const))('%s', (type, entry) => {
  it('says in words that stand alone what it is and what to do', () => {
    expect(entry.title).toMatch(/^[A-Z].{10,}[^.]$/);
    expect(entry.nextStep).toMatch(/^[A-Z].{10,}\.$/);
  });

  it('has the status of an error', () => {
    expect(entry.httpStatus).toBeGreaterThanOrEqual(400);
    expect(entry.httpStatus).toBeLessThan(600);
  });

  it('is retryable only if it is not the caller’s doing', () => {
    expect(entry.httpStatus < 500 && entry.retryable).toBe(false);
  });

  it('is stored with its next step', () => {
    expect(failureOf(type, 'what happened')).toEqual({
      type,
      message: 'what happened',
      nextStep: entry.nextStep,
    });
  });
});

test('no two failures are called the same', () => {
  expect(new Set(types.map((type) => failures[type].title)).size).toBe(types.length);
});

test.each([['Unexpected'], ['toString'], ['__proto__'], [''], [undefined], [null], [5], [{}]])(
  '%j is not on the list',
  (type) => {
    expect(isFailureType(type)).toBe(false);
  },
);

test('a known failure carries its type, its message and details', () => {
  const failure = new KnownFailure('JobRejected', 'no such account', { jobKey: 'a' });
  expect(failure).toBeInstanceOf(Error);
  expect(failure).toMatchObject({
    name: 'KnownFailure',
    type: 'JobRejected',
    message: 'no such account',
    details: { jobKey: 'a' },
  });
  expect(new KnownFailure('JobRejected', '').details).toEqual({});
});

test('an unexpected failure has a next step too', () => {
  expect(unexpectedFailure('x is undefined')).toMatchObject({
    type: 'Unexpected',
    message: 'x is undefined',
    nextStep: expect.stringMatching(/^Open this workflow .*\.$/),
  });
});
