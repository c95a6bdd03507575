import pRetry from 'p-retry';
import ssh2 from 'ssh2';
import type { Client, ClientChannel, ConnectConfig } from 'ssh2';
import { KnownFailure } from '../domain/failures.ts';
import { Semaphore } from './semaphore.ts';

/** One account on one machine, and the host key that it must show. */
export interface SshEndpoint {
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** OpenSSH form, `ssh-ed25519 AAAA…`. Without it, the first key shown is trusted: read it from `hostKey`. */
  readonly hostKey?: string;
}

export interface SshTimeouts {
  /** Until the connection is authenticated. */
  readonly connectSeconds: number;
  /** Between signs of life; three missed ones end the connection. */
  readonly keepAliveSeconds: number;
}

export interface CommandOptions {
  /** The command must not wait for the end of its input: that never comes. */
  readonly stdin?: Buffer;
  readonly timeoutSeconds: number;
  /** More output than this ends the command. */
  readonly maxOutputBytes: number;
  readonly signal?: AbortSignal;
  /** What the command does, for messages: commands themselves are long programs. */
  readonly purpose: string;
}

export interface CommandResult {
  /** Undefined when a signal ended the command. */
  readonly exitCode: number | undefined;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Pauses of 50, 100, … 1,600 ms: three seconds in all. */
const REFUSED_CHANNEL_RETRIES = 6;
const FIRST_RETRY_AFTER_MS = 50;

/** sshd refuses the eleventh channel of a connection by default (`MaxSessions 10`, sshd_config(5)). */
const MAX_CHANNELS = 8;
const MAX_STDERR_CHARACTERS = 4_000;
/** Ed25519 first: it is what OpenSSH itself prefers, and the form in which we pin. */
const HOST_KEY_ALGORITHMS = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'rsa-sha2-512', 'rsa-sha2-256'] as const;

/**
 * One authenticated SSH connection on which commands run side by side. It never carries a secret in an error: what
 * ssh2 reports about keys names their form only.
 */
export class SshConnection {
  readonly #client: Client;
  readonly #endpoint: SshEndpoint;
  readonly #channels = new Semaphore(MAX_CHANNELS);
  #closed = false;
  /** The key that the host showed, in OpenSSH form. */
  readonly hostKey: string;

  private constructor(client: Client, endpoint: SshEndpoint, hostKey: string) {
    this.#client = client;
    this.#endpoint = endpoint;
    this.hostKey = hostKey;
    // Every channel that is being opened listens for the loss of the connection.
    client.setMaxListeners(2 * MAX_CHANNELS);
    client.once('close', () => {
      this.#closed = true;
    });
    // Every command learns of the loss through its channel; without a listener Node would end the process.
    client.on('error', () => undefined);
  }

  /** Connects and authenticates. @throws KnownFailure HeadNodeUnreachable, HostKeyMismatch */
  static async open(
    endpoint: SshEndpoint,
    privateKey: string,
    timeouts: SshTimeouts,
  ): Promise<SshConnection> {
    const client = new ssh2.Client();
    const shown: { key?: string } = {};
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    client.once('ready', resolve);
    client.once('error', reject);
    client.once('close', () => reject(new Error('the connection was closed')));
    try {
      client.connect({ ...connectConfig(endpoint, timeouts, shown), privateKey });
      await promise;
      // A command is a few small packets each way: TCP would keep the later ones back for about 40 ms each.
      client.setNoDelay(true);
      return new SshConnection(client, endpoint, shown.key ?? '');
    } catch (error) {
      client.on('error', () => undefined);
      client.destroy();
      throw connectFailure(endpoint, shown.key, error);
    }
  }

  /** Calls back when the connection has ended, however that came; at once if it has already. */
  onClose(callback: () => void): void {
    if (this.#closed) callback();
    else this.#client.once('close', callback);
  }

  /**
   * Runs a command and waits for its end. On abort, timeout or too much output the remote process group gets KILL
   * and the channel is closed; the connection stays.
   *
   * @throws KnownFailure HeadNodeUnreachable when the connection is lost or no answer comes in time
   * @throws the signal's reason when it aborts
   */
  async run(command: string, options: CommandOptions): Promise<CommandResult> {
    return this.#channels.run(async () => {
      const channel = await this.#openChannel(command, options);
      const timeout = AbortSignal.timeout(options.timeoutSeconds * 1000);
      const signal = options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout]);
      try {
        return await collect(channel, options, signal);
      } catch (error) {
        options.signal?.throwIfAborted();
        const cause = timeout.aborted ? `no answer within ${options.timeoutSeconds} s` : messageOf(error);
        throw this.#unreachable(options.purpose, cause);
      }
    }, options.signal);
  }

  /** Ends the connection and with it all commands that still run on it. */
  close(): void {
    this.#closed = true;
    this.#client.destroy();
  }

  /** sshd frees a channel's place a moment after we saw its end: a refused channel ran nothing and is asked for again. */
  async #openChannel(command: string, options: CommandOptions): Promise<ClientChannel> {
    try {
      return await pRetry(async () => this.#exec(command, options), {
        retries: REFUSED_CHANNEL_RETRIES,
        minTimeout: FIRST_RETRY_AFTER_MS,
        shouldRetry: ({ error }) => error.message.includes('Channel open failure'),
      });
    } catch (error) {
      options.signal?.throwIfAborted();
      throw this.#unreachable(options.purpose, messageOf(error));
    }
  }

  async #exec(command: string, options: CommandOptions): Promise<ClientChannel> {
    const { promise, resolve, reject } = Promise.withResolvers<ClientChannel>();
    const lost = () => reject(new Error('the connection was lost'));
    const abort = () => reject(new Error('aborted'));
    const timer = setTimeout(
      () => reject(new Error('no channel was opened in time')),
      options.timeoutSeconds * 1000,
    );
    this.#client.once('close', lost);
    options.signal?.addEventListener('abort', abort, { once: true });
    try {
      this.#client.exec(command, (error, channel) => {
        if (error === undefined) resolve(channel);
        else reject(error);
      });
      return await promise;
    } catch (error) {
      // A channel that opens after all must not stay.
      void promise.then((channel) => channel.close()).catch(() => undefined);
      throw error;
    } finally {
      clearTimeout(timer);
      this.#client.removeListener('close', lost);
      options.signal?.removeEventListener('abort', abort);
    }
  }

  #unreachable(purpose: string, cause: string): KnownFailure {
    return new KnownFailure('HeadNodeUnreachable', `${purpose} on ${nameOf(this.#endpoint)}: ${cause}`);
  }
}

