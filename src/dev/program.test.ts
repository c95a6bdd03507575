import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runProgram } from './program.ts';

describe('running a program', () => {
  it('tells what it printed, line by line and as a whole', async () => {
    const lines: string[] = [];
    const result = await runProgram('sh', ['-c', 'echo one; echo two >&2'], {
      onLine: (line) => lines.push(line),
    });
    expect(result).toEqual({ failure: undefined, output: 'one\ntwo' });
    expect(lines).toEqual(['one', 'two']);
  });

  it('says how it failed', async () => {
    const result = await runProgram('sh', ['-c', 'echo no disk >&2; exit 3']);
    expect(result).toEqual({ failure: 'exit code 3', output: 'no disk' });
    const missing = await runProgram('/no/such', []);
    expect(missing.failure).toBe('exit code 127');
    expect(missing.output).toContain('/no/such');
  });

  it('is interrupted with all that it has started, and is over when the reason is thrown', async () => {
    const controller = new AbortController();
    const pids: number[] = [];
    // What a shell starts in the background ignores SIGINT.
    const script = 'sleep 60 & echo $$; echo $!; wait';
    const running = runProgram('sh', ['-c', script], {
      signal: controller.signal,
      onLine: (line) => {
        pids.push(Number(line));
        if (pids.length === 2) controller.abort(new Error('changed my mind'));
      },
    });
    await expect(running).rejects.toThrow('changed my mind');
    expect(pids).toHaveLength(2);
    expect(pids.filter(isRunning)).toEqual([]);
  });

  it('may tidy up when it is interrupted', async () => {
    const lines: string[] = [];
    const controller = new AbortController();
    const script = `trap 'echo tidied; exit 1' INT; echo up; while :; do sleep 0.05; done`;
    const running = runProgram('sh', ['-c', script], {
      signal: controller.signal,
      onLine: (line) => {
        lines.push(line);
        controller.abort();
      },
    });
    await expect(running).rejects.toThrow('aborted');
    expect(lines).toEqual(['up', 'tidied']);
  });

  it('is not begun when there is no use for it any more', async () => {
    const lines: string[] = [];
    const running = runProgram('echo', ['begun'], {
      signal: AbortSignal.abort(),
      onLine: (line) => lines.push(line),
    });
    await expect(running).rejects.toThrow('aborted');
    expect(lines).toEqual([]);
  });

  it('fails when it takes too long', async () => {
    const result = await runProgram('sleep', ['60'], { timeoutSeconds: 0.2 });
    expect(result.failure).toBe('not done after 0.2 s');
  });
});

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
