import { createHash } from 'node:crypto';
import { access, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DevStackError } from '../errors.ts';
import { runProgram } from '../program.ts';
import { commandRequirement, ensureSystemPackages, fileRequirement } from '../system-packages.ts';
import type { SystemRequirement } from '../system-packages.ts';
import { withFileLock } from './file-lock.ts';

/** What one generation of head nodes is made of. */
export interface RootImageRecipe {
  /** Debian suite; it decides the version of Slurm. */
  suite: string;
  packages: readonly string[];
}

/** Both suites have them all under the same names. */
const PACKAGES = [
  'slurm-wlm',
  'slurm-wlm-basic-plugins',
  'slurm-wlm-jwt-plugin',
  'slurm-wlm-mysql-plugin',
  'slurmdbd',
  'slurmrestd',
  'munge',
  'mariadb-server',
  'openssh-client',
  'openssh-server',
  'environment-modules',
  'ca-certificates',
  'iproute2',
  'procps',
  'sudo',
  // TLS in front of slurmrestd, which has none of its own.
  'openssl',
  'stunnel4',
  // Jobs make virtual environments of their own.
  'python3',
  'python3-pip',
  'python3-venv',
  // Plays Mountpoint for Amazon S3, which is no package of Debian's.
  's3fs',
];

export const rootImageRecipes = {
  /** Slurm 24.11, MariaDB 11.8 and environment modules 5.5: the generation that current ParallelCluster releases ship. */
  trixie: { suite: 'trixie', packages: PACKAGES },
  /** Slurm 22.05, MariaDB 10.11 and environment modules 5.2: the oldest generation that the gateways are held to. */
  bookworm: { suite: 'bookworm', packages: PACKAGES },
} as const satisfies Readonly<Record<string, RootImageRecipe>>;

/** Debian suites that head nodes are made of. */
export type RootImageSuite = keyof typeof rootImageRecipes;

/** What the machine needs for building the image and for running nodes from it. */
export const HEAD_NODE_REQUIREMENTS: readonly SystemRequirement[] = [
  commandRequirement('debootstrap'),
  fileRequirement('/usr/share/keyrings/debian-archive-keyring.gpg', 'debian-archive-keyring'),
  commandRequirement('chroot', 'coreutils'),
  commandRequirement('flock', 'util-linux'),
  commandRequirement('nsenter', 'util-linux'),
  commandRequirement('setpriv', 'util-linux'),
  commandRequirement('unshare', 'util-linux'),
  commandRequirement('ip', 'iproute2'),
];

export interface RootImageOptions {
  /** Outside the clone; the image stays there for later runs (about 450 MB). */
  cacheDir: string;
  onProgress: (message: string) => void;
  recipe?: RootImageRecipe;
  /** Gives the build up. */
  signal?: AbortSignal | undefined;
}

const FINISH_SCRIPT = fileURLToPath(new URL('finish-image.sh', import.meta.url));
const PART = 'root image';

/**
 * The folder of the root image that all head nodes share, built when the cache has none for this recipe. Complete
 * or absent: it is built under another name and renamed at the end, and a second builder waits for the first.
 * Do not write to it: running nodes use it as the lower layer of their overlay.
 *
 * @throws DevStackError when this process is not root or the build fails, with the last lines of its output; the
 * reason of `signal` when that is aborted.
 */
export async function ensureRootImage(options: RootImageOptions): Promise<string> {
  const { cacheDir, onProgress, recipe = rootImageRecipes.trixie, signal } = options;
  if (process.getuid?.() !== 0) {
    throw new DevStackError(
      PART,
      'head nodes need mount namespaces and debootstrap, which only root may use',
      {
        nextStep: 'Run the same command as root',
      },
    );
  }
  await ensureSystemPackages(HEAD_NODE_REQUIREMENTS, { onProgress, signal });
  const folder = join(cacheDir, 'head-node-images');
  const image = join(folder, `${recipe.suite}-${await recipeKey(recipe)}`);
  if (await exists(image)) return image;
  await mkdir(folder, { recursive: true });
  const buildUnlessThere = async (): Promise<void> => {
    if (!(await exists(image))) await build(recipe, image, options);
  };
  await withFileLock(`${image}.lock`, buildUnlessThere, signal);
  return image;
}

/** Twelve hexadecimal digits that change with everything that makes the image what it is. */
async function recipeKey(recipe: RootImageRecipe): Promise<string> {
  const finish = await readFile(FINISH_SCRIPT, 'utf8');
  return createHash('sha256')
    .update(JSON.stringify([recipe.suite, recipe.packages, finish]))
    .digest('hex')
    .slice(0, 12);
}

async function build(
  recipe: RootImageRecipe,
  image: string,
  { onProgress, signal }: RootImageOptions,
): Promise<void> {
  // Only the holder of the lock builds, so what is there under this name was left by a builder that died.
  const unfinished = `${image}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  try {
    onProgress(`${PART}: reading the package list of Debian ${recipe.suite}`);
    await run(
      'debootstrap',
      ['--variant=minbase', `--include=${recipe.packages.join(',')}`, recipe.suite, unfinished],
      debootstrapProgress((message) => onProgress(`${PART}: ${message}`)),
      signal,
    );
    onProgress(`${PART}: removing what nodes do not need`);
    await run('bash', [FINISH_SCRIPT, unfinished], () => undefined, signal);
    await rename(unfinished, image);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    throw error;
  }
}

/** debootstrap's steps, in the words of the progress display. "Validating" comes once for every package. */
const STEPS: Readonly<Record<string, string>> = {
  Retrieving: 'downloading',
  Unpacking: 'unpacking',
  Configuring: 'configuring',
};
const PROGRESS_EVERY_PACKAGES = 10;

/**
 * Turns debootstrap's output into few progress messages, e.g. `unpacking 120/206 packages`. The total is known
 * once everything is downloaded; until then only the count is told.
 */
export function debootstrapProgress(onProgress: (message: string) => void): (line: string) => void {
  const counts = new Map<string, number>();
  return (line) => {
    const [, step] = /^I: (\w+) [\w.+:-]+(?: [\w.+:~-]+)?(?:\.\.\.)?$/.exec(line) ?? [];
    if (step === undefined) return;
    const count = (counts.get(step) ?? 0) + 1;
    counts.set(step, count);
    const words = STEPS[step];
    if (words === undefined || count % PROGRESS_EVERY_PACKAGES !== 0) return;
    const total = step === 'Retrieving' ? undefined : counts.get('Validating');
    onProgress(`${words} ${count}${total === undefined ? '' : `/${total}`} packages`);
  };
}

async function run(
  command: string,
  args: readonly string[],
  onLine: (line: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  // In mounts of their own: what they mount vanishes with them, however they end, and is never deleted through.
  const inOwnMounts = ['--mount', '--propagation', 'private', '--', command, ...args];
  const { failure, output } = await runProgram('unshare', inOwnMounts, {
    // debootstrap calls chroot, mknod and ldconfig, which are not on every PATH.
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' },
    signal,
    onLine,
  });
  if (failure === undefined) return;
  throw new DevStackError(
    PART,
    `${basename(command)} failed, ${failure}:\n${output.trimEnd().split('\n').slice(-15).join('\n')}`,
    {
      nextStep:
        "Check that this machine reaches Debian's package archive and has 2 GB of free disk, then start again",
    },
  );
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
