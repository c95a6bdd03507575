import { createHash } from 'node:crypto';
import { access, mkdir, readFile, readlink, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DevStackError } from './errors.ts';
import { withFileLock } from './head-node/file-lock.ts';
import { runProgram } from './program.ts';
import { ensureVenv } from './python-venv.ts';

/** Where head nodes see the wheels. */
export const WHEELS_MOUNT_POINT = '/opt/wheels';

const REQUIREMENTS = join(import.meta.dirname, 'python', 'wheels.txt');
/** About 65 MB; anything slower than this is stuck. */
const DOWNLOAD_DEADLINE_SECONDS = 600;

/** Which wheels, and where they are kept. */
export interface WheelhouseOptions {
  readonly cacheDirectory: string;
  /** The interpreter of this machine that downloads, for example `python3`. */
  readonly python: string;
  /** The interpreter that the wheels are for, e.g. `3.13`; see {@link pythonVersionOf}. */
  readonly pythonVersion: string;
  /** Told once, before the download starts; never when the wheels are already there. */
  readonly onProgress: (detail: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The folder of wheels from which jobs on clusters without Internet install NEURON and matplotlib, downloaded from PyPI when the
 * cache has none for these pins and this Python. Complete or absent, and downloaded once, however many ask for it.
 *
 * @throws DevStackError when PyPI has no such wheel or cannot be reached; the reason of `signal` when that is aborted.
 */
export async function ensureWheelhouse(options: WheelhouseOptions): Promise<string> {
  const { cacheDirectory, pythonVersion, onProgress } = options;
  const hash = createHash('sha256')
    .update(await readFile(REQUIREMENTS))
    .digest('hex')
    .slice(0, 12);
  const wheels = join(cacheDirectory, 'wheels', `python${pythonVersion}-${process.arch}-${hash}`);
  if (await exists(wheels)) return wheels;
  onProgress(`downloading the wheels of NEURON and matplotlib for Python ${pythonVersion} from PyPI, once`);
  const venv = await ensureVenv({ ...options, name: 'pip' });
  const downloadUnlessThere = async (): Promise<void> => {
    if (!(await exists(wheels))) await download(options, join(venv, 'bin', 'python'), wheels);
  };
  await withFileLock(`${wheels}.lock`, downloadUnlessThere, options.signal);
  return wheels;
}

/**
 * The Python of a root image, e.g. `3.13`.
 *
 * @throws Error when the image has none.
 */
export async function pythonVersionOf(image: string): Promise<string> {
  // Debian's python3 is a link to the one interpreter that its packages are built for.
  const target = await readlink(join(image, 'usr', 'bin', 'python3'));
  const [, version] = /^python(3\.\d+)$/.exec(target) ?? [];
  if (version === undefined) throw new Error(`${image}/usr/bin/python3 is a link to ${target}`);
  return version;
}

async function download(options: WheelhouseOptions, python: string, wheels: string): Promise<void> {
  const partial = `${wheels}.partial`;
  await rm(partial, { recursive: true, force: true }); // left by a download that was killed
  await mkdir(partial, { recursive: true });
  const choice = ['--only-binary=:all:', '--no-deps', '--implementation', 'cp'];
  const target = ['--python-version', options.pythonVersion, ...platforms()];
  const quiet = ['--disable-pip-version-check', '--no-input', '--progress-bar', 'off'];
  const { failure, output } = await runProgram(
    python,
    [
      '-m',
      'pip',
      'download',
      ...quiet,
      ...choice,
      ...target,
      '--requirement',
      REQUIREMENTS,
      '--dest',
      partial,
    ],
    { timeoutSeconds: DOWNLOAD_DEADLINE_SECONDS, signal: options.signal },
  );
  if (failure !== undefined) {
    throw new DevStackError('wheels', `${failure}\n${output.trim()}`.trimEnd(), {
      nextStep: 'Access to PyPI is needed once; then start again',
    });
  }
  await rename(partial, wheels);
}

/** PEP 600 tags from the oldest that the pins need to the image's own glibc; pip takes each only when named. */
function platforms(): string[] {
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  return ['2_28', '2_27', '2_17'].flatMap((glibc) => ['--platform', `manylinux_${glibc}_${machine}`]);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
