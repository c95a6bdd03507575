import { afterEach, beforeEach, expect, it } from 'vitest';
import { RemoteHome } from '../../test/support/remote-home.ts';
import { decodeSessions } from './slurm-protocol.ts';

/*
 * The program that runs on the head node, with a `ps` in the place of the real one, for what no head node of the tests has. What
 * sshd shows is for the contract suite.
 */
let home: RemoteHome;

beforeEach(async () => {
  home = await RemoteHome.make();
});
afterEach(async () => home.remove());

async function sessionsAmong(...processes: string[]): Promise<number | undefined> {
  await home.write('processes', ['1 0 Ss /usr/lib/systemd/systemd', ...processes, ''].join('\n'));
  await home.program('ps', 'cat "$HOME/processes"');
  return decodeSessions(await home.run('sessions', ''));
}

it('a session of the SSM agent counts, the agent that waits for one does not', async () => {
  const agent = ['700 1 Ssl /usr/bin/amazon-ssm-agent', '710 700 Sl /usr/bin/ssm-agent-worker'];
  const session = '800 710 Sl /usr/bin/ssm-session-worker operator-0a1b2c3d i-0123456789abcdef0';
  expect(await sessionsAmong(...agent)).toBe(0);
  expect(await sessionsAmong(...agent, session, '810 800 Ss sh', '811 810 S+ sleep 100')).toBe(1);
  expect(await sessionsAmong(...agent, session, session.replace('800', '900'))).toBe(2);
});
