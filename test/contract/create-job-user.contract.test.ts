import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';

const SCRIPT = join(import.meta.dirname, '../../assets/create-job-user.sh');
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBtCaZ1qZ0k1qMlOf1JXUlFSUlNUVVZXWFlaW1xdXl9g';
const OTHER_KEY = KEY.replace('g', 'h');

/**
 * Runs commands as root on this machine, but with an /etc and a /home of their own, which vanish with the process:
 * accounts that they make do not exist anywhere else. `create` is the script, `$KEY` and `$OTHER_KEY` are keys.
 */
async function inOwnSystem(
  commands: string,
  key = KEY,
): Promise<{ exitCode: number | undefined; output: string }> {
  const prepared = `
    mount -t tmpfs tmpfs /home
    mkdir /home/.upper /home/.work
    mount -t overlay overlay -o lowerdir=/etc,upperdir=/home/.upper,workdir=/home/.work /etc
    create() { /bin/bash "$SCRIPT" "$@"; }
    ${commands}`;
  const { exitCode, all } = await execa(
    'unshare',
    ['--mount', '--propagation', 'private', '/bin/bash', '-euc', prepared],
    // bash takes a socket as its standard input for a remote shell's, and reads bash.bashrc: Node's pipes are sockets.
    { env: { SCRIPT, KEY: key, OTHER_KEY }, stdin: 'ignore', all: true, reject: false },
  );
  return { exitCode, output: all };
}

describe('the script that creates the job user', () => {
  test('makes an account that can log in with its one key and do nothing as root', async () => {
    const { output } = await inOwnSystem(`
      create sim 2000 "$KEY"
      id sim
      getent shadow sim | cut -d: -f2
      stat -c '%U:%G %a %n' /home/sim /home/sim/.ssh /home/sim/.ssh/authorized_keys
      cat /home/sim/.ssh/authorized_keys`);
    expect(output.split('\n')).toEqual([
      'uid=2000(sim) gid=2000(sim) groups=2000(sim)',
      '*',
      'sim:sim 700 /home/sim',
      'sim:sim 700 /home/sim/.ssh',
      'sim:sim 600 /home/sim/.ssh/authorized_keys',
      KEY,
    ]);
  });

  test('changes nothing when it runs again', async () => {
    const state = `{ getent passwd sim; getent group sim; find /home/sim -printf '%p %m %u\\n' | sort; } | sha256sum`;
    const { exitCode, output } = await inOwnSystem(
      `create sim 2000 "$KEY"; ${state}; create sim 2000 "$KEY"; ${state}`,
    );
    expect(exitCode).toBe(0);
    expect(new Set(output.split('\n')).size).toBe(1);
  });

  test('leaves only the given key, whatever keys were there', async () => {
    const { output } = await inOwnSystem(`
      create sim 2000 "$OTHER_KEY"
      create sim 2000 "$KEY"
      cat /home/sim/.ssh/authorized_keys; ls -A /home/sim/.ssh`);
    expect(output).toBe(`${KEY}\nauthorized_keys`);
  });

  test('keeps the files of a shared home on a node where the account is new', async () => {
    const { output } = await inOwnSystem(`
      mkdir -m 700 /home/sim; echo result > /home/sim/data; chown -R 2000:2000 /home/sim
      create sim 2000 "$KEY" 2>/dev/null
      cat /home/sim/data`);
    expect(output).toBe('result');
  });

  test.each([
    ['the folder', 'ln -s /etc/target /home/sim/.ssh'],
    ['the file', 'mkdir /home/sim/.ssh; ln -s /etc/target/authorized_keys /home/sim/.ssh/authorized_keys'],
  ])('is not led astray when a job has put a link in the place of %s of keys', async (_, attack) => {
    const { output } = await inOwnSystem(`
      mkdir -m 700 /home/sim /etc/target; echo "key of root" > /etc/target/authorized_keys
      ${attack}; chown -hR 2000:2000 /home/sim
      create sim 2000 "$KEY" 2>/dev/null
      cat /etc/target/authorized_keys; ls -A /etc/target
      stat -c '%F %U' /home/sim/.ssh/authorized_keys`);
    expect(output).toBe('key of root\nauthorized_keys\nregular file sim');
  });

  test('takes the account out of every other group', async () => {
    const { output } = await inOwnSystem(`
      create sim 2000 "$KEY"; usermod --groups sudo,root sim; create sim 2000 "$KEY"; id -Gn sim`);
    expect(output).toBe('sim');
  });

  test.each([
    ['a user with another id', 'sim 2000', 'useradd --uid 3000 sim;', 'exists with the ids'],
    ['root', 'root 2000', '', 'root exists with the ids'],
    ['an id of the system', 'sim 999', '', 'not an id between'],
    ['a name with shell characters', '"sim;id" 2000', '', 'not a user name'],
  ])('refuses %s and says why', async (_, userAndId, before, reason) => {
    const { exitCode, output } = await inOwnSystem(`${before} create ${userAndId} "$KEY"`);
    expect(exitCode).toBe(1);
    expect(output).toContain(reason);
  });

  test.each(['ssh-rsa AAAA', 'command="id" ssh-ed25519 AAAA', 'ssh-ed25519 AAAA\nssh-ed25519 BBBB', ''])(
    'refuses %j as a key',
    async (key) => {
      const { exitCode, output } = await inOwnSystem('create sim 2000 "$KEY"', key);
      expect(output).toContain('not an Ed25519 public key');
      expect(exitCode).toBe(1);
    },
  );
});
