import { readFile } from 'node:fs/promises';

/** A process, distinguishable from a later one that got the same number. */
export interface ProcessIdentity {
  pid: number;
  /** Field 22 of /proc/PID/stat: when the process started, in clock ticks since boot. */
  startTicks: string;
}

/** Identifies this process. */
export async function ownIdentity(): Promise<ProcessIdentity> {
  const startTicks = await startTicksOf(process.pid);
  if (startTicks === undefined) throw new Error(`/proc/${process.pid}/stat cannot be read`);
  return { pid: process.pid, startTicks };
}

/** Whether exactly this process still runs. A zombie counts as dead: nothing of it runs any more. */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  return (await startTicksOf(identity.pid)) === identity.startTicks;
}

/** Reads an identity that was written as JSON. Undefined for a record that its writer did not finish. */
export function parseIdentity(text: string): ProcessIdentity | undefined {
  const match = /^\{"pid":(\d+),"startTicks":"(\d+)"\}$/.exec(text);
  const [, pid, startTicks] = match ?? [];
  return pid === undefined || startTicks === undefined ? undefined : { pid: Number(pid), startTicks };
}

async function startTicksOf(pid: number): Promise<string | undefined> {
  let stat: string;
  try {
    stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The second field is the command in parentheses and may itself contain spaces and parentheses.
  const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return state === 'Z' || state === 'X' ? undefined : fields[18];
}
