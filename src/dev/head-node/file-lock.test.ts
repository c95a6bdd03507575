import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withFileLock } from './file-lock.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'file-lock-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

describe('a file lock', () => {
  it('is not waited for any longer once the signal says so, and stays with its holder', async () => {
    const path = join(directory, 'lock');
    const order: string[] = [];
    await withFileLock(path, async () => {
      const controller = new AbortController();
      const waiting = withFileLock(path, async () => order.push('never'), controller.signal);
      setTimeout(() => controller.abort(new Error('interrupted')), 100);
      await expect(waiting).rejects.toThrow('interrupted');
      const next = withFileLock(path, async () => order.push('next'));
      order.push('holder');
      return { next };
    }).then(async ({ next }) => next);
    expect(order).toEqual(['holder', 'next']);
  });

  it('is not waited for when the signal comes before the waiting begins', async () => {
    const path = join(directory, 'lock');
    await withFileLock(path, async () => {
      const controller = new AbortController();
      const waiting = withFileLock(path, async () => 'never', controller.signal);
      controller.abort(new Error('interrupted'));
      await expect(waiting).rejects.toThrow('interrupted');
    });
  });
});
