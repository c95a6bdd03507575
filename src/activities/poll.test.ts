import { describe, expect, test } from 'vitest';
import { pollUntil } from './poll.ts';

const never = new AbortController().signal;

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