function connectConfig(endpoint: SshEndpoint, timeouts: SshTimeouts, shown: { key?: string }): ConnectConfig {
  const pinnedType = endpoint.hostKey?.split(' ')[0];
  return {
    host: endpoint.address,
    port: endpoint.port,
    username: endpoint.user,
    readyTimeout: timeouts.connectSeconds * 1000,
    keepaliveInterval: timeouts.keepAliveSeconds * 1000,
    keepaliveCountMax: 3,
    algorithms: {
      // The key of the pinned kind must be asked for: a host has one of each kind.
      serverHostKey: HOST_KEY_ALGORITHMS.filter(
        (algorithm) => pinnedType === undefined || keyTypeOf(algorithm) === pinnedType,
      ),
    },
    hostVerifier: (key: Buffer) => {
      shown.key = openSshForm(key);
      return endpoint.hostKey === undefined || sameKey(shown.key, endpoint.hostKey);
    },
  };
}

/** RSA keys are of one kind, whatever hash their signatures use. */
function keyTypeOf(algorithm: string): string {
  return algorithm.startsWith('rsa-') ? 'ssh-rsa' : algorithm;
}

/** A public key blob begins with the length and name of its kind (RFC 4253, section 6.6). */
function openSshForm(blob: Buffer): string {
  const type = blob.subarray(4, 4 + blob.readUInt32BE(0)).toString('ascii');
  return `${type} ${blob.toString('base64')}`;
}

function sameKey(shown: string, pinned: string): boolean {
  const [type, key] = pinned.trim().split(/\s+/);
  return shown === `${type ?? ''} ${key ?? ''}`;
}

function connectFailure(endpoint: SshEndpoint, shownKey: string | undefined, error: unknown): KnownFailure {
  const name = nameOf(endpoint);
  if (shownKey !== undefined && endpoint.hostKey !== undefined && !sameKey(shownKey, endpoint.hostKey)) {
    return new KnownFailure(
      'HostKeyMismatch',
      `${name} shows the host key ${shownKey}, pinned is ${endpoint.hostKey}`,
    );
  }
  return new KnownFailure('HeadNodeUnreachable', `Cannot connect to ${name}: ${messageOf(error)}`);
}

async function collect(
  channel: ClientChannel,
  options: CommandOptions,
  signal: AbortSignal,
): Promise<CommandResult> {
  const { promise, resolve, reject } = Promise.withResolvers<CommandResult>();
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  let stderr = '';
  let end: { readonly exitCode: number | undefined } | undefined;
  const abort = () => reject(new Error('aborted'));

  channel.on('data', (chunk: Buffer) => {
    sizeBytes += chunk.length;
    if (sizeBytes > options.maxOutputBytes)
      reject(new Error(`more than ${options.maxOutputBytes} bytes of output`));
    else chunks.push(chunk);
  });
  channel.stderr.on('data', (chunk: Buffer) => {
    if (stderr.length < MAX_STDERR_CHARACTERS) stderr += chunk.toString('utf8');
  });
  channel.on('exit', (code: number | null) => {
    end = { exitCode: code ?? undefined };
  });
  channel.on('error', reject);
  channel.once('close', () => {
    // Without a word about the end, the connection went and not the command.
    if (end === undefined) reject(new Error('the connection was lost'));
    else resolve({ ...end, stdout: Buffer.concat(chunks), stderr: stderr.slice(0, MAX_STDERR_CHARACTERS) });
  });
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    // Not ended: ssh2 sends no signal on a channel whose input has ended. So commands must know where theirs ends.
    channel.write(options.stdin ?? Buffer.alloc(0));
    return await promise;
  } catch (error) {
    kill(channel);
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** As far as SSH allows: sshd sends the signal to the command's process group (OpenSSH 7.9 and later). */
function kill(channel: ClientChannel): void {
  channel.on('error', () => undefined);
  try {
    channel.signal('KILL');
    channel.close();
  } catch {
    // The channel is already gone, and the command with it or out of reach.
  }
}

function nameOf({ user, address, port }: SshEndpoint): string {
  return `${user}@${address}:${port}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
