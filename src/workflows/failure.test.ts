import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { failures } from '../domain/failures.ts';
import { failureFrom, rejection } from './failure.ts';

function activityFailure(cause: Error): ActivityFailure {
  return new ActivityFailure('Activity task failed', 'createStack', '1', 'TIMEOUT', undefined, cause);
}

function timeout(cause?: Error): TimeoutFailure {
  const failure = new TimeoutFailure('Activity task timed out', undefined, 'SCHEDULE_TO_CLOSE');
  return Object.assign(failure, { cause });
}

function known(type: string, message: string, cause?: Error): ApplicationFailure {
  return ApplicationFailure.create({ type, message, ...(cause && { cause }) });
}

describe('the failure that an error means', () => {
  it.each<[string, unknown, string, string]>([
    [
      'a failure of the list, inside that of its activity',
      activityFailure(known('StackCreateFailed', 'no capacity')),
      'StackCreateFailed',
      'no capacity',
    ],
    [
      'the innermost of several',
      activityFailure(known('ClusterNotReady', 'not yet', known('HostKeyMismatch', 'another key'))),
      'HostKeyMismatch',
      'another key',
    ],
    [
      'the last one of the list that a timeout hides',
      activityFailure(timeout(known('ClusterNotReady', 'slurmctld is down'))),
      'ClusterNotReady',
      'slurmctld is down',
    ],
    [
      'a timeout, with the activity and the last error that it hides',
      activityFailure(timeout(known('TypeError', 'x is undefined'))),
      'ProvisioningTimedOut',
      'createStack: x is undefined',
    ],
    [
      'a timeout that hides nothing',
      activityFailure(timeout()),
      'ProvisioningTimedOut',
      'createStack: Activity task timed out',
    ],
    [
      'something that is on no list',
      activityFailure(known('TypeError', 'x is undefined')),
      'Unexpected',
      'createStack: x is undefined',
    ],
    [
      'a bug in the workflow itself',
      new RangeError('Invalid time value'),
      'Unexpected',
      'Invalid time value',
    ],
    ['what is no error at all', 'text', 'Unexpected', 'text'],
    ['nothing', undefined, 'Unexpected', 'undefined'],
  ])('is %s', (_, error, type, message) => {
    expect(failureFrom(error)).toMatchObject({ type, message, nextStep: expect.stringMatching(/\.$/) });
  });

  it('names a timeout after the phase in which it struck', () => {
    const error = activityFailure(timeout());
    expect(failureFrom(error, 'TeardownTimedOut').nextStep).toBe(failures.TeardownTimedOut.nextStep);
  });

  it('is found although the causes go round in a circle', () => {
    const error = new Error('outer');
    error.cause = error;
    expect(failureFrom(error)).toMatchObject({ type: 'Unexpected', message: 'outer' });
  });
});

describe('a refusal', () => {
  it('is not retried and carries its next step and what the caller should see', () => {
    const refusal = rejection('ClusterSpecConflict', 'other values', { differences: [1] });
    expect(refusal).toBeInstanceOf(ApplicationFailure);
    expect(refusal).toMatchObject({
      type: 'ClusterSpecConflict',
      message: 'other values',
      nonRetryable: true,
      details: [{ nextStep: failures.ClusterSpecConflict.nextStep, differences: [1] }],
    });
  });
});
