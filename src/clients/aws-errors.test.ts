import { describe, expect, test } from 'vitest';
import {
  accessDeniedFailure,
  isAccessDenied,
  isAlreadyExists,
  isInvalidStackRequest,
  isNotFound,
  isStackNotFound,
} from './aws-errors.ts';

function named(name: string, message = 'x'): Error {
  return Object.assign(new Error(message), { name });
}

describe('AWS error names', () => {
  test('each service says in its own way that a thing does not exist', () => {
    expect(
      ['InvalidKeyPair.NotFound', 'ResourceNotFoundException', 'NoSuchKey'].every((n) =>
        isNotFound(named(n)),
      ),
    ).toBe(true);
  });

  test('a missing bucket is a broken installation, not a missing object', () => {
    expect(isNotFound(named('NoSuchBucket'))).toBe(false);
  });

  test('the message of an error alone decides nothing', () => {
    const misleading = named('InternalError', 'ResourceNotFoundException AccessDenied does not exist');
    expect(isNotFound(misleading)).toBe(false);
    expect(isAccessDenied(misleading)).toBe(false);
    expect(isStackNotFound(misleading)).toBe(false);
  });

  test('only a ValidationError that says so means that a stack is gone', () => {
    expect(isStackNotFound(named('ValidationError', 'Stack with id x does not exist'))).toBe(true);
    expect(isStackNotFound(named('ValidationError', 'Template format error'))).toBe(false);
    expect(isInvalidStackRequest(named('ValidationError', 'Template format error'))).toBe(true);
  });

  test('what is not an error matches nothing', () => {
    expect(isNotFound('ResourceNotFoundException')).toBe(false);
    expect(isAlreadyExists(undefined)).toBe(false);
  });

  test('a denied call is named, and a long encoded statement is cut', () => {
    const failure = accessDeniedFailure(
      'ec2:CreateKeyPair',
      named('UnauthorizedOperation', 'e'.repeat(5000)),
    );
    expect(failure.type).toBe('AwsAccessDenied');
    expect(failure.message).toContain('ec2:CreateKeyPair');
    expect(failure.message.length).toBeLessThan(600);
  });
});
