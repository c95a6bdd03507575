import { createServer } from 'node:net';
import type { Server } from 'node:net';

/**
 * Ports that were free on 127.0.0.1 a moment ago, all different. Another process can still take one before it is
 * used: whoever starts a server on it must treat "address in use" as an ordinary start failure.
 */
export async function freePorts(count: number): Promise<number[]> {
  // All listeners are open at once, otherwise the kernel may hand out the same port twice.
  const reservations = await Promise.all(Array.from({ length: count }, reserve));
  await Promise.all(reservations.map(async ({ release }) => release()));
  return reservations.map(({ port }) => port);
}

/** Makes a server listen on a free port of 127.0.0.1, which is returned. */
export async function listenOnLoopback(server: Server): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('a TCP server has an address');
  return address.port;
}

async function reserve(): Promise<{ port: number; release: () => Promise<void> }> {
  const server = createServer();
  const port = await listenOnLoopback(server);
  const release = async (): Promise<void> =>
    new Promise((resolve, reject) => {
      server.close((error) => (error === undefined ? resolve() : reject(error)));
    });
  return { port, release };
}
