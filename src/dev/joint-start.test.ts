import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { JointStart } from './joint-start.ts';

/** A part that needs a moment to give up, and then fails in a way of its own. */
async function slow(signal: AbortSignal, ended: string[]): Promise<never> {
  await sleep(60_000, undefined, { signal }).catch(() => undefined);
  await sleep(20);
  ended.push('slow');
  throw new Error('a consequence');
}

describe('parts that are started together', () => {
  it('give what all of them have come to', async () => {
    const joint = new JointStart();
    await expect(joint.all([Promise.resolve(1), Promise.resolve('two')] as const)).resolves.toEqual([
      1,
      'two',
    ]);
    expect(joint.signal.aborted).toBe(false);
  });

  it('give up when one fails, which is told once all have ended', async () => {
    const joint = new JointStart();
    const ended: string[] = [];
    const all = joint.all([slow(joint.signal, ended), Promise.reject(new Error('the cause'))]);
    await expect(all).rejects.toThrow('the cause');
    expect(ended).toEqual(['slow']);
  });

  it('give up when they are told to, which is then the cause', async () => {
    const outer = new AbortController();
    const joint = new JointStart(outer.signal);
    const ended: string[] = [];
    const all = joint.all([slow(joint.signal, ended)]);
    outer.abort(new Error('interrupted'));
    await expect(all).rejects.toThrow('interrupted');
    expect(ended).toEqual(['slow']);
  });
});
