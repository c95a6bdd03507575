import { describe, expect, it, test } from 'vitest';
import { FakeWorld } from '../../test/fakes/fake-world.ts';
import { activityOptions } from './activity-options.ts';
import { activityBounds } from './policies.ts';

const SECONDS: Readonly<Record<string, number>> = { s: 1, min: 60, h: 3600, d: 86_400 };

function seconds(duration: string): number {
  const [, count, unit] = /^(\d+) (s|min|h|d)$/.exec(duration) ?? [];
  return Number(count) * (SECONDS[unit ?? ''] ?? Number.NaN);
}

describe.each(Object.entries(activityBounds))('%s', (_, bounds) => {
  const attempt = seconds(bounds.startToClose);
  const total = seconds(bounds.scheduleToClose);

  it('says what it does and why its bounds are what they are', () => {
    expect(bounds.summary).toMatch(/^[A-Z].{5,60}[^.]$/);
    expect(bounds.why).toMatch(/^[A-Z].{10,}\.$/);
  });

  it('has a bound on one attempt, and one on all of them that is no shorter', () => {
    expect(attempt).toBeGreaterThan(0);
    expect(total).toBeGreaterThanOrEqual(attempt);
    expect(total).toBeLessThan(Number.POSITIVE_INFINITY);
  });

  it('heartbeats if an attempt may be long, several times before that is over', () => {
    const silence = bounds.heartbeat ? seconds(bounds.heartbeat) : undefined;
    expect(silence !== undefined || attempt <= 120).toBe(true);
    expect((silence ?? 0) * 2).toBeLessThan(attempt);
  });

  it('is repeated with growing pauses that leave room for repetitions', () => {
    const { initialSeconds, maximumSeconds, attempts } = bounds.retry;
    expect(initialSeconds).toBeGreaterThanOrEqual(1);
    expect(maximumSeconds).toBeGreaterThanOrEqual(initialSeconds);
    expect(maximumSeconds).toBeLessThan(total);
    expect(attempts ?? 2).toBeGreaterThanOrEqual(2);
  });
});

test('every activity of the port has its bounds, and nothing else has', () => {
  const lease = {
    acquireSubnet: () => Promise.reject(new Error()),
    releaseSubnet: () => Promise.resolve(undefined),
  };
  const port = new FakeWorld(() => Promise.resolve(0)).activities(lease);
  expect(Object.keys(activityBounds).toSorted()).toEqual(Object.keys(port).toSorted());
});

test.each(['deleteStack', 'releaseSubnet', 'deleteKeyPair'] as const)(
  '%s is part of a teardown and not given up before a day is over',
  (name) => {
    expect(seconds(activityBounds[name].scheduleToClose)).toBeGreaterThanOrEqual(86_400);
    expect(activityBounds[name].retry.attempts).toBeUndefined();
  },
);

test('Temporal gets the bounds of the table', () => {
  const { summary, startToClose, scheduleToClose, heartbeat, retry } = activityBounds.cancelJobs;
  expect(activityOptions('cancelJobs')).toEqual({
    summary,
    startToCloseTimeout: startToClose,
    scheduleToCloseTimeout: scheduleToClose,
    heartbeatTimeout: heartbeat,
    retry: {
      initialInterval: retry.initialSeconds * 1000,
      maximumInterval: retry.maximumSeconds * 1000,
      backoffCoefficient: 2,
      maximumAttempts: retry.attempts,
    },
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  });
  expect(activityOptions('writeManifest')).not.toHaveProperty('heartbeatTimeout');
  expect(activityOptions('writeManifest').retry).not.toHaveProperty('maximumAttempts');
});
