import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectAlways } from '../../test/support/properties.ts';
import { decideIdle, type IdleInput, nextLookInMs } from './idle.ts';

const NOW = Date.parse('2026-01-15T12:00:00.000Z');
const HOUR = 3_600_000;
const idle = { running: 0, pending: 0, stuck: 0, interactiveSessions: 0 };

/** An idle cluster whose time is not over. */
function input(changes: Partial<IdleInput> = {}): IdleInput {
  return {
    now: NOW,
    activity: idle,
    idleSince: undefined,
    unsubmittedJobs: 0,
    holds: [],
    idleTimeoutSeconds: 600,
    lifetimeEndsAt: NOW + 24 * HOUR,
    ...changes,
  };
}

function hold(untilMs: number) {
  return { name: 'results', reason: 'being registered', until: new Date(untilMs).toISOString() };
}

/** Mostly nothing, so that idle clusters are common among the generated ones. */
const few = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(3));
const aroundNow = fc.integer({ min: NOW - 2 * HOUR, max: NOW + 2 * HOUR });
const inputs: fc.Arbitrary<IdleInput> = fc.record({
  now: fc.constant(NOW),
  activity: fc.option(fc.record({ running: few, pending: few, stuck: fc.nat(3), interactiveSessions: few }), {
    nil: undefined,
    freq: 6,
  }),
  idleSince: fc.option(fc.integer({ min: NOW - 2 * HOUR, max: NOW }), { nil: undefined }),
  unsubmittedJobs: few,
  holds: fc.array(aroundNow.map(hold), { maxLength: 2 }),
  idleTimeoutSeconds: fc.integer({ min: 5, max: 7200 }),
  lifetimeEndsAt: fc.oneof(
    { weight: 4, arbitrary: fc.constant(NOW + 24 * HOUR) },
    aroundNow,
    fc.constant(Number.POSITIVE_INFINITY),
  ),
});

/** What keeps a cluster, said again in other words than the code's. */
function isNeeded({ activity, unsubmittedJobs, holds, now }: IdleInput): boolean {
  if (activity === undefined || unsubmittedJobs !== 0) return true;
  if (activity.running !== 0 || activity.pending !== 0 || activity.interactiveSessions !== 0) return true;
  return holds.some(({ until }) => new Date(until).getTime() > now);
}

