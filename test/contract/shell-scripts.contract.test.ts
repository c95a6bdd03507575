import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { beforeAll, describe, expect, it } from 'vitest';
import { readDevEnvironment } from '../../src/dev/environment.ts';
import { ensureVenv } from '../../src/dev/python-venv.ts';

const ROOT = join(import.meta.dirname, '..', '..');
/** Where shell scripts are, with and without the ending `.sh`. */
const FOLDERS = ['.ci', 'assets', 'src'] as const;

let shellcheck: string;
beforeAll(async () => {
  const venv = await ensureVenv({ ...readDevEnvironment(), name: 'shellcheck', onProgress: () => {} });
  shellcheck = join(venv, 'bin', 'shellcheck');
});

async function scriptsBelow(folder: string): Promise<string[]> {
  const entries = await readdir(join(ROOT, folder), { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  const scripts = await Promise.all(files.map(async (file) => ((await isScript(file)) ? [file] : [])));
  return scripts.flat();
}

async function isScript(file: string): Promise<boolean> {
  return file.endsWith('.sh') || /^#!.*\b(ba)?sh\b/.test(await readFile(file, 'utf8'));
}

describe('the shell scripts', () => {
  it('give ShellCheck nothing to say', async () => {
    const scripts = (await Promise.all(FOLDERS.map(scriptsBelow))).flat();
    expect(scripts).toContain(join(ROOT, 'src', 'clients', 'remote', 'submit.sh'));
    expect(scripts).toContain(join(ROOT, '.ci', 'run'));
    const { stdout } = await execa(shellcheck, ['--norc', ...scripts], { reject: false, cwd: ROOT });
    expect(stdout).toBe('');
  });

  it('would not pass with a mistake in one', async () => {
    const { stdout } = await execa(shellcheck, ['--norc', '--shell=bash', '-'], {
      input: 'rm -rf $1/*\n',
      reject: false,
    });
    expect(stdout).toContain('SC2086');
  });
});
