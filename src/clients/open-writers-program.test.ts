import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, open, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OpenWriter } from '../domain/open-writers.ts';
import { decodeOpenWriters, encodeOpenWriters } from './open-writers-protocol.ts';
import { answerOf, remoteCommand } from './remote-programs.ts';

let root: string;
let folder: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'writers-'));
  folder = join(root, 'private');
  await mkdir(folder);
  await mkdir(join(root, 'bin'));
  await squeueAnswers('');
});
afterEach(async () => rm(root, { recursive: true }));

async function squeueAnswers(text: string, exitCode = 0): Promise<void> {
  const program = join(root, 'bin', 'squeue');
  await writeFile(program, `#!/bin/bash\nprintf '%s' '${text}'\nexit ${exitCode}\n`);
  await chmod(program, 0o755);
}

async function run(below = folder): Promise<OpenWriter[]> {
  const PATH = `${join(root, 'bin')}:/usr/bin:/bin`;
  const env = { HOME: root, USER: 'sim', LOGNAME: 'sim', SHELL: '/bin/bash', PATH };
  const child = spawn('/bin/bash', ['-c', remoteCommand('open-writers')], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  // Not ended, as over SSH: the program must know where its input ends.
  child.stdin.write(encodeOpenWriters(below));
  await once(child, 'close');
  return decodeOpenWriters(answerOf(Buffer.concat(chunks)) ?? Buffer.alloc(0));
}

describe('what may still write below a folder', () => {
  it('is nothing where no file is open and no job has a node', async () => {
    await writeFile(join(folder, 'closed'), 'x');
    await expect(run()).resolves.toEqual([]);
  });

  it('are processes with a file open for writing, in whatever way, and not those that read', async () => {
    const path = join(folder, 'with a space', 'and more');
    await mkdir(join(folder, 'with a space'));
    await writeFile(path, 'x');
    const command = (await readFile('/proc/self/comm', 'utf8')).trim().replaceAll(' ', '_');
    const found = { kind: 'process', pid: process.pid, command, path };
    for (const flags of ['w', 'a', 'r+', 'wx+'] as const) {
      const file = await open(flags === 'wx+' ? `${path}2` : path, flags);
      await expect(run(), flags).resolves.toEqual([flags === 'wx+' ? { ...found, path: `${path}2` } : found]);
      await file.close();
    }
    const read = await open(path, 'r');
    await expect(run()).resolves.toEqual([]);
    await read.close();
  });

  it('are not files beside the folder, also of a name that begins alike', async () => {
    const file = await open(`${folder}2`, 'w');
    await expect(run()).resolves.toEqual([]);
    await file.close();
  });

  it('is also a file that was deleted while it is written', async () => {
    const path = join(folder, 'deleted');
    const file = await open(path, 'w');
    await rm(path);
    await expect(run()).resolves.toMatchObject([{ kind: 'process', path: `${path} (deleted)` }]);
    await file.close();
  });

  it('are jobs that have nodes', async () => {
    await squeueAnswers('17 RUNNING\n18 COMPLETING');
    await expect(run()).resolves.toEqual([
      { kind: 'job', jobId: '17', state: 'RUNNING' },
      { kind: 'job', jobId: '18', state: 'COMPLETING' },
    ]);
  });

  it('is unknown where Slurm does not answer, or the folder is not there', async () => {
    await squeueAnswers('Unable to contact slurm controller', 1);
    await expect(run()).rejects.toMatchObject({
      type: 'SlurmUnavailable',
      message: expect.stringContaining('Unable to contact'),
    });
    await expect(run(join(root, 'absent'))).rejects.toMatchObject({
      message: expect.stringContaining('is no folder'),
    });
    await symlink(folder, join(root, 'link'));
    expect(() => encodeOpenWriters('/data/*')).toThrow(RangeError);
    expect(() => encodeOpenWriters('data')).toThrow(RangeError);
  });
});
