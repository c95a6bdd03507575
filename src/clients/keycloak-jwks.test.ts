import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { createKeycloakJwksReader } from './keycloak-jwks.ts';

const signing = { kid: 'sig-1', kty: 'RSA', alg: 'RS256', use: 'sig', n: 'modulus', e: 'AQAB', x5t: 'x' };
const encryption = { ...signing, kid: 'enc-1', alg: 'RSA-OAEP', use: 'enc' };
const elliptic = { kid: 'ec-1', kty: 'EC', alg: 'ES256', use: 'sig', crv: 'P-256', x: 'x', y: 'y' };
const realm = JSON.stringify({ keys: [encryption, signing, elliptic] });
const usable = [{ kty: 'RSA', use: 'sig', alg: 'RS256', kid: 'sig-1', n: 'modulus', e: 'AQAB' }];

const cleanUps: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

async function serve(answer: RequestListener): Promise<URL> {
  const server = createServer(answer);
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  cleanUps.push(async () => server[Symbol.asyncDispose]());
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('not listening');
  return new URL(`http://127.0.0.1:${address.port}/realms/obi/protocol/openid-connect/certs`);
}

async function fileWith(content: string): Promise<URL> {
  const directory = await mkdtemp(join(tmpdir(), 'keycloak-jwks-'));
  cleanUps.push(async () => rm(directory, { recursive: true }));
  const path = join(directory, 'jwks.json');
  await writeFile(path, content);
  return pathToFileURL(path);
}

describe('Keycloak’s keys', () => {
  it('are those of its realm that Slurm can check tokens with, from its URL', async () => {
    const url = await serve((request, response) =>
      response.writeHead(request.url?.endsWith('/certs') ? 200 : 404).end(realm),
    );
    expect(await createKeycloakJwksReader(url)()).toEqual(usable);
  });

  it('can come from a file, read anew each time', async () => {
    const url = await fileWith(realm);
    const read = createKeycloakJwksReader(url);
    expect(await read()).toEqual(usable);
    await writeFile(url, JSON.stringify({ keys: [{ ...signing, kid: 'sig-2' }] }));
    expect(await read()).toMatchObject([{ kid: 'sig-2' }]);
  });

  const wrong: readonly [string, () => Promise<URL | undefined>, RegExp][] = [
    ['no URL is set', async () => undefined, /KEYCLOAK_JWKS_URL is not set/],
    ['it answers an error', async () => serve((_, response) => response.writeHead(503).end()), /answers 503/],
    [
      'it redirects, perhaps to somebody else',
      async () => serve((_, response) => response.writeHead(302, { location: '/other' }).end(realm)),
      /redirect/,
    ],
    ['nothing listens', async () => new URL('http://127.0.0.1:1/certs'), /ECONNREFUSED|bad port/],
    ['it is no JSON', async () => fileWith('<html>'), /not JSON/],
    ['no key is for Slurm', async () => fileWith(JSON.stringify({ keys: [encryption] })), /no RS256 key/],
    [
      'it is far too large',
      async () => serve((_, response) => response.end(' '.repeat(300_000))),
      /too large/,
    ],
    ['the file is not there', async () => new URL('file:///nowhere/jwks.json'), /ENOENT/],
  ];
  it('are not read where a redirection leads, although keys are there', async () => {
    const asked: string[] = [];
    const url = await serve((request, response) => {
      asked.push(request.url ?? '');
      if (request.url === '/other') response.end(realm);
      else response.writeHead(302, { location: '/other' }).end();
    });
    await expect(createKeycloakJwksReader(url)()).rejects.toMatchObject({ type: 'KeycloakUnavailable' });
    expect(asked).toHaveLength(1);
  });

  it.each(wrong)('are a failure with its cause when %s', async (_, urlOf, cause) => {
    await expect(createKeycloakJwksReader(await urlOf())()).rejects.toMatchObject({
      type: 'KeycloakUnavailable',
      message: expect.stringMatching(cause) as unknown,
    });
  });

  it('end with the reason of a signal that has aborted', async () => {
    const url = await serve(() => undefined);
    const abort = new AbortController();
    const reading = createKeycloakJwksReader(url)(abort.signal);
    abort.abort(new Error('not needed'));
    await expect(reading).rejects.toThrow('not needed');
  });
});
