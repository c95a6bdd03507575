import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { KeyedMutex } from './keyed-mutex.ts';

describe('KeyedMutex', () => {
  it('runs actions of one key in the order of their calls, and other keys meanwhile', async () => {
    const mutex = new KeyedMutex();
    const events: string[] = [];
    const action = (key: string, name: string) =>
      mutex.run(key, async () => {
        events.push(`${name} begins`);
        await nextTurn();
        events.push(`${name} ends`);
      });
    await Promise.all([action('a', 'first'), action('a', 'second'), action('b', 'other')]);
    expect(events.indexOf('second begins')).toBeGreaterThan(events.indexOf('first ends'));
    expect(events.indexOf('other begins')).toBeLessThan(events.indexOf('first ends'));
  });

  it('goes on after a failure, which only its caller sees', async () => {
    const mutex = new KeyedMutex();
    const failing = mutex.run('a', async () => {
      throw new Error('no');
    });
    const following = mutex.run('a', async () => 'yes');
    await expect(failing).rejects.toThrow('no');
    expect(await following).toBe('yes');
  });
});
