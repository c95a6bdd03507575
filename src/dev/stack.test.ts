import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readDevEnvironment } from './environment.ts';
import { messageOf } from './errors.ts';
import type { StartHeadNodes } from './head-node-pool.ts';
import type { ProgressEvent } from './progress.ts';
import { startStack } from './stack.ts';

let directory: string;
let python: string;
let events: ProgressEvent[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stack-'));
  events = [];
  python = join(directory, 'python');
  // As on a first run: it takes long, and says who it is.
  await writeFile(python, `#!/bin/sh\necho $$ >> ${directory}/pids\nexec sleep 60\n`);
  await chmod(python, 0o755);
  await writeFile(join(directory, 'pids'), '');
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

/** With an empty cache. */
const start = async (options: {
  headNodes: StartHeadNodes;
  signal?: AbortSignal;
  variables?: Record<string, string>;
}) =>
  startStack({
    directory: join(directory, 'run'),
    environment: readDevEnvironment({
      PATH: '/usr/bin:/bin',
      PROVISIONER_CACHE_DIR: join(directory, 'cache'),
      PROVISIONER_PYTHON: python,
      ...options.variables,
    }),
    onProgress: (event) => events.push(event),
    headNodes: options.headNodes,
    ...(options.signal && { signal: options.signal }),
  });

/** Head nodes that wait until they are given up, and then need a moment. */
const slowHeadNodes =
  (ended: string[]): StartHeadNodes =>
  async ({ signal }) => {
    await sleep(60_000, undefined, { ...(signal && { signal }) }).catch(() => undefined);
    await sleep(300);
    ended.push('head nodes');
    signal?.throwIfAborted();
    throw new Error('nobody gave them up');
  };

const pids = async (): Promise<number[]> =>
  (await readFile(join(directory, 'pids'), 'utf8')).trim().split('\n').filter(Boolean).map(Number);

const partsThat = (status: ProgressEvent['status']): string[] =>
  events
    .filter((event) => event.status === status)
    .map(({ component }) => component)
    .toSorted();

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('a first start of the embedded stack', () => {
  it('ends at once when it is interrupted, with every download, and without another error', async () => {
    const controller = new AbortController();
    const ended: string[] = [];
    const outcome = start({ headNodes: slowHeadNodes(ended), signal: controller.signal }).catch(messageOf);
    await expect.poll(async () => (await pids()).length, { timeout: 20_000 }).toBe(3);
    controller.abort(new Error('interrupted'));
    expect(await outcome).toBe('interrupted');
    expect((await pids()).filter(isRunning)).toEqual([]);
    expect(await pids()).toHaveLength(3);
    expect(ended).toEqual(['head nodes']);
    expect(partsThat('failed')).toEqual([]);
    expect(partsThat('given up')).toEqual(['AWS emulators', 'ParallelCluster', 'Temporal', 'head nodes']);
  });

  it('ends when one part fails: the others are given up, have ended, and only the cause is told', async () => {
    const ended: string[] = [];
    const starting = start({
      headNodes: slowHeadNodes(ended),
      variables: { PROVISIONER_PYTHON: '/no/python' },
    });
    await expect(starting).rejects.toThrow(/\/no\/python.*\. Python 3\.11 or newer/s);
    expect(ended).toEqual(['head nodes']);
    expect(partsThat('failed')).toHaveLength(1);
    expect(partsThat('given up')).toContain('head nodes');
  });

  it('gives downloads up when it is known that there can be no head nodes', async () => {
    const starting = start({
      headNodes: async () => {
        await expect.poll(async () => (await pids()).length, { timeout: 20_000 }).toBe(3);
        throw new Error('only root may use them');
      },
    });
    await expect(starting).rejects.toThrow('only root may use them');
    expect((await pids()).filter(isRunning)).toEqual([]);
    expect(partsThat('failed')).toEqual(['head nodes']);
  });

  it('gives the rest up when the path of Temporal is wrong', async () => {
    const ended: string[] = [];
    const starting = start({
      headNodes: slowHeadNodes(ended),
      variables: { TEMPORAL_CLI_PATH: '/no/temporal' },
    });
    await expect(starting).rejects.toThrow('TEMPORAL_CLI_PATH is /no/temporal');
    expect(ended).toEqual(['head nodes']);
    expect((await pids()).filter(isRunning)).toEqual([]);
    expect(partsThat('failed')).toEqual(['Temporal']);
  });
});
