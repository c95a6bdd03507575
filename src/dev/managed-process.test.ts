import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startManagedProcess } from './managed-process.ts';

const PATH = '/usr/bin:/bin';
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'managed-process-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

describe('a managed process', () => {
  it('is given only the environment it was told, and logs to its own file', async () => {
    const child = await startShell('env; sleep 60', async () => (await log()).includes('TOLD=yes'));
    await child.close();
    const names = (await log()).split('\n').map((line) => line.split('=')[0]);
    expect(names).toContain('TOLD');
    expect(names).not.toContain('HOME');
  });

  it('fails at once, quoting its log, when it exits before it is healthy', async () => {
    const started = startShell('echo no such table >&2; exit 3', async () => false);
    await expect(started).rejects.toThrow(/exited with code 3 before it was ready\nno such table\. Read /);
  });

  it('is ended when it is not healthy in time', async () => {
    const started = startShell('echo $$; exec sleep 60', async () => false, 0.3);
    await expect(started).rejects.toThrow('not ready after 0.3 s (unhealthy)');
    expect(isRunning(Number(await log()))).toBe(false);
  });

  it('is ended when its start is given up, and lives on when that comes too late', async () => {
    const early = new AbortController();
    const started = startShell('echo $$; exec sleep 60', async () => false, 5, early.signal);
    await expect.poll(log).toContain('\n');
    early.abort(new Error('interrupted'));
    await expect(started).rejects.toThrow('interrupted');
    expect(isRunning(Number(await log()))).toBe(false);
    const late = new AbortController();
    const child = await startShell('exec sleep 60', async () => true, 5, late.signal);
    late.abort();
    await child.restart();
    expect(isRunning(child.pid)).toBe(true);
    await child.close();
  });

  it('is ended with its helpers, even when they ignore SIGTERM', async () => {
    const script = '(trap "" TERM; while :; do sleep 0.1; done) & echo $!; wait';
    const child = await startShell(script, async () => (await log()).includes('\n'));
    const helper = Number(await log());
    await child.close();
    await expect.poll(() => isRunning(child.pid) || isRunning(helper)).toBe(false);
  });

  it('can be restarted after it was killed, and is ended as the one that it is then', async () => {
    const child = await startShell('echo $$; exec sleep 60', async () => true);
    const first = child.pid;
    process.kill(first, 'SIGKILL');
    await child.restart();
    expect(child.pid).not.toBe(first);
    expect(isRunning(child.pid)).toBe(true);
    await child.close();
    expect(isRunning(child.pid)).toBe(false);
  });

  it('tells how it ended', async () => {
    const child = await startShell('exec sleep 60', async () => true);
    process.kill(child.pid, 'SIGKILL');
    await expect(child.ended).resolves.toBe('was ended by SIGKILL');
    await child.close();
  });

  it('dies with its parent, however that one died', async () => {
    const module = join(import.meta.dirname, 'managed-process.ts');
    const script = `
      import { startManagedProcess } from ${JSON.stringify(module)};
      const child = await startManagedProcess({
        name: 'child', command: 'sleep', args: ['60'], env: { PATH: '${PATH}' },
        logDirectory: ${JSON.stringify(directory)}, isHealthy: async () => true, deadlineSeconds: 5,
      });
      console.log(child.pid);
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['--input-type=module-typescript', '-e', script]);
    const pid = await new Promise<number>((resolve) => {
      parent.stdout.once('data', (data: Buffer) => resolve(Number(data.toString())));
    });
    expect(isRunning(pid)).toBe(true);
    parent.kill('SIGKILL');
    await expect.poll(() => isRunning(pid), { timeout: 20_000 }).toBe(false);
  });
});

async function startShell(
  script: string,
  isHealthy: () => Promise<boolean>,
  deadlineSeconds = 5,
  signal?: AbortSignal,
): ReturnType<typeof startManagedProcess> {
  const env = { PATH, TOLD: 'yes' };
  const args = ['-c', script];
  return startManagedProcess({
    name: 'shell',
    command: 'sh',
    args,
    env,
    logDirectory: directory,
    isHealthy,
    deadlineSeconds,
    signal,
  });
}

async function log(): Promise<string> {
  return readFile(join(directory, 'shell.log'), 'utf8');
}

/** A zombie that waits for its parent is not running any more. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
