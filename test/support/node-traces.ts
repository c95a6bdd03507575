import { readdir, readFile, readlink } from 'node:fs/promises';
import { execa } from 'execa';

/** Names the pid namespace that `pid` is in. */
export async function namespaceOf(pid: number): Promise<string> {
  return readlink(`/proc/${pid}/ns/pid`);
}

/** The processes of a pid namespace. */
export async function processesIn(namespace: string): Promise<string[]> {
  const found = await Promise.all(
    (await processes()).map(async (pid) =>
      (await linkOf(`/proc/${pid}/ns/pid`)) === namespace ? [pid] : [],
    ),
  );
  return found.flat();
}

/** The mounts that name this folder, whichever process of this machine sees them. */
export async function mountsNaming(directory: string): Promise<string[]> {
  const tables = await Promise.all(
    (await processes()).map((pid) => readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => '')),
  );
  return tables.flatMap((table) => table.split('\n').filter((line) => line.includes(directory)));
}

/** The ports on which something listens at exactly this address. */
export async function listenersOn(address: string): Promise<number[]> {
  return (await listeningSockets(address)).map(({ port }) => port);
}

/** The same with the inode of each socket, which tells it from one that somebody else opens there later. */
export async function listeningSockets(
  address: string,
): Promise<{ readonly port: number; readonly inode: string }[]> {
  // /proc/net/tcp writes addresses as hexadecimal numbers of the machine's byte order; 0A is LISTEN.
  const digits = address.split('.').toReversed();
  const hex = digits
    .map((digit) => Number(digit).toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase();
  const table = await readFile('/proc/net/tcp', 'utf8');
  // Behind the state: the queues, a timer, retransmissions, user and timeout.
  const line = new RegExp(` ${hex}:([0-9A-F]{4}) [0-9A-F:]+ 0A (?:\\S+ +){3}\\d+ +\\d+ (\\d+)`, 'g');
  return [...table.matchAll(line)].map(([, port = '', inode = '']) => ({
    port: Number.parseInt(port, 16),
    inode,
  }));
}

/** Whether the address is configured on `lo`. */
export async function isConfigured(address: string): Promise<boolean> {
  const { stdout } = await execa('ip', ['-4', '-oneline', 'address', 'show', 'dev', 'lo']);
  return stdout.includes(` ${address}/32 `);
}

async function processes(): Promise<string[]> {
  return (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
}

function linkOf(path: string): Promise<string | undefined> {
  return readlink(path).catch(() => undefined);
}
