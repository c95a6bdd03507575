import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { freePorts } from './free-port.ts';
import { type ManagedProcess, startManagedProcess } from './managed-process.ts';
import type { Stack } from './stack.ts';

const CLI = fileURLToPath(new URL('../cli.ts', import.meta.url));
const START_DEADLINE_SECONDS = 60;

/** The product's own two processes, run as an installation runs them: by the CLI, configured by the environment. */
export interface Product {
  readonly apiUrl: string;
  readonly token: string;
  readonly env: Readonly<Record<string, string>>;
  readonly api: ManagedProcess;
  readonly worker: ManagedProcess;
  close(): Promise<void>;
}

/** Quick enough to watch: what takes minutes on AWS takes a second here. */
const PACE = {
  STACK_POLL_SECONDS: '1',
  LUSTRE_POLL_SECONDS: '1',
  LOG_FOLLOW_SECONDS: '2',
  BUSY_TICK_SECONDS: '2',
  IDLE_TICK_SECONDS: '5',
  USAGE_RECORD_SECONDS: '10',
  DRAIN_TIMEOUT_SECONDS: '60',
  READY_TIMEOUT_SECONDS: '120',
};

/**
 * Starts worker and API on a stack and waits until the API says that it is ready.
 *
 * @throws DevStackError when one does not come up; the reason of `signal` when that is aborted.
 */
export async function startProduct(
  stack: Stack,
  overrides: Readonly<Record<string, string>> = {},
  signal?: AbortSignal,
): Promise<Product> {
  const [port = 0] = await freePorts(1);
  const token = randomBytes(24).toString('hex');
  const env = {
    ...stack.env,
    ...PACE,
    SSH_ALLOWED_CIDR: '127.0.0.0/8',
    API_TOKEN: token,
    API_PORT: String(port),
    ...overrides,
  };
  const apiUrl = `http://127.0.0.1:${port}`;
  const start = async (name: 'api' | 'worker', isHealthy: () => Promise<boolean>) =>
    startManagedProcess({
      name,
      command: process.execPath,
      args: [CLI, name],
      env,
      logDirectory: stack.logDirectory,
      isHealthy,
      deadlineSeconds: START_DEADLINE_SECONDS,
      signal,
    });
  const ready = async () => (await fetch(`${apiUrl}/readyz`)).ok;
  const api = await start('api', async () => (await fetch(`${apiUrl}/healthz`)).ok);
  // The API is ready once a worker polls.
  const worker = await start('worker', ready).catch(async (error: unknown) => {
    await api.close();
    throw error;
  });
  return {
    apiUrl,
    token,
    env,
    api,
    worker,
    async close() {
      await worker.close();
      await api.close();
    },
  };
}
