import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** How long a group may take to end by itself before SIGKILL follows, and how long it may survive that. */
const GRACE_SECONDS = 5;
const POLL_MILLISECONDS = 50;

/**
 * Ends a process group that a child of this process leads: first by `signal`, after a while by SIGKILL. Returns once
 * nothing of it runs any more. Safe to repeat.
 *
 * @param leaderEnded settles when the leader has ended and was reaped.
 * @throws Error when something of it survives SIGKILL.
 */
export async function endGroup(
  groupId: number,
  leaderEnded: Promise<unknown>,
  signal: 'SIGTERM' | 'SIGINT',
): Promise<void> {
  signalGroup(groupId, signal);
  await Promise.race([leaderEnded, sleep(GRACE_SECONDS * 1000, undefined, { ref: false })]);
  // The leader is gone or stubborn; either way its helpers may still be there.
  signalGroup(groupId, 'SIGKILL');
  await leaderEnded;
  const deadline = Date.now() + GRACE_SECONDS * 1000;
  while (hasLiveMember(groupId)) {
    if (Date.now() > deadline) throw new Error(`process group ${groupId} survived SIGKILL`);
    await sleep(POLL_MILLISECONDS);
  }
}

/** A group that is already gone is what was wanted. */
function signalGroup(groupId: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-groupId, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** Zombies do not count: they run nothing, and in a container there may be no init that reaps them. */
function hasLiveMember(groupId: number): boolean {
  return readdirSync('/proc').some((entry) => {
    if (!/^\d+$/.test(entry)) return false;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      // proc_pid_stat(5): the second field, a name in parentheses, may itself hold spaces and parentheses.
      const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return Number(group) === groupId && state !== 'Z';
    } catch {
      return false; // it ended in between
    }
  });
}
