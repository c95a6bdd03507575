import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { persist, pollUntil, takeAway } from './poll.ts';

const never = new AbortController().signal;

describe('takeAway', () => {
  const looksOf = async (askedSecondsAgo: number | undefined, seenAt: number) => {
    let looks = 0;
    await takeAway(async () => ++looks === seenAt, { askedSecondsAgo, signal: never });
    return looks;
  };

  test('takes "not found" at its word where nothing is on its way', async () => {
    expect(await looksOf(undefined, 9)).toBe(1);
    expect(await looksOf(30, 9)).toBe(1);
  });

  test('looks again while AWS may not show what was asked for, and no more once it was seen', async () => {
    expect(await looksOf(29, 9)).toBe(2);
    expect(await looksOf(0, 1)).toBe(1);
  });
});

describe('pollUntil', () => {
  test('looks until there is something, and returns it', async () => {
    const answers = [undefined, undefined, 'seen', 'too late'];
    expect(await pollUntil(async () => answers.shift(), { intervalSeconds: 0.001, signal: never })).toBe(
      'seen',
    );
    expect(answers).toEqual(['too late']);
  });

  test('what the look throws ends the wait', async () => {
    const look = async () => Promise.reject(new Error('gone wrong'));
    await expect(pollUntil(look, { intervalSeconds: 60, signal: never })).rejects.toThrow('gone wrong');
  });

  test('a look that AWS throttles ends nothing', async () => {
    const throttled = Object.assign(new Error('Rate exceeded'), { name: 'ThrottlingException' });
    const answers = [Promise.reject(throttled), Promise.resolve('seen')];
    const look = async () => answers.shift();
    expect(await pollUntil(look, { intervalSeconds: 0.001, signal: never })).toBe('seen');
  });

  test('cancellation ends the wait at once, with its own reason', async () => {
    const controller = new AbortController();
    const waiting = pollUntil(async () => undefined, { intervalSeconds: 60, signal: controller.signal });
    setImmediate(() => controller.abort(new Error('the worker shuts down')));
    await expect(waiting).rejects.toThrow('the worker shuts down');
  });

  test('a wait that is cancelled before it begins never looks', async () => {
    let looks = 0;
    const signal = AbortSignal.abort(new Error('cancelled'));
    const waiting = pollUntil(async () => (looks += 1), { intervalSeconds: 60, signal });
    await expect(waiting).rejects.toThrow('cancelled');
    expect(looks).toBe(0);
  });
});

describe('persist', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const named = (name: string, extra = {}) => Object.assign(new Error(name), { name, ...extra });

  test('a call that AWS throttles, fails or cuts is made again until it succeeds', async () => {
    const failures = [
      named('ThrottlingException'),
      named('InternalServerError', { $metadata: { httpStatusCode: 500 } }),
      named('Error', { code: 'ECONNRESET' }),
      named('TimeoutError'),
    ];
    const call = async () => {
      const failure = failures.shift();
      if (failure) throw failure;
      return 'answer';
    };
    const answer = persist(call, never);
    await vi.runAllTimersAsync();
    expect(await answer).toBe('answer');
  });

  test('what would fail again fails at once', async () => {
    let calls = 0;
    const denied = async () => {
      calls += 1;
      throw named('AccessDeniedException', { $metadata: { httpStatusCode: 400 } });
    };
    await expect(persist(denied, never)).rejects.toThrow('AccessDeniedException');
    expect(calls).toBe(1);
  });

  test('it gives up some minutes later, with what AWS said last', async () => {
    const answer = persist(async () => Promise.reject(named('ThrottlingException')), never);
    const end = answer.catch((error: Error) => error.name);
    await vi.advanceTimersByTimeAsync(600_000);
    expect(await end).toBe('ThrottlingException');
  });

  test('cancellation ends it at once', async () => {
    const controller = new AbortController();
    const failing = persist(async () => Promise.reject(named('ThrottlingException')), controller.signal);
    const end = failing.catch((error: Error) => error.message);
    await vi.advanceTimersByTimeAsync(10);
    controller.abort(new Error('the worker shuts down'));
    expect(await end).toBe('the worker shuts down');
  });
});
