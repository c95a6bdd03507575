import { Agent, request } from 'node:https';
import type { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { KnownFailure } from '../domain/failures.ts';

export interface PinnedEndpoint {
  readonly address: string;
  readonly port: number;
  /** SHA-256 of the certificate in lower-case hexadecimal digits. */
  readonly certificateSha256: string;
}

export interface HttpCall {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeoutSeconds: number;
  readonly signal?: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** At a time to one head node: slurmrestd has a few threads, and each waits for slurmctld. */
const MAX_CONNECTIONS = 4;
const CONNECT_SECONDS = 20;
/** 10,000 jobs are some 80 MB of slurmrestd's JSON. */
const MAX_ANSWER_BYTES = 512 * 1024 * 1024;

/**
 * HTTPS to a server that is known by the fingerprint of its certificate, whoever signed it and whatever it names.
 * Nothing is sent before the fingerprint was seen.
 */
export class PinnedHttps {
  readonly #endpoint: PinnedEndpoint;
  readonly #agent: Agent;

  constructor(endpoint: PinnedEndpoint) {
    this.#endpoint = endpoint;
    this.#agent = new PinnedAgent(endpoint);
  }

  /** @throws KnownFailure HeadNodeUnreachable, HostKeyMismatch; the reason of the signal */
  async call({ timeoutSeconds, body, signal, ...call }: HttpCall): Promise<HttpAnswer> {
    signal?.throwIfAborted();
    const { address, port } = this.#endpoint;
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
    const timeout = AbortSignal.timeout(timeoutSeconds * 1000);
    const either = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
    const payload = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const headers = { ...call.headers, ...payload };
    const outgoing = request(
      { ...call, headers, host: address, port, agent: this.#agent, signal: either },
      (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > MAX_ANSWER_BYTES) response.destroy(new Error('the answer is too large'));
          else chunks.push(chunk);
        });
        response.once('error', reject);
        response.once('end', () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
        );
      },
    );
    outgoing.once('error', reject);
    outgoing.end(body);
    try {
      return await promise;
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (error instanceof KnownFailure) throw error;
      const cause = timeout.aborted ? `no answer within ${timeoutSeconds} s` : messageOf(error);
      throw new KnownFailure('HeadNodeUnreachable', `The Slurm REST API at ${address}:${port}: ${cause}`);
    }
  }

  close(): void {
    this.#agent.destroy();
  }
}

class PinnedAgent extends Agent {
  readonly #endpoint: PinnedEndpoint;

  constructor(endpoint: PinnedEndpoint) {
    super({ keepAlive: true, maxSockets: MAX_CONNECTIONS });
    this.#endpoint = endpoint;
  }

  override createConnection(
    _options: unknown,
    callback?: (error: Error | null, socket: Duplex) => void,
  ): undefined {
    const { address, port, certificateSha256 } = this.#endpoint;
    // The fingerprint below takes the place of the chain and of the name.
    const socket = connect({
      host: address,
      port,
      rejectUnauthorized: false,
      timeout: CONNECT_SECONDS * 1000,
    });
    const fail = (error: Error) => {
      socket.destroy();
      callback?.(error, socket);
    };
    socket.once('timeout', () => fail(new Error(`no connection within ${CONNECT_SECONDS} s`)));
    socket.once('error', fail);
    socket.once('secureConnect', () => {
      const shown = fingerprintOf(socket);
      if (shown !== certificateSha256) {
        const what = `The Slurm REST API at ${address}:${port} shows a certificate of fingerprint ${shown}`;
        fail(new KnownFailure('HostKeyMismatch', `${what}, pinned is ${certificateSha256}`));
        return;
      }
      socket.setTimeout(0);
      socket.removeListener('error', fail);
      callback?.(null, socket);
    });
    return undefined;
  }
}

function fingerprintOf(socket: TLSSocket): string {
  return socket.getPeerCertificate().fingerprint256.replaceAll(':', '').toLowerCase();
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
