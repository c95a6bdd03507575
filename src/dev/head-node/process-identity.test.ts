import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { isAlive, ownIdentity } from './process-identity.ts';

describe('isAlive', () => {
  it('knows this process', async () => {
    expect(await isAlive(await ownIdentity())).toBe(true);
  });

  it('does not take another process with the same number for it', async () => {
    const { pid } = await ownIdentity();
    expect(await isAlive({ pid, startTicks: '1' })).toBe(false);
  });

  it('knows that a process ended', async () => {
    const child = spawn('true');
    await once(child, 'exit');
    expect(await isAlive({ pid: child.pid ?? 0, startTicks: '1' })).toBe(false);
  });
});
