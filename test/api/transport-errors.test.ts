import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { problemSchema, type ProblemType } from '../../src/api/problem.ts';
import type { Server } from '../../src/api/server.ts';
import { clusterUrl } from './fakes.ts';
import { expectErrorsWhereNamed, type Harness, harness, TOKEN } from './support.ts';

const LISTEN = { host: '127.0.0.1', port: 0 } as const;
const HOST = 'Host: localhost\r\n';
const AUTHORIZATION = `Authorization: Bearer ${TOKEN}\r\n`;

/** A connection to the API, which begins to listen. */
async function dial(app: Server): Promise<Socket> {
  const { hostname, port } = new URL(await app.listen(LISTEN));
  const socket = connect({ host: hostname, port: Number(port) });
  await once(socket, 'connect');
  return socket;
}

/** Everything that comes back until the API closes the connection. */
async function readAll(socket: Socket): Promise<string> {
  socket.setEncoding('utf8');
  let text = '';
  for await (const piece of socket) text += String(piece);
  return text;
}

async function send(api: Harness, bytes: string): Promise<string> {
  const socket = await dial(await api.app());
  socket.write(bytes);
  return readAll(socket);
}

/** Checks that the one answer is a problem as every other one of the API; answers what it says. */
function expectRawProblem(text: string, status: number, type: ProblemType) {
  const [head = '', body = '', ...more] = text.split('\r\n\r\n');
  expect({ more, line: head.split('\r\n')[0] }).toMatchObject({
    more: [],
    line: expect.stringMatching(new RegExp(`^HTTP/1.1 ${status} \\w`)),
  });
  const headers = new Map(
    head
      .split('\r\n')
      .slice(1)
      .map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  );
  const problem = problemSchema.parse(JSON.parse(body));
  expect(problem).toMatchObject({ type: `/problems/${type}`, status });
  expect(Object.fromEntries(headers)).toMatchObject({
    'content-type': 'application/problem+json; charset=utf-8',
    'content-length': String(Buffer.byteLength(body)),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-request-id': problem.correlationId,
  });
  expect([problem.title, problem.detail, problem.nextStep]).not.toContain('');
  expectErrorsWhereNamed(problem);
  return { problem, headers };
}

