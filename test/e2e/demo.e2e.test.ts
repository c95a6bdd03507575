import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { mountsNaming } from '../support/node-traces.ts';
import { replayDatabase } from '../support/replay-server.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const DEMO_ENTITY = 'cluster/2f6a0c1e-8d3b-4c57-9a41-5be07f9d2c63/b41d9c70-36e2-4f0a-8c95-e7a2d81f4b09';
const LOOPBACK_RECORDS = '/run/parallelcluster-provisioner/loopback';

/** A command of the CLI, as a person at a shell runs it. */
class Command {
  readonly #child;
  output = '';

  constructor(args: readonly string[], variables: Readonly<Record<string, string>>) {
    this.#child = spawn(process.execPath, ['src/cli.ts', ...args], {
      cwd: ROOT,
      env: { ...process.env, ...variables },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (this.output += text));
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The run's folder, as the command names it. */
  get directory(): string {
    const [, logs] = /^Logs: (.+)\/logs$/m.exec(this.output) ?? [];
    if (logs === undefined) throw new Error(`no folder is named in:\n${this.output}`);
    return join(ROOT, logs);
  }

  async until(text: string | RegExp, withinSeconds = 120): Promise<void> {
    await expect.poll(() => this.output, { timeout: withinSeconds * 1000 }).toMatch(text);
  }

  /** Resolves with the exit code. */
  async end(): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'close');
    return this.#child.exitCode;
  }

  interrupt(): void {
    this.#child.kill('SIGINT');
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Kills the one process of the run that runs a command of the CLI. */
  async killPart(name: 'api' | 'worker'): Promise<void> {
    const pids = await processesNaming(this.directory);
    const commandLines = await Promise.all(
      pids.map(async (pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
    );
    const pid = pids.find((_, index) => commandLines[index]?.endsWith(`src/cli.ts\0${name}\0`));
    process.kill(Number(pid), 'SIGKILL');
  }
}

beforeAll(() => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
});

let command: Command | undefined;
afterEach(async () => {
  command?.kill();
  await command?.end();
});

function start(...args: string[]): Command {
  return startWith({}, ...args);
}

function startWith(variables: Readonly<Record<string, string>>, ...args: string[]): Command {
  command = new Command(args, variables);
  return command;
}

/** Runs something with an empty cache, as on a machine that has never run the product. */
async function onFirstRun(action: (cache: string) => Promise<void>): Promise<void> {
  const cache = await mkdtemp(join(tmpdir(), 'first-run-'));
  try {
    await action(cache);
    expect(await processesNaming(cache)).toEqual([]);
    expect(await mountsNaming(cache)).toEqual([]);
  } finally {
    await rm(cache, { recursive: true, force: true });
  }
}

async function expectEnd(ended: Command, exitCode: number): Promise<void> {
  const seen = { exitCode: await ended.end(), output: ended.output };
  expect(seen).toEqual({ exitCode, output: expect.not.stringContaining('✖') });
}

/** What the command itself checks is checked here in other ways. */
async function expectNothingOf({ directory, pid }: Command): Promise<void> {
  expect(await processesNaming(directory)).toEqual([]);
  expect(await mountsNaming(directory)).toEqual([]);
  expect(await loopbackRecordsOf(pid)).toEqual([]);
}

/** The run keeps its folder: what its Temporal server remembers is replayed from there. */
async function expectReplay({ directory }: Command, entity: string): Promise<void> {
  const database = join(directory, 'state', 'temporal.sqlite');
  expect(await replayDatabase(database, join(directory, 'replay'))).toContain(entity);
}

async function processesNaming(directory: string): Promise<string[]> {
  const names = async (pid: string): Promise<boolean> => {
    const files = ['cmdline', 'environ'].map((file) =>
      readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => ''),
    );
    return (await Promise.all(files)).some((text) => text.includes(directory));
  };
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry));
  const found = await Promise.all(pids.map(async (pid) => ((await names(pid)) ? [pid] : [])));
  return found.flat();
}

async function loopbackRecordsOf(pid: number): Promise<string[]> {
  const names = await readdir(LOOPBACK_RECORDS);
  const texts = await Promise.all(
    names.map((name) => readFile(join(LOOPBACK_RECORDS, name), 'utf8').catch(() => '')),
  );
  return names.filter((_, index) => texts[index]?.includes(`"pid":${pid},`));
}

