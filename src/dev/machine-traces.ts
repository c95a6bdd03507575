import { readdir, readFile } from 'node:fs/promises';
import { ownLoopbackAddresses } from './head-node/loopback-addresses.ts';

/** Marks every process of a run: its value is the run's folder. */
export const RUN_VARIABLE = 'PROVISIONER_RUN';

/** What a run has on this machine, besides files. */
export interface MachineTraces {
  /** Process ids with their command lines. */
  readonly processes: readonly string[];
  /** Lines of mount tables. */
  readonly mounts: readonly string[];
  readonly loopbackAddresses: readonly string[];
}

/**
 * What there is now of the run with this folder: processes that descend from this one or carry the run's mark, mounts
 * that name its folder in any process's table, addresses on `lo` that this process holds.
 */
export async function machineTraces(directory: string): Promise<MachineTraces> {
  // Before the processes: looking takes a lock, which is a process.
  const loopbackAddresses = await ownLoopbackAddresses();
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
  const [processes, mounts] = await Promise.all([
    Promise.all(pids.map(async (pid) => describeIfOurs(pid, directory))),
    Promise.all(pids.map(async (pid) => read(pid, 'mountinfo'))),
  ]);
  const naming = mounts.flatMap((table) => table.split('\n').filter((line) => line.includes(directory)));
  return {
    processes: processes.flatMap((each) => each ?? []),
    mounts: [...new Set(naming)],
    loopbackAddresses,
  };
}

async function describeIfOurs(pid: string, directory: string): Promise<string | undefined> {
  const [stat, environment, commandLine] = await Promise.all([
    read(pid, 'stat'),
    read(pid, 'environ'),
    read(pid, 'cmdline'),
  ]);
  // proc_pid_stat(5): the second field, a name in parentheses, may itself hold spaces and parentheses.
  const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (state === '' || state === 'Z') return undefined;
  const isOurs = parent === String(process.pid) || isMarked(environment, directory);
  return isOurs ? `${pid} ${commandLine.replaceAll('\0', ' ').trim()}` : undefined;
}

/** Nodes have an environment of their own, which names their folder in that of the run. */
function isMarked(environment: string, directory: string): boolean {
  return environment
    .split('\0')
    .some(
      (entry) => entry === `${RUN_VARIABLE}=${directory}` || entry.startsWith(`NODE_DIRECTORY=${directory}/`),
    );
}

/** Empty for a process that ended meanwhile. */
async function read(pid: string, file: string): Promise<string> {
  return readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
}
