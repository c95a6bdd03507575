import { connect } from 'node:net';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { startTimeSkipping, stopTimeSkipping } from '../support/time-skipping.ts';

async function isListening(address: string): Promise<boolean> {
  const [host = '', port] = address.split(':');
  const socket = connect(Number(port), host);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

it('a time-skipping server ends although its connections cannot be closed', async () => {
  const env = await startTimeSkipping();
  expect(await isListening(env.address)).toBe(true);
  const teardown = env.teardown.bind(env);
  env.teardown = async () => Promise.reject(new Error('a worker is still running'));
  await expect(stopTimeSkipping(env)).rejects.toThrow('still running');
  await expect.poll(async () => isListening(env.address)).toBe(false);
  await teardown();
});
