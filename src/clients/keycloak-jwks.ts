import { readFile } from 'node:fs/promises';
import { KnownFailure } from '../domain/failures.ts';
import { providerKeys } from '../domain/slurm-jwt.ts';
import type { SlurmJwk } from '../domain/slurm-jwt.ts';

/** Reads Keycloak's keys as they are now. */
export type KeycloakJwksReader = (signal?: AbortSignal) => Promise<SlurmJwk[]>;

const TIMEOUT_SECONDS = 15;
/** A realm's JWKS has some kilobytes; what is much larger is something else. */
const MAX_CHARACTERS = 256 * 1024;

/**
 * @param url of a realm's JWKS: `https:`, or `file:` where the worker has no way to Keycloak
 * @throws KnownFailure KeycloakUnavailable, from what is returned
 */
export function createKeycloakJwksReader(url: URL | undefined): KeycloakJwksReader {
  return async (signal) => {
    if (url === undefined) throw unavailable('KEYCLOAK_JWKS_URL is not set at this worker');
    try {
      return providerKeys(JSON.parse(await read(url, signal)));
    } catch (error) {
      signal?.throwIfAborted();
      throw unavailable(`${url.href}: ${causeOf(error)}`);
    }
  };
}

async function read(url: URL, signal: AbortSignal | undefined): Promise<string> {
  if (url.protocol === 'file:') return readFile(url, 'utf8');
  const timeout = AbortSignal.timeout(TIMEOUT_SECONDS * 1000);
  const response = await fetch(url, {
    // Elsewhere, and without TLS, somebody else could name keys.
    redirect: 'error',
    headers: { accept: 'application/json' },
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
  });
  if (!response.ok) throw new Error(`it answers ${response.status}`);
  const text = await response.text();
  if (text.length > MAX_CHARACTERS) throw new Error('it is too large for a JWKS');
  return text;
}

/** Why, as far as it is known: what `fetch` throws says "fetch failed". */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof SyntaxError) return 'it is not JSON';
  return error.cause instanceof Error ? error.cause.message : error.message;
}

function unavailable(what: string): KnownFailure {
  return new KnownFailure('KeycloakUnavailable', `Keycloak’s keys cannot be read: ${what}`);
}
