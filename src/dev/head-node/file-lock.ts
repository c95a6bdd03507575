import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { execa } from 'execa';

/**
 * Runs `action` while holding an exclusive lock on `path` (created when missing), across processes.
 *
 * The kernel's own lock, held by a `flock` child that lives as long as our end of its standard input is open:
 * when this process dies, however it dies, the lock is free again, so there is no stale lock to judge.
 *
 * @throws the reason of `signal` when that is aborted while another holds the lock.
 */
export async function withFileLock<T>(
  path: string,
  action: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  // Nothing is awaited from here to the listener: an abortion in between would not be heard.
  signal?.throwIfAborted();
  const holder = execa('flock', ['--exclusive', path, 'sh', '-c', 'echo locked; exec cat'], {
    stdin: 'pipe',
    reject: false,
    // Ctrl-C in a terminal must not take the lock from an action that is still tidying up.
    detached: true,
  });
  const giveUp = (): void => void holder.kill('SIGKILL');
  signal?.addEventListener('abort', giveUp);
  try {
    await new Promise<void>((resolve, reject) => {
      holder.stdout.once('data', () => resolve());
      void holder.then((result) =>
        reject(new Error(`flock ${path}: ${result.shortMessage ?? 'ended early'}`)),
      );
    }).finally(() => signal?.removeEventListener('abort', giveUp));
    signal?.throwIfAborted();
    return await action();
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    holder.stdin.end();
    await holder;
  }
}