describe('the demo', () => {
  it('shows a whole life, says that nothing is left, and leaves nothing', async () => {
    const demo = start('demo', '--quick');
    await expectEnd(demo, 0);
    const milestones = [
      /✔ API and worker +http/,
      /POST …\/campaigns +the same Idempotency-Key again: 202, known already/,
      /cluster +provisioning/,
      /cluster +ready/,
      /jobs +succeeded/,
      '│ Hello, *world*; no shell has read $HOME here',
      '│ step 3 of 3',
      '│ 1: task 1 on wide-dy-m5-large-2',
      /cluster +deleted/,
      '✔ no CloudFormation stacks',
      '✔ no EC2 key pairs',
      '✔ no secrets, also those scheduled for deletion',
      '✔ no subnet leases',
      '✔ the log group stays, by design',
      '✔ no processes',
      '✔ no mounts',
      '✔ no loopback addresses',
      /Done in \d+ s: made, used and given back, and nothing is left\.\n$/,
    ];
    let rest = demo.output;
    for (const milestone of milestones) {
      const at = typeof milestone === 'string' ? rest.indexOf(milestone) : rest.search(milestone);
      if (at < 0) throw new Error(`${milestone} is missing in:\n${demo.output}`);
      rest = rest.slice(at);
    }
    await expectNothingOf(demo);
    await expectReplay(demo, DEMO_ENTITY);
  });

  it('leaves nothing when it is interrupted while the stack starts', async () => {
    const demo = start('demo', '--quick');
    await demo.until(/✔ ParallelCluster/);
    await sleep(500);
    demo.interrupt();
    await expectEnd(demo, 130);
    await expectNothingOf(demo);
  });

  it('is over within seconds when a first run is interrupted amid its downloads, and blames nothing else', async () => {
    await onFirstRun(async (cache) => {
      const demo = startWith({ PROVISIONER_CACHE_DIR: cache }, 'demo', '--quick');
      await demo.until(/installing moto/);
      await demo.until(/reading the package list/);
      const interruptedAt = performance.now();
      demo.interrupt();
      await expectEnd(demo, 130);
      expect(performance.now() - interruptedAt).toBeLessThan(20_000);
      expect(demo.output).toContain('… Interrupted, stopping …');
      expect(demo.output).toMatch(/\nInterrupted\.\n/);
      expect(demo.output).not.toMatch(/Python 3\.11|package archive|Traceback/);
      await expectNothingOf(demo);
    });
  });

  it('gives everything else up when one part of a first run fails, and names only that', async () => {
    await onFirstRun(async (cache) => {
      const variables = { PROVISIONER_CACHE_DIR: cache, PROVISIONER_PYTHON: '/no/python' };
      const demo = startWith(variables, 'demo', '--quick');
      expect(await demo.end()).toBe(1);
      expect(demo.output.match(/✖ .*/g)).toEqual([expect.stringContaining('python environment')]);
      expect(demo.output).toContain('✔ no processes');
      expect(demo.output).toMatch(/\n\npython environment .*\n.*\/no\/python.*Python 3\.11 or newer/);
      await expectNothingOf(demo);
    });
  });

  it.runIf(inject('fullTests'))('leaves nothing when it is interrupted while jobs run', async () => {
    const demo = start('demo', '--quick');
    await demo.until(/jobs +running/);
    const node = await clusterAddress(demo.pid);
    demo.interrupt();
    // As npm and the terminal do, which both send one.
    demo.interrupt();
    await expectEnd(demo, 130);
    expect(demo.output).toContain('Interrupted');
    await expectNothingOf(demo);
    const { stdout } = await execa('ip', ['-4', '-oneline', 'address', 'show', 'dev', 'lo']);
    expect(stdout).not.toContain(` ${node}/32 `);
    await expectReplay(demo, DEMO_ENTITY);
  });
});

/** Of the one cluster, whose address is the later one: the database has the other. */
async function clusterAddress(pid: number): Promise<string> {
  const addresses = await loopbackRecordsOf(pid);
  expect(addresses.length).toBeGreaterThanOrEqual(1);
  return addresses.at(-1) ?? '';
}

describe('the development platform', () => {
  it('answers the request that it offers, and leaves nothing after Ctrl-C', async () => {
    const dev = start('dev');
    await dev.until('Ctrl-C stops everything');
    const [put = ''] = /^curl -sf --retry 5 -X PUT .*\\\n.*\\\n.*$/m.exec(dev.output) ?? [];
    const answer = await execa('bash', ['-c', put]);
    expect(JSON.parse(answer.stdout)).toMatchObject({
      clusterName: 'pcluster-lab1-demo',
      // A first request that is too slow for the API is answered by 503 and repeated.
      state: expect.stringMatching(/^(requested|provisioning)$/),
    });
    dev.interrupt();
    await expectEnd(dev, 0);
    await expectNothingOf(dev);
    await expectReplay(dev, 'cluster/lab1/demo');
  });

  it.runIf(inject('fullTests'))(
    'says which process died, where its log is and what to do, and leaves nothing',
    async () => {
      const dev = start('dev');
      await dev.until('Ctrl-C stops everything');
      await dev.killPart('worker');
      expect(await dev.end()).toBe(1);
      expect(dev.output).toMatch(
        /✖ worker: the process was ended by SIGKILL while it was in use\. Read \.dev\/\S+\/logs\/worker\.log, then start again\nStopping everything/,
      );
      expect(dev.output).toContain('✔ no processes');
      await expectNothingOf(dev);
    },
  );
});
