import { SshConnection } from './ssh-connection.ts';
import type { SshEndpoint, SshTimeouts } from './ssh-connection.ts';

export interface SshPoolOptions extends SshTimeouts {
  /** A connection that nobody used for so long is closed. */
  readonly idleSeconds: number;
  /** The private key in OpenSSH form. Called for each new connection; the key is not kept. */
  readonly loadPrivateKey: (secretArn: string) => Promise<string>;
}

/** What a connection is shared by: nobody of another epoch, with another key or expecting another host key. */
export interface PooledEndpoint extends SshEndpoint {
  readonly epoch: string;
  readonly privateKeySecretArn: string;
}

interface Entry {
  readonly epoch: string;
  readonly connection: Promise<SshConnection>;
  users: number;
  idleTimer?: NodeJS.Timeout;
}

/** Keeps one connection for each endpoint, opened when it is needed, again when it was lost, closed when idle. */
export class SshPool {
  readonly #options: SshPoolOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: SshPoolOptions) {
    this.#options = options;
  }

  /**
   * Runs `task` on the connection to `endpoint`. The connection is shared, so `signal` ends only the waiting for it.
   * @throws KnownFailure HeadNodeUnreachable, HostKeyMismatch, and what `loadPrivateKey` throws
   */
  async use<T>(
    endpoint: PooledEndpoint,
    task: (connection: SshConnection) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const key = keyOf(endpoint);
    const entry = this.#entries.get(key) ?? this.#open(key, endpoint);
    clearTimeout(entry.idleTimer);
    entry.users += 1;
    try {
      return await task(await unlessAborted(entry.connection, signal));
    } finally {
      entry.users -= 1;
      if (entry.users === 0) this.#closeWhenIdle(key, entry);
    }
  }

  /** Closes the connections of an epoch; commands that run on them fail. */
  disconnect(epoch: string): void {
    for (const [key, entry] of this.#entries) if (entry.epoch === epoch) this.#drop(key, entry);
  }

  close(): void {
    for (const [key, entry] of this.#entries) this.#drop(key, entry);
  }

  #open(key: string, endpoint: PooledEndpoint): Entry {
    const entry: Entry = { epoch: endpoint.epoch, connection: this.#connect(endpoint), users: 0 };
    this.#entries.set(key, entry);
    // One that failed, or was lost, makes room at once: the next call connects again.
    const forget = () => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
    };
    entry.connection.then((connection) => connection.onClose(forget), forget);
    return entry;
  }

  async #connect(endpoint: PooledEndpoint): Promise<SshConnection> {
    const privateKey = await this.#options.loadPrivateKey(endpoint.privateKeySecretArn);
    return SshConnection.open(endpoint, privateKey, this.#options);
  }

  #closeWhenIdle(key: string, entry: Entry): void {
    clearTimeout(entry.idleTimer);
    entry.idleTimer = setTimeout(() => this.#drop(key, entry), this.#options.idleSeconds * 1000);
    entry.idleTimer.unref();
  }

  #drop(key: string, entry: Entry): void {
    clearTimeout(entry.idleTimer);
    if (this.#entries.get(key) === entry) this.#entries.delete(key);
    entry.connection.then(
      (connection) => connection.close(),
      () => undefined,
    );
  }
}

function keyOf({ epoch, user, address, port, hostKey, privateKeySecretArn }: PooledEndpoint): string {
  return JSON.stringify([epoch, user, address, port, hostKey, privateKeySecretArn]);
}

async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
