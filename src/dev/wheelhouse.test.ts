import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensureWheelhouse, pythonVersionOf } from './wheelhouse.ts';

let directory: string;
let announced: string[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'wheelhouse-'));
  announced = [];
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

/**
 * A Python whose virtual environments hold a `python` that runs this shell code in the place of pip, with `$dest` as the
 * folder that it downloads into.
 */
async function pythonWithPip(code: string): Promise<string> {
  const pip = `#!/bin/sh
echo "$@" >> ${directory}/calls
for dest; do :; done
${code}`;
  await writeFile(join(directory, 'pip'), pip);
  const python = join(directory, 'python');
  // As build_venv.py: the folder is the argument before the requirements, and complete or absent.
  await writeFile(
    python,
    `#!/bin/sh
mkdir -p "$3.$$/bin" && cp ${directory}/pip "$3.$$/bin/python" && chmod +x "$3.$$/bin/python"
mv -T "$3.$$" "$3" 2> /dev/null || [ -d "$3" ]`,
  );
  await chmod(python, 0o755);
  return python;
}

const ensure = async (python: string, pythonVersion = '3.13'): Promise<string> =>
  ensureWheelhouse({
    cacheDirectory: join(directory, 'cache'),
    python,
    pythonVersion,
    onProgress: (detail) => announced.push(detail),
  });

const calls = async (): Promise<string[]> =>
  (await readFile(join(directory, 'calls'), 'utf8')).trim().split('\n');

describe('the wheelhouse', () => {
  it('is downloaded once for all who ask for it, and never again', async () => {
    const python = await pythonWithPip('sleep 0.1; touch "$dest/neuron.whl"');
    const [one, other] = await Promise.all([ensure(python), ensure(python)]);
    expect(other).toBe(one);
    expect(await readdir(one)).toEqual(['neuron.whl']);
    expect(await calls()).toHaveLength(1);
    announced = [];
    expect(await ensure('/no/python')).toBe(one);
    expect(announced).toEqual([]);
  });

  it('takes nothing but wheels for the Python of the image', async () => {
    await ensure(await pythonWithPip('touch "$dest/neuron.whl"'), '3.12');
    const [call] = await calls();
    expect(call).toContain('--only-binary=:all: --no-deps');
    expect(call).toContain('--python-version 3.12');
    expect(announced).toContain(
      'downloading the wheels of NEURON and matplotlib for Python 3.12 from PyPI, once',
    );
  });

  it('is another one for another Python', async () => {
    const python = await pythonWithPip('touch "$dest/neuron.whl"');
    expect(await ensure(python, '3.13')).not.toBe(await ensure(python, '3.12'));
  });

  it('says what to do when PyPI cannot be reached, and is whole at the next attempt', async () => {
    const unreachable = await pythonWithPip('touch "$dest/half.whl"; echo no network >&2; exit 1');
    await expect(ensure(unreachable)).rejects.toThrow(/no network. Access to PyPI is needed once/);
    const venvs = join(directory, 'cache', 'venvs');
    await rm(venvs, { recursive: true });
    const wheels = await ensure(await pythonWithPip('touch "$dest/neuron.whl"'));
    expect(await readdir(wheels)).toEqual(['neuron.whl']);
  });
});

describe('the Python of an image', () => {
  const imageWithPython = async (target: string): Promise<string> => {
    await mkdir(join(directory, 'usr', 'bin'), { recursive: true });
    await symlink(target, join(directory, 'usr', 'bin', 'python3'));
    return directory;
  };

  it('is read from the link that Debian makes', async () => {
    await expect(pythonVersionOf(await imageWithPython('python3.13'))).resolves.toBe('3.13');
  });

  it('is not guessed', async () => {
    await expect(pythonVersionOf(await imageWithPython('/opt/pypy'))).rejects.toThrow(
      'is a link to /opt/pypy',
    );
  });
});