describe('whether a cluster goes', () => {
  it('because of idleness: never while anything needs it or Slurm did not answer', () => {
    const seen = { needed: 0, idle: 0, gone: 0 };
    expectAlways(
      fc.property(inputs, (given) => {
        fc.pre(given.now < given.lifetimeEndsAt);
        const { kind } = decideIdle(given);
        expect(kind === 'busy').toBe(isNeeded(given));
        seen[({ busy: 'needed', idle: 'idle', 'tear-down': 'gone' } as const)[kind]] += 1;
      }),
      2000,
    );
    // A property about clusters that never occur says nothing.
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(50);
  });

  it('because of idleness: exactly when it was idle for as long as configured', () => {
    expectAlways(
      fc.property(inputs, (given) => {
        fc.pre(given.now < given.lifetimeEndsAt && !isNeeded(given));
        const since = given.idleSince ?? given.now;
        const teardownAt = since + given.idleTimeoutSeconds * 1000;
        const isOver = given.now - since >= given.idleTimeoutSeconds * 1000;
        expect(decideIdle(given)).toMatchObject(
          isOver ? { kind: 'tear-down', cause: 'idle' } : { kind: 'idle', since, teardownAt },
        );
      }),
      1000,
    );
  });

  it('because its lifetime is over: whatever runs, and if nobody can look', () => {
    expectAlways(
      fc.property(inputs, fc.nat(HOUR), (given, agoMs) => {
        const over = { ...given, lifetimeEndsAt: given.now - agoMs };
        expect(decideIdle(over)).toMatchObject({ kind: 'tear-down', cause: 'lifetime' });
      }),
    );
  });

  it.each<[string, Partial<IdleInput>, RegExp, boolean]>([
    ['Slurm does not answer', { activity: undefined }, /did not answer/, true],
    ['jobs run', { activity: { ...idle, running: 2, pending: 1 } }, / 2 jobs running and 1 waiting\.$/, true],
    ['a job runs', { activity: { ...idle, running: 1 } }, / 1 job running and 0 waiting\.$/, true],
    ['jobs wait', { activity: { ...idle, pending: 1 } }, / 0 jobs running and 1 waiting\.$/, true],
    ['accepted jobs are not in Slurm', { unsubmittedJobs: 7 }, / 7 accepted jobs\.$/, true],
    ['an accepted job is not in Slurm', { unsubmittedJobs: 1 }, / 1 accepted job\.$/, true],
    [
      'people are logged in',
      { activity: { ...idle, interactiveSessions: 2 } },
      / 2 interactive sessions\.$/,
      false,
    ],
    [
      'somebody is logged in',
      { activity: { ...idle, interactiveSessions: 1 } },
      / 1 interactive session\.$/,
      false,
    ],
    ['a hold is in force', { holds: [hold(NOW - 1), hold(NOW + 1)] }, /Held by results until/, false],
  ])('not while %s, and it says so', (_, changes, because, isMoving) => {
    const verdict = decideIdle(input({ idleSince: NOW - 24 * HOUR, ...changes }));
    expect(verdict).toMatchObject({ kind: 'busy', because: expect.stringMatching(because), isMoving });
  });

  it('until the last hold ends, when the next look is made', () => {
    const verdict = decideIdle(input({ holds: [hold(NOW + 3000), hold(NOW + 7000)] }));
    expect(nextLookInMs(verdict, { busyTickSeconds: 15, idleTickSeconds: 300 }, NOW, NOW + HOUR)).toBe(7000);
  });

  it('although jobs wait that can never run, or a hold has ended', () => {
    const stuck = { ...idle, stuck: 5 };
    const verdict = decideIdle(input({ idleSince: NOW - HOUR, activity: stuck, holds: [hold(NOW)] }));
    expect(verdict).toMatchObject({ kind: 'tear-down', cause: 'idle' });
  });

  it('at the very second, not one millisecond before', () => {
    expect(decideIdle(input({ idleSince: NOW - 599_999 })).kind).toBe('idle');
    expect(decideIdle(input({ idleSince: NOW - 600_000 })).kind).toBe('tear-down');
  });
});

describe('the next look', () => {
  const pace = { busyTickSeconds: 15, idleTickSeconds: 300 };

  it('is later than now, no later than a tick, and never misses what is due', () => {
    expectAlways(
      fc.property(inputs, (given) => {
        const verdict = decideIdle(given);
        fc.pre(verdict.kind !== 'tear-down');
        const wait = nextLookInMs(verdict, pace, given.now, given.lifetimeEndsAt);
        const moving = verdict.kind === 'busy' && verdict.isMoving;
        expect(wait).toBeGreaterThan(0);
        expect(wait).toBeLessThanOrEqual((moving ? 15 : 300) * 1000);
        expect(given.now + wait).toBeLessThanOrEqual(given.lifetimeEndsAt);
        const dueAt = verdict.kind === 'idle' ? verdict.teardownAt : Number.POSITIVE_INFINITY;
        expect(given.now + wait).toBeLessThanOrEqual(dueAt);
      }),
      1000,
    );
  });

  it.each<[string, Partial<IdleInput>, number]>([
    ['soon when something runs', { activity: { ...idle, running: 1 } }, 15_000],
    ['rarely when nothing does', {}, 300_000],
    ['rarely when only a login keeps it', { activity: { ...idle, interactiveSessions: 1 } }, 300_000],
    ['when the idle time is over', { idleSince: NOW - 590_000 }, 10_000],
    ['when the lifetime is over', { lifetimeEndsAt: NOW + 7000 }, 7000],
  ])('is made %s', (_, changes, expected) => {
    const given = input(changes);
    expect(nextLookInMs(decideIdle(given), pace, NOW, given.lifetimeEndsAt)).toBe(expected);
  });
});
