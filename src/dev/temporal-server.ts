import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Connection } from '@temporalio/client';
import { freePorts } from './free-port.ts';
import { type ManagedProcess, startManagedProcess } from './managed-process.ts';

/** What a Temporal development server needs. */
export interface TemporalServerOptions {
  /** The Temporal CLI. */
  readonly executable: string;
  /** SQLite file that keeps namespaces and histories; made when missing. */
  readonly databaseFile: string;
  readonly logDirectory: string;
  readonly env: Readonly<Record<string, string>>;
  /** Gives the start up. */
  readonly signal?: AbortSignal | undefined;
}

/** A running Temporal with namespace `default`. */
export interface TemporalServer {
  /** gRPC `host:port` for clients and workers. */
  readonly address: string;
  readonly uiUrl: string;
  /** A restart keeps address and state. */
  readonly process: ManagedProcess;
  close(): Promise<void>;
}

/** The namespace that `start-dev` always has. */
export const TEMPORAL_NAMESPACE = 'default';

/**
 * Starts `temporal server start-dev` with its UI on loopback, and waits until it serves gRPC.
 *
 * @throws DevStackError when it does not come up; the reason of `signal` when that is aborted.
 */
export async function startTemporalServer(options: TemporalServerOptions): Promise<TemporalServer> {
  const [port = 0, uiPort = 0] = await freePorts(2);
  const address = `127.0.0.1:${port}`;
  await mkdir(dirname(options.databaseFile), { recursive: true });
  const server = await startManagedProcess({
    name: 'temporal',
    command: options.executable,
    args: startDevArguments(options.databaseFile, port, uiPort),
    env: options.env,
    logDirectory: options.logDirectory,
    isHealthy: async () => serves(address),
    deadlineSeconds: 60,
    signal: options.signal,
  });
  return {
    address,
    uiUrl: `http://127.0.0.1:${uiPort}`,
    process: server,
    close: async () => server.close(),
  };
}

function startDevArguments(databaseFile: string, port: number, uiPort: number): string[] {
  const named = {
    'db-filename': databaseFile,
    ip: '127.0.0.1',
    port,
    'ui-port': uiPort,
    namespace: TEMPORAL_NAMESPACE,
    'log-level': 'warn',
  };
  const flags = Object.entries(named).flatMap(([name, value]) => [`--${name}`, String(value)]);
  // The user's own configuration of the CLI must not change what the stack runs.
  return ['server', 'start-dev', ...flags, '--disable-config-file'];
}

/** Healthy means: gRPC answers and the namespace is there, which is what the first client needs. */
async function serves(address: string): Promise<boolean> {
  const connection = await Connection.connect({ address, connectTimeout: '2s' });
  try {
    await connection.workflowService.describeNamespace({ namespace: TEMPORAL_NAMESPACE });
    return true;
  } finally {
    await connection.close();
  }
}
