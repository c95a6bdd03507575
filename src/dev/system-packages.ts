import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { execa } from 'execa';

/** Something that the machine must have, and the Debian packages that bring it. */
export interface SystemRequirement {
  /** As a person would name it, e.g. `debootstrap` or `Python 3.11 with venv`. */
  name: string;
  aptPackages: readonly string[];
  isPresent: () => Promise<boolean>;
}

/** A requirement is missing and could not be installed; the message says exactly what to do. */
export class SystemRequirementError extends Error {
  override name = 'SystemRequirementError';
}

/** What the installer asks of the machine; replaced in tests. */
export interface PackageHost {
  /** Whether this process may install packages with apt: root on Debian or a relative of it. */
  canInstall: () => Promise<boolean>;
  /** Installs the packages. Rejects with the last output of apt when it fails, and with the reason of the signal. */
  install: (packages: readonly string[], signal?: AbortSignal) => Promise<void>;
}

export interface EnsureOptions {
  onProgress: (message: string) => void;
  host?: PackageHost;
  /** Gives an installation up, as soon as the packages are left in order. */
  signal?: AbortSignal | undefined;
}

/** A command on the PATH or in an administration folder; `aptPackage` defaults to its name. */
export function commandRequirement(command: string, aptPackage: string = command): SystemRequirement {
  return {
    name: command,
    aptPackages: [aptPackage],
    // The administration folders are not on the PATH of every user, nor of every service.
    isPresent: () =>
      succeeds('sh', ['-c', 'PATH="$PATH:/usr/sbin:/sbin"; command -v -- "$1"', 'sh', command]),
  };
}

/** A file at a fixed place, such as a keyring. */
export function fileRequirement(path: string, aptPackage: string): SystemRequirement {
  return { name: path, aptPackages: [aptPackage], isPresent: () => isReadable(path) };
}

/** A `python3` of at least this version that can make virtual environments with pip in them. */
export function pythonRequirement(minimum: { major: number; minor: number }): SystemRequirement {
  const program = `import ensurepip, sys, venv; sys.exit(sys.version_info < (${minimum.major}, ${minimum.minor}))`;
  return {
    name: `Python ${minimum.major}.${minimum.minor} with venv`,
    aptPackages: ['python3', 'python3-venv'],
    isPresent: () => succeeds('python3', ['-c', program]),
  };
}

/**
 * Makes sure that the machine has all of `requirements`: what is missing is installed by apt when this process is
 * root on Debian or Ubuntu, announced through `onProgress`. Otherwise, and when something is still missing
 * afterwards, fails with one {@link SystemRequirementError} that names everything missing and the next step.
 */
export async function ensureSystemPackages(
  requirements: readonly SystemRequirement[],
  { onProgress, host = aptHost, signal }: EnsureOptions,
): Promise<void> {
  const missing = await missingOf(requirements);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.flatMap((requirement) => requirement.aptPackages))].toSorted();
  const names = missing.map((requirement) => requirement.name).join(', ');
  if (!(await host.canInstall())) {
    throw new SystemRequirementError(
      `Missing on this machine: ${names}. On Debian or Ubuntu run, as root: apt-get install ${packages.join(' ')}. ` +
        'On other systems install their equivalents, then start again.',
    );
  }
  onProgress(`system packages: installing ${packages.join(', ')}`);
  await host.install(packages, signal);
  const stillMissing = await missingOf(missing);
  if (stillMissing.length > 0) {
    const stillNames = stillMissing.map((requirement) => requirement.name).join(', ');
    throw new SystemRequirementError(
      `Still missing after installing ${packages.join(' ')}: ${stillNames}. ` +
        'Install a version that satisfies it by hand, then start again.',
    );
  }
}

async function missingOf(requirements: readonly SystemRequirement[]): Promise<SystemRequirement[]> {
  const present = await Promise.all(requirements.map((requirement) => requirement.isPresent()));
  return requirements.filter((_, index) => present[index] !== true);
}

function isReadable(path: string): Promise<boolean> {
  return access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
}

async function succeeds(command: string, args: readonly string[]): Promise<boolean> {
  return (await execa(command, args, { reject: false })).exitCode === 0;
}

const aptHost: PackageHost = {
  canInstall: async () => process.getuid?.() === 0 && (await commandRequirement('apt-get').isPresent()),
  install: async (packages, signal) => {
    await apt(['update'], signal);
    await apt(['install', '--yes', '--no-install-recommends', ...packages], signal);
  },
};

/** Another apt may be at work (unattended upgrades): wait for its lock instead of failing at once. */
async function apt(args: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  const result = await execa('apt-get', ['-o', 'DPkg::Lock::Timeout=120', '--quiet=2', ...args], {
    env: { DEBIAN_FRONTEND: 'noninteractive' },
    stdin: 'ignore',
    all: true,
    reject: false,
    ...(signal && { cancelSignal: signal }),
    // apt then stops between two packages. A dpkg that is ended in the middle of one leaves the machine to be repaired,
    // so nothing else is sent: neither a SIGKILL nor a terminal's Ctrl-C.
    killSignal: 'SIGINT',
    forceKillAfterDelay: false,
    detached: true,
  });
  signal?.throwIfAborted();
  if (result.exitCode !== 0) {
    const lastLines = result.all.split('\n').slice(-15).join('\n');
    throw new SystemRequirementError(
      `apt-get ${args.join(' ')} failed (exit code ${result.exitCode ?? 'none'}). Correct what it says, then start again:\n${lastLines}`,
    );
  }
}
