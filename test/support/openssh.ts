import { execa } from 'execa';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { knownHosts } from '../../src/domain/host-key.ts';
import { commandRequirement, ensureSystemPackages } from '../../src/dev/system-packages.ts';
import type { ClusterAccess } from '../../src/domain/cluster-view.ts';

/** OpenSSH's own clients, as the Workflow Service may use them, logging in with a key and a known host key. */
export class OpenSsh {
  readonly directory: string;
  readonly #access: ClusterAccess;
  readonly #running = new Set<() => Promise<void>>();

  private constructor(directory: string, access: ClusterAccess) {
    this.directory = directory;
    this.#access = access;
  }

  static async prepare(access: ClusterAccess, privateKey: string): Promise<OpenSsh> {
    await ensureSystemPackages([commandRequirement('ssh', 'openssh-client')], { onProgress: () => {} });
    const directory = await mkdtemp(join(tmpdir(), 'openssh-'));
    await writeFile(join(directory, 'key'), privateKey, { mode: 0o600 });
    await writeFile(join(directory, 'known_hosts'), `${knownHosts(access)}\n`);
    return new OpenSsh(directory, access);
  }

  get destination(): string {
    return `${this.#access.user}@${this.#access.address}`;
  }

  /** Starts a client with its standard input open, and returns how to end it. */
  start(client: 'ssh' | 'scp' | 'sftp', ...args: string[]): () => Promise<void> {
    const { directory } = this;
    const options = [
      'IdentitiesOnly=yes',
      'BatchMode=yes',
      'StrictHostKeyChecking=yes',
      `UserKnownHostsFile=${directory}/known_hosts`,
    ].flatMap((option) => ['-o', option]);
    const child = execa(client, ['-F', 'none', '-i', `${directory}/key`, ...options, ...args], {
      stdin: 'pipe',
      stdout: 'ignore',
      stderr: 'ignore',
      reject: false,
    });
    const end = async () => {
      this.#running.delete(end);
      child.kill('SIGKILL');
      await child;
    };
    this.#running.add(end);
    return end;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running].map(async (end) => end()));
    await rm(this.directory, { recursive: true });
  }
}
