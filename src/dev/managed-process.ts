import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DevStackError, messageOf } from './errors.ts';
import { endGroup } from './process-group.ts';

/** How often health is asked for while starting. */
const HEALTH_POLL_MILLISECONDS = 50;
/** How much of the log is quoted when a process fails to start. */
const LOG_TAIL_LINES = 15;

/** What to run and how to tell that it is up. */
export interface ManagedProcessOptions {
  /** Name in messages and of the log file. */
  readonly name: string;
  readonly command: string;
  /** Visible to every user of the machine: never a secret. */
  readonly args: readonly string[];
  /** The whole environment of the child; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly workingDirectory?: string;
  readonly logDirectory: string;
  /** Asked repeatedly until true. Throwing or rejecting means "not yet". */
  readonly isHealthy: () => Promise<boolean>;
  readonly deadlineSeconds: number;
  /** Gives the start up; nothing to a process that is healthy, nor to a restart. */
  readonly signal?: AbortSignal | undefined;
}

/** A healthy child process in a process group of its own. */
export interface ManagedProcess {
  /** Of the present process: another one after a restart. */
  readonly pid: number;
  readonly logFile: string;
  /** Resolves with how the present process ended, in words, once it has: by itself, or because it was stopped. */
  readonly ended: Promise<string>;
  /**
   * Stops it, unless it has died already, and starts it anew with the same options; the log goes on.
   *
   * @throws DevStackError as {@link startManagedProcess}.
   */
  restart(): Promise<void>;
  /** SIGTERM, then SIGKILL, to the whole group; returns once the group is gone. Safe to repeat. */
  close(): Promise<void>;
}

/**
 * Starts a child and waits until it is healthy. The kernel kills the child when this process dies, however it
 * dies (`PR_SET_PDEATHSIG`, through util-linux' `setpriv`), so a `kill -9` of the stack leaves nothing behind.
 *
 * The death signal is tied to the *thread* that spawned the child, so this must be called on the main thread.
 *
 * @throws DevStackError with the tail of the log when the child exits early or is not healthy in time, and the reason
 * of `signal` when that is aborted before; nothing of it is left running then.
 */
export async function startManagedProcess(options: ManagedProcessOptions): Promise<ManagedProcess> {
  options.signal?.throwIfAborted();
  let running = await launch(options, options.signal);
  return {
    get pid() {
      return running.pid;
    },
    logFile: running.logFile,
    get ended() {
      return running.ended;
    },
    async restart() {
      await running.close();
      running = await launch(options);
    },
    close: async () => running.close(),
  };
}

async function launch(
  options: ManagedProcessOptions,
  signal?: AbortSignal,
): Promise<Omit<ManagedProcess, 'restart'>> {
  mkdirSync(options.logDirectory, { recursive: true });
  const logFile = join(options.logDirectory, `${options.name}.log`);
  const child = spawnDetached(options, logFile);
  const exit = exitOf(child);
  const close = async (): Promise<void> => {
    if (child.pid !== undefined) await endGroup(child.pid, exit, 'SIGTERM');
  };
  try {
    await waitUntilHealthy(options, exit, signal);
  } catch (error) {
    await close();
    signal?.throwIfAborted();
    throw new DevStackError(options.name, `${messageOf(error)}\n${await tailOf(logFile)}`.trimEnd(), {
      nextStep: `Read ${logFile}`,
      logFile,
      cause: error,
    });
  }
  const { pid } = child;
  if (pid === undefined) throw new TypeError('a healthy child has a process id');
  return { pid, logFile, ended: exit, close };
}

function spawnDetached(options: ManagedProcessOptions, logFile: string): ChildProcess {
  const log = openSync(logFile, 'a', 0o600);
  try {
    return spawn('setpriv', ['--pdeathsig', 'KILL', '--', options.command, ...options.args], {
      cwd: options.workingDirectory,
      env: { ...options.env },
      // A group of its own: Ctrl-C in a terminal reaches us alone, and we stop the parts in order.
      detached: true,
      stdio: ['ignore', log, log],
    });
  } finally {
    closeSync(log);
  }
}

/** Resolves, never rejects, with words for how the child ended. */
async function exitOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(`could not be started: ${error.message}`));
    child.once('exit', (code, signal) =>
      resolve(signal === null ? `exited with code ${code}` : `was ended by ${signal}`),
    );
  });
}

async function waitUntilHealthy(
  options: ManagedProcessOptions,
  exit: Promise<string>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const deadline = Date.now() + options.deadlineSeconds * 1000;
  let lastProblem = 'no answer';
  while (Date.now() < deadline) {
    signal?.throwIfAborted();
    const outcome = await Promise.race([exit.then((how) => ({ how })), probe(options.isHealthy)]);
    if ('how' in outcome) throw new Error(`the process ${outcome.how} before it was ready`);
    if (outcome.healthy) return;
    lastProblem = outcome.problem;
    await Promise.race([exit, sleep(HEALTH_POLL_MILLISECONDS)]);
  }
  throw new Error(`not ready after ${options.deadlineSeconds} s (${lastProblem})`);
}

async function probe(
  isHealthy: () => Promise<boolean>,
): Promise<{ healthy: true } | { healthy: false; problem: string }> {
  try {
    return (await isHealthy()) ? { healthy: true } : { healthy: false, problem: 'unhealthy' };
  } catch (error) {
    return { healthy: false, problem: messageOf(error) };
  }
}

async function tailOf(logFile: string): Promise<string> {
  const text = await readFile(logFile, 'utf8');
  return text.trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
}
