import { describe, expect, it } from 'vitest';
import {
  commandRequirement,
  ensureSystemPackages,
  fileRequirement,
  pythonRequirement,
} from './system-packages.ts';
import type { PackageHost, SystemRequirement } from './system-packages.ts';

/** A machine on which installing a package makes the requirement of the same name present. */
function machine(options: { canInstall: boolean; installWorks?: boolean }) {
  const installed = new Set<string>();
  const host: PackageHost = {
    canInstall: async () => options.canInstall,
    install: async (packages) => {
      if (options.installWorks !== false) for (const name of packages) installed.add(name);
    },
  };
  const requirement = (name: string): SystemRequirement => ({
    name: `the ${name} command`,
    aptPackages: [name],
    isPresent: async () => installed.has(name),
  });
  const progress: string[] = [];
  return {
    installed,
    requirement,
    progress,
    options: { host, onProgress: (line: string) => progress.push(line) },
  };
}

describe('ensureSystemPackages', () => {
  it('can be given up while it installs', async () => {
    const { requirement, options } = machine({ canInstall: true });
    const controller = new AbortController();
    const host: PackageHost = {
      canInstall: async () => true,
      install: async (_packages, signal) => {
        controller.abort(new Error('interrupted'));
        signal?.throwIfAborted();
      },
    };
    const { signal } = controller;
    const ensuring = ensureSystemPackages([requirement('debootstrap')], { ...options, host, signal });
    await expect(ensuring).rejects.toThrow('interrupted');
  });

  it('installs only what is missing, and says so', async () => {
    const { installed, requirement, progress, options } = machine({ canInstall: true });
    installed.add('iproute2');
    await ensureSystemPackages([requirement('iproute2'), requirement('debootstrap')], options);
    expect([...installed]).toEqual(['iproute2', 'debootstrap']);
    expect(progress).toEqual(['system packages: installing debootstrap']);
  });

  it('says nothing when everything is there', async () => {
    const { installed, requirement, progress, options } = machine({ canInstall: false });
    installed.add('iproute2');
    await ensureSystemPackages([requirement('iproute2')], options);
    expect(progress).toEqual([]);
  });

  it('names everything missing and the command to run in one message where it may not install', async () => {
    const { requirement, options } = machine({ canInstall: false });
    const attempt = ensureSystemPackages([requirement('debootstrap'), requirement('iproute2')], options);
    await expect(attempt).rejects.toThrow(
      /the debootstrap command, the iproute2 command\..* apt-get install debootstrap iproute2\./,
    );
  });

  it('fails when the installation did not bring what was asked for', async () => {
    const { requirement, options } = machine({ canInstall: true, installWorks: false });
    await expect(ensureSystemPackages([requirement('debootstrap')], options)).rejects.toThrow(
      'Still missing after installing debootstrap: the debootstrap command.',
    );
  });
});

describe('requirements', () => {
  it('finds a command that exists and misses one that does not', async () => {
    expect(await commandRequirement('sh', 'dash').isPresent()).toBe(true);
    expect(await commandRequirement('no-such-command').isPresent()).toBe(false);
  });

  it('finds a file that exists and misses one that does not', async () => {
    expect(await fileRequirement('/etc/passwd', 'base-passwd').isPresent()).toBe(true);
    expect(await fileRequirement('/no/such/file', 'none').isPresent()).toBe(false);
  });

  it('refuses a Python older than the minimum', async () => {
    expect(await pythonRequirement({ major: 99, minor: 0 }).isPresent()).toBe(false);
  });
});
