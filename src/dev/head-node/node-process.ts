import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { chmod, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

const INIT_SCRIPT = fileURLToPath(new URL('init.sh', import.meta.url));
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Measured at 0.1 s; slurmdbd may be writing to a database that no longer answers. */
const STOP_GRACE_SECONDS = 15;

/** What process 1 of a node is told. */
export interface NodeProcessOptions {
  role: 'cluster' | 'database';
  /** The shared root image, never written to. */
  image: string;
  /** The node's own state, laid out by {@link prepareNodeDirectory}. */
  directory: string;
  address: string;
  hostname: string;
  /** Further variables for the role's script; never a secret. */
  env?: Readonly<Record<string, string>>;
  startTimeoutSeconds: number;
  /** Gives up a start that is under way. */
  signal?: AbortSignal;
}

/** What a command inside a node answered. */
export interface ExecResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Process 1 ended, or said why it cannot go on, before it was ready. Nothing of it runs any more. */
export class NodeStartError extends Error {
  override readonly name = 'NodeStartError';
  /** What process 1 said, e.g. `custom-action 0 1`. */
  readonly reason: string;

  constructor(reason: string, log: string) {
    super(`${reason}\n${log}`.trimEnd());
    this.reason = reason;
  }
}

/** Makes the folders that a node consists of. Safe to repeat on a node's former state. */
export async function prepareNodeDirectory(directory: string): Promise<void> {
  // The options of an overlay mount are separated by these.
  if (/[,:\\]/.test(directory))
    throw new TypeError(`${directory}: a node's folder has no comma, colon or backslash`);
  // Only root looks inside: the seed holds the munge key and the database's password.
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const modes = {
    upper: 0o755,
    work: 0o755,
    root: 0o755,
    home: 0o755,
    scratch: 0o1777,
    log: 0o755,
    seed: 0o700,
  };
  for (const [name, mode] of Object.entries(modes)) {
    await mkdir(join(directory, name), { recursive: true });
    await chmod(join(directory, name), mode);
  }
}

/**
 * A running node: a tree of processes in namespaces of its own (mount, pid, uts, ipc). It lives as long as its
 * process 1, and that one no longer than this process: the kernel kills it when the thread that started it ends
 * (so start nodes on the main thread).
 */
export class NodeProcess {
  readonly #child: NodeChild;
  readonly #ended: Promise<void>;
  /** Process 1 of the node, as this machine numbers it. */
  readonly pid: number;

  private constructor(child: NodeChild, pid: number) {
    this.#child = child;
    this.pid = pid;
    this.#ended = endOf(child);
  }

  /**
   * Starts a node and waits until its daemons answer.
   *
   * @throws NodeStartError with the end of the log
   */
  static async start(options: NodeProcessOptions): Promise<NodeProcess> {
    const child = spawnInit(options);
    const messages = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const ended = endOf(child);
    const deadline = new AbortController();
    const progress: StartProgress = {};
    try {
      const signal = AbortSignal.any([
        deadline.signal,
        ...(options.signal === undefined ? [] : [options.signal]),
      ]);
      const timeout = sleep(
        options.startTimeoutSeconds * 1000,
        `not ready in ${options.startTimeoutSeconds} s`,
        {
          signal,
        },
      ).catch(() => 'stopped before it was ready');
      const outcome = await Promise.race([untilReady(messages, progress), timeout]);
      if (typeof outcome === 'object') return new NodeProcess(child, outcome.pid);
      // The outermost process waits for process 1, so its end shows that all is gone; ended itself, it would not wait.
      if (progress.pid === undefined) child.kill('SIGKILL');
      else killInit(child, progress.pid);
      await ended;
      throw new NodeStartError(outcome, await tailOf(join(options.directory, 'log', 'init.log')));
    } finally {
      deadline.abort();
    }
  }

  get isRunning(): boolean {
    return isRunning(this.#child);
  }

  /** Ends all daemons in order, then the node. Safe to repeat. */
  async stop(): Promise<void> {
    this.#child.stdin.end();
    await Promise.race([this.#ended, sleep(STOP_GRACE_SECONDS * 1000, undefined, { ref: false })]);
    await this.kill();
  }

  /** As if the power failed: SIGKILL to process 1, with which the kernel ends everything else. Safe to repeat. */
  async kill(): Promise<void> {
    killInit(this.#child, this.pid);
    await this.#ended;
  }

  /** Runs a command inside the node as root and waits for its end. */
  async exec(argv: readonly string[], stdin: string | Uint8Array = ''): Promise<ExecResult> {
    const namespaces = ['--target', String(this.pid), '--mount', '--uts', '--ipc', '--pid'];
    const result = await execa('nsenter', [...namespaces, '--', ...argv], {
      input: stdin,
      env: { PATH: SYSTEM_PATH, HOME: '/root', LANG: 'C.UTF-8' },
      extendEnv: false,
      reject: false,
      stripFinalNewline: false,
    });
    return { code: result.exitCode ?? -1, stdout: result.stdout, stderr: result.stderr };
  }
}

type NodeChild = ChildProcess & { stdin: Writable; stdout: Readable };

interface StartProgress {
  /** Known as soon as process 1 runs. */
  pid?: number;
}

function spawnInit(options: NodeProcessOptions): NodeChild {
  const log = openSync(join(options.directory, 'log', 'init.log'), 'a');
  try {
    const namespaces = [
      '--mount',
      '--propagation',
      'private',
      '--pid',
      '--uts',
      '--ipc',
      '--fork',
      '--kill-child',
    ];
    const child = spawn(
      'setpriv',
      ['--pdeathsig', 'KILL', '--', 'unshare', ...namespaces, 'bash', INIT_SCRIPT],
      {
        // A session of its own: Ctrl-C in a terminal must not reach the daemons past their owner.
        detached: true,
        cwd: '/',
        env: {
          PATH: SYSTEM_PATH,
          ...options.env,
          NODE_ROLE: options.role,
          NODE_IMAGE: options.image,
          NODE_DIRECTORY: options.directory,
          NODE_ADDRESS: options.address,
          NODE_HOSTNAME: options.hostname,
        },
        stdio: ['pipe', 'pipe', log],
      },
    );
    if (!hasPipes(child)) throw new TypeError('a child spawned with pipes has them');
    // A node that died cannot be told to stop, which is no error; its end is noticed by its exit.
    child.stdin.on('error', () => undefined);
    return child;
  } finally {
    closeSync(log);
  }
}

/** The outermost process reaps process 1, so while that one runs the number cannot be another's. */
function killInit(child: NodeChild, pid: number): void {
  if (!isRunning(child)) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    // It ended by itself a moment ago, and its exit is not yet known here.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

function hasPipes(child: ChildProcess): child is NodeChild {
  return child.stdin !== null && child.stdout !== null;
}

/** Resolves when the outermost process ended; by then the kernel has ended all others of the node. */
async function endOf(child: NodeChild): Promise<void> {
  if (isRunning(child)) await once(child, 'exit');
}

function isRunning(child: NodeChild): boolean {
  return child.exitCode === null && child.signalCode === null;
}

/** The node's pid once it is ready, or in words why it is not. */
async function untilReady(
  messages: AsyncIterator<string>,
  progress: StartProgress,
): Promise<{ pid: number } | string> {
  for (;;) {
    const next = await messages.next();
    if (next.done === true) return 'ended before it was ready';
    const [word, ...rest] = next.value.split(' ');
    if (word === 'failed') return rest.join(' ');
    if (word === 'pid') progress.pid = Number(rest[0]);
    if (word === 'ready' && progress.pid !== undefined) return { pid: progress.pid };
  }
}

async function tailOf(path: string): Promise<string> {
  return (await readFile(path, 'utf8')).trimEnd().split('\n').slice(-20).join('\n');
}
