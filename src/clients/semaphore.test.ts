import { describe, expect, it } from 'vitest';
import { Semaphore } from './semaphore.ts';

function gate() {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { promise, open: () => resolve() };
}

describe('a semaphore', () => {
  it('lets no more than its number run, and the others in their order', async () => {
    const semaphore = new Semaphore(2);
    const gates = [gate(), gate(), gate(), gate()];
    const started: number[] = [];
    const all = gates.map(async ({ promise }, index) =>
      semaphore.run(async () => {
        started.push(index);
        await promise;
      }),
    );
    await Promise.resolve();
    expect(started).toEqual([0, 1]);
    gates[1]?.open();
    await all[1];
    await expect.poll(() => started).toEqual([0, 1, 2]);
    for (const { open } of gates) open();
    await Promise.all(all);
    expect(started).toEqual([0, 1, 2, 3]);
  });

  it('gives the place of a task that failed to the next', async () => {
    const semaphore = new Semaphore(1);
    await expect(semaphore.run(async () => Promise.reject(new Error('boom')))).rejects.toThrow('boom');
    await expect(semaphore.run(async () => Promise.resolve('next'))).resolves.toBe('next');
  });

  it('forgets who aborts while waiting, even at the moment of being let in', async () => {
    const semaphore = new Semaphore(1);
    const { promise, open } = gate();
    const first = semaphore.run(async () => promise);
    const abort = new AbortController();
    const second = semaphore.run(async () => Promise.resolve('second'), abort.signal);
    const third = semaphore.run(async () => Promise.resolve('third'));
    open();
    abort.abort(new Error('gave up'));
    await expect(second).rejects.toThrow('gave up');
    await first;
    await expect(third).resolves.toBe('third');
    await expect(semaphore.run(async () => Promise.resolve('still open'))).resolves.toBe('still open');
  });
});