describe('over a raw socket', () => {
  it.each<[string, string, number, ProblemType]>([
    ['what is not HTTP', 'hello\r\n\r\n', 400, 'InvalidRequest'],
    ['a greeting in TLS', '\x16\x03\x01\x02\x00\x01\x00\r\n\r\n', 400, 'InvalidRequest'],
    ['a method that nobody knows', `FETCH / HTTP/1.1\r\n${HOST}\r\n`, 400, 'InvalidRequest'],
    [
      'two lengths',
      `PUT ${clusterUrl()} HTTP/1.1\r\n${HOST}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`,
      400,
      'InvalidRequest',
    ],
    [
      'a length and chunks',
      `PUT ${clusterUrl()} HTTP/1.1\r\n${HOST}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}`,
      400,
      'InvalidRequest',
    ],
    [
      'headers of 20 KiB',
      `GET / HTTP/1.1\r\n${HOST}X: ${'x'.repeat(20_000)}\r\n\r\n`,
      431,
      'HeadersTooLarge',
    ],
    ['a path of 20 KiB', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\n${HOST}\r\n`, 431, 'HeadersTooLarge'],
    ['CONNECT', `CONNECT example.org:443 HTTP/1.1\r\n${HOST}\r\n`, 405, 'MethodNotAllowed'],
    ['no Host', `GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n`, 400, 'InvalidRequest'],
    [
      'an expectation that is not known',
      `GET /healthz HTTP/1.1\r\n${HOST}Expect: a-miracle\r\nConnection: close\r\n\r\n`,
      417,
      'ExpectationFailed',
    ],
    [
      'TRACE',
      `TRACE /healthz HTTP/1.1\r\n${HOST}${AUTHORIZATION}Connection: close\r\n\r\n`,
      405,
      'MethodNotAllowed',
    ],
    [
      'a long part of the path',
      `GET /v1/virtual-labs/${'a'.repeat(5_000)}/projects/p/cluster HTTP/1.1\r\n${HOST}${AUTHORIZATION}Connection: close\r\n\r\n`,
      414,
      'UriTooLong',
    ],
    [
      'text',
      `PUT ${clusterUrl()} HTTP/1.1\r\n${HOST}${AUTHORIZATION}Connection: close\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}`,
      415,
      'UnsupportedMediaType',
    ],
    [
      'an asterisk',
      `OPTIONS * HTTP/1.1\r\n${HOST}${AUTHORIZATION}Connection: close\r\n\r\n`,
      404,
      'NotFound',
    ],
  ])('%s is answered by a problem', async (_what, bytes, status, type) => {
    const api = harness();

    expectRawProblem(await send(api, bytes), status, type);
  });

  it('a request without Host is told which header it lacks', async () => {
    const { problem } = expectRawProblem(
      await send(harness(), 'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n'),
      400,
      'InvalidRequest',
    );

    expect(problem.errors).toEqual([{ in: 'header', path: 'Host', reason: 'is required' }]);
  });

  it('HTTP/1.0 needs no Host', async () => {
    expect(await send(harness(), 'GET /healthz HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  });

  it('a request that does not end is answered by a problem', async () => {
    const api = harness();
    const app = await api.app();
    const accepted = once(app.server, 'connection');
    const socket = await dial(app);
    const [theirs] = await accepted;
    socket.write(`GET /healthz HTTP/1.1\r\n${HOST}`);
    // As Node reports it after 30 s.
    app.server.emit('clientError', Object.assign(new Error(), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), theirs);

    expectRawProblem(await readAll(socket), 408, 'RequestTimeout');
  });

  it('a peer that sends on after its answer is answered once and cut off', async () => {
    const socket = await dial(await harness().app());
    const answer = readAll(socket);
    const sending = setInterval(() => socket.write('garbage\r\n\r\n'), 20);
    const text = await Promise.race([answer, sleep(5_000, 'still open')]);
    clearInterval(sending);

    expectRawProblem(text, 400, 'InvalidRequest');
  });

  it('what was sent is neither sent back nor logged, and the log has the correlation id', async () => {
    const api = harness();
    const text = await send(api, `GET / HTTP/1.1\r\n${AUTHORIZATION}bad header\r\n\r\n`);
    const { problem } = expectRawProblem(text, 400, 'InvalidRequest');

    expect(`${text}${api.logged.join('')}`).not.toMatch(/test-token|bad header|HPE_|llhttp|\.ts/);
    expect(api.logged.filter((line) => line.includes(problem.correlationId))).toHaveLength(1);
  });

  it('a request on a connection that is still busy while the service stops is told so', async () => {
    const api = harness();
    const app = await api.app();
    const { promise: looking, resolve: look } = Promise.withResolvers<void>();
    const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
    api.clusters.view = async () => {
      look();
      return released;
    };
    const socket = await dial(app);
    const answers = readAll(socket);
    socket.write(`GET ${clusterUrl()} HTTP/1.1\r\n${HOST}${AUTHORIZATION}\r\n`);
    await looking;
    const closed = app.close();
    await vi.waitFor(() => expect(app.server.listening).toBe(false));
    const second = once(app.server, 'request');
    socket.write(`GET /healthz HTTP/1.1\r\n${HOST}\r\n`);
    await second;
    release(undefined);
    await closed;

    const text = await answers;
    const { headers } = expectRawProblem(text.slice(text.lastIndexOf('HTTP/1.1 ')), 503, 'Stopping');
    expect(headers.get('retry-after')).toBeDefined();
    expect(text).toMatch(/^HTTP\/1.1 404 /);
  });
});
