import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { failures, KnownFailure } from '../domain/failures.ts';
import { knownToApplicationFailure, translateFailures } from './failure.ts';

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.unreachable('the activity should have failed'),
    (error: unknown) => error,
  );
}

describe('knownToApplicationFailure', () => {
  it('carries type, cause and next step, and lets a retryable failure be retried', () => {
    const failure = knownToApplicationFailure(
      new KnownFailure('SlurmUnavailable', 'squeue: connection refused', { address: '10.0.0.1' }),
    );

    expect(failure).toMatchObject({
      type: 'SlurmUnavailable',
      message: 'squeue: connection refused',
      nonRetryable: false,
    });
    expect(failure.details).toEqual([{ address: '10.0.0.1', nextStep: failures.SlurmUnavailable.nextStep }]);
  });

  it('forbids repeating what cannot succeed', () => {
    expect(knownToApplicationFailure(new KnownFailure('HostKeyMismatch', 'other key')).nonRetryable).toBe(
      true,
    );
  });

  it('marks waiting for a cluster as benign, and nothing else', () => {
    expect(knownToApplicationFailure(new KnownFailure('ClusterNotReady', 'no sshd yet')).category).toBe(
      'BENIGN',
    );
    expect(knownToApplicationFailure(new KnownFailure('SlurmUnavailable', 'down')).category).toBeUndefined();
  });
});

describe('translateFailures', () => {
  const bug = new TypeError('undefined is not a function');
  const activities = translateFailures({
    add: async (a: number, b: number) => Promise.resolve(a + b),
    known: async () => Promise.reject(new KnownFailure('SlurmUnavailable', 'down')),
    bug: async () => Promise.reject(bug),
  });

  it('is enumerable, as a worker registers it', () => {
    expect(Object.keys(activities)).toEqual(['add', 'known', 'bug']);
  });

  it('returns what the activity returns', async () => {
    await expect(activities.add(1, 2)).resolves.toBe(3);
  });

  it('translates a known failure', async () => {
    expect(await failureOf(activities.known())).toBeInstanceOf(ApplicationFailure);
  });

  it('leaves a bug as it is', async () => {
    expect(await failureOf(activities.bug())).toBe(bug);
  });
});
