import { execa } from 'execa';
import { endGroup } from './process-group.ts';

/** How to run a program that downloads or builds something. */
export interface ProgramOptions {
  /** Interrupts the program with everything that it has started. */
  readonly signal?: AbortSignal | undefined;
  /** After which it is interrupted as well, and has failed. */
  readonly timeoutSeconds?: number;
  /** In addition to what this process has. */
  readonly env?: Readonly<Record<string, string>>;
  /** Told every line of output as it comes. */
  readonly onLine?: (line: string) => void;
}

/** How a program ended. */
export interface ProgramResult {
  /** Undefined when it ended well; otherwise in words, such as `exit code 3`. */
  readonly failure: string | undefined;
  /** Standard output and standard error, as they came. */
  readonly output: string;
}

/**
 * Runs a program to its end. It has a process group of its own: Ctrl-C in a terminal reaches this process alone, which
 * then interrupts the whole group and waits until nothing of it is left. When this process is killed, the kernel
 * interrupts the program (`PR_SET_PDEATHSIG`, so call this on the main thread).
 *
 * @throws the reason of `signal` once that is aborted, when nothing of the program runs any more.
 */
export async function runProgram(
  command: string,
  args: readonly string[],
  { signal, timeoutSeconds, env, onLine = () => undefined }: ProgramOptions = {},
): Promise<ProgramResult> {
  signal?.throwIfAborted();
  const child = execa('setpriv', ['--pdeathsig', 'INT', '--', command, ...args], {
    detached: true,
    stdin: 'ignore',
    all: true,
    reject: false,
    maxBuffer: 16_000_000,
    ...(env && { env }),
  });
  // Not the end of its output: helpers that outlive it keep that open.
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const timeout = timeoutSeconds === undefined ? [] : [AbortSignal.timeout(timeoutSeconds * 1000)];
  const limit = AbortSignal.any([...(signal ? [signal] : []), ...timeout]);
  let ending: Promise<void> | undefined;
  const end = (): void => {
    if (child.pid !== undefined) ending = endGroup(child.pid, exited, 'SIGINT');
    // Its failure is awaited below, after the program's own end.
    ending?.catch(() => undefined);
  };
  limit.addEventListener('abort', end);
  try {
    for await (const line of child.iterable({ from: 'all' })) onLine(line);
    const result = await child;
    await ending;
    signal?.throwIfAborted();
    return { failure: failureOf(result, limit.aborted, timeoutSeconds), output: result.all ?? '' };
  } finally {
    limit.removeEventListener('abort', end);
  }
}

interface Ending {
  readonly failed: boolean;
  readonly exitCode?: number;
  readonly shortMessage?: string;
}

function failureOf(ending: Ending, tookTooLong: boolean, timeoutSeconds = 0): string | undefined {
  if (tookTooLong) return `not done after ${timeoutSeconds} s`;
  if (!ending.failed) return undefined;
  return ending.exitCode === undefined ? (ending.shortMessage ?? 'failed') : `exit code ${ending.exitCode}`;
}
