import { createHash } from 'node:crypto';
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DevStackError } from './errors.ts';
import { runProgram } from './program.ts';

const BUILDER = join(import.meta.dirname, 'python', 'build_venv.py');
/** A build downloads at most about 100 MB; anything slower than this is stuck. */
const BUILD_DEADLINE_SECONDS = 900;
const ERROR_TAIL_LINES = 8;

/** The private virtual environments, each described by `python/<name>.txt`. */
export type VenvName =
  'moto' | 'ministack' | 'parallelcluster' | 'pip' | 'shellcheck' | 'temporal' | 'temporal-test-server';

/** Where virtual environments are kept and what they are made from. */
export interface VenvOptions {
  readonly name: VenvName;
  readonly cacheDirectory: string;
  /** The interpreter to build with, for example `python3`. */
  readonly python: string;
  /** Told once, before a download starts; never when the environment is already there. */
  readonly onProgress: (detail: string) => void;
  /** Gives the build up. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The folder of a virtual environment with the pinned requirements in it, built if it is not in the cache yet.
 * Its name carries a hash of the requirements: a changed pin gives another folder, an unchanged one costs a
 * file look-up and no network.
 *
 * @throws DevStackError when Python is missing or too old, or an installation fails; the reason of `signal` when that is
 * aborted.
 */
export async function ensureVenv(options: VenvOptions): Promise<string> {
  const requirements = requirementsFile(options.name);
  const directory = await venvDirectory(options);
  if (await exists(directory)) return directory;
  options.onProgress(`installing ${options.name} from PyPI, once`);
  const { failure, output } = await runProgram(options.python, ['-I', BUILDER, directory, requirements], {
    timeoutSeconds: BUILD_DEADLINE_SECONDS,
    signal: options.signal,
  });
  if (failure !== undefined) {
    throw new DevStackError(`python environment ${options.name}`, `${failure}\n${tailOf(output)}`.trimEnd(), {
      nextStep: `Python 3.11 or newer with venv and pip is needed (Debian: apt-get install python3-venv), and access to PyPI; then start again`,
    });
  }
  return directory;
}

/** The folder of a virtual environment if it is in the cache, without building it. */
export async function cachedVenv(
  options: Pick<VenvOptions, 'name' | 'cacheDirectory'>,
): Promise<string | undefined> {
  const directory = await venvDirectory(options);
  return (await exists(directory)) ? directory : undefined;
}

async function venvDirectory({
  name,
  cacheDirectory,
}: Pick<VenvOptions, 'name' | 'cacheDirectory'>): Promise<string> {
  const pins = await readFile(requirementsFile(name));
  const hash = createHash('sha256').update(pins).digest('hex').slice(0, 12);
  return join(cacheDirectory, 'venvs', `${name}-${hash}`);
}

function requirementsFile(name: VenvName): string {
  return join(import.meta.dirname, 'python', `${name}.txt`);
}

/** The last lines say why; what pip did before that is noise. */
function tailOf(output: string): string {
  return output.trim().split('\n').slice(-ERROR_TAIL_LINES).join('\n');
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
