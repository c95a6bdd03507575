import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyBaseLogger, FastifyRequest } from 'fastify';
import { KnownFailure } from '../domain/failures.ts';
import { commonHeaders, PROBLEM_CONTENT_TYPE } from './error-handler.ts';
import { HttpProblem, problemOf } from './problem.ts';
import { required } from './request-validation.ts';
import type { Server } from './server.ts';

/** A peer that goes on sending after its answer is read from for so long: a reset could destroy the answer. */
const LINGER_MS = 1_000;

/** Answers what Node keeps from the routes, `CONNECT` and expectations other than `100-continue`, as they would. */
export function answerBesideRoutes({ server, log }: Server): void {
  server.on('connect', (_request, socket) => {
    const problem = new HttpProblem('MethodNotAllowed', 'CONNECT is a method of proxies.');
    endWith(socket, problem, log, { allow: '' });
  });
  server.on('checkExpectation', (_request, response) => {
    const problem = new HttpProblem('ExpectationFailed', 'No expectation but `100-continue` can be met.');
    const { status, headers, body } = render(problem, log);
    response.writeHead(status, headers).end(body);
  });
}

/**
 * Answers what Node could not read as a request (`clientError` of `node:http`), and closes the connection. Only the
 * code of the error is logged: the error itself holds what was sent, a token included.
 */
export function answerClientError(
  error: Error & { readonly code?: string },
  socket: Duplex,
  log: FastifyBaseLogger,
): void {
  // Not writable: the peer has gone, or sends more after it was answered.
  if (error.code !== 'ECONNRESET' && socket.writable) endWith(socket, clientProblem(error.code), log);
}

/** By the codes of Node and of its parser, llhttp. */
function clientProblem(code: string | undefined): HttpProblem | KnownFailure {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new HttpProblem('RequestTimeout', 'The request was not complete in time.');
    case 'HPE_HEADER_OVERFLOW':
      return new HttpProblem('HeadersTooLarge', 'The request line and headers exceed 16 KiB.');
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new HttpProblem('PayloadTooLarge', 'The extensions of the chunks of the body are too large.');
    default:
      return new KnownFailure('InvalidRequest', 'What was sent is not a request in HTTP/1.1.');
  }
}

/** RFC 9112, section 3.2. Node could refuse such a request by itself, but with an empty answer. */
export function missingHost({ raw }: FastifyRequest): KnownFailure | undefined {
  if (raw.httpVersion !== '1.1' || raw.headers.host !== undefined) return undefined;
  return required('header', 'Host');
}

interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

function render(error: HttpProblem | KnownFailure, log: FastifyBaseLogger): RawAnswer {
  const correlationId = randomUUID();
  const problem = problemOf(error, correlationId);
  log.info({ correlationId, type: error.type }, problem.title);
  const body = JSON.stringify(problem);
  return {
    status: problem.status,
    headers: {
      ...commonHeaders(correlationId),
      'content-type': PROBLEM_CONTENT_TYPE,
      'content-length': String(Buffer.byteLength(body)),
      date: new Date().toUTCString(),
      connection: 'close',
    },
    body,
  };
}

function endWith(
  socket: Duplex,
  error: HttpProblem | KnownFailure,
  log: FastifyBaseLogger,
  more: Readonly<Record<string, string>> = {},
): void {
  const { status, headers, body } = render(error, log);
  const lines = Object.entries({ ...headers, ...more }).map(([name, value]) => `${name}: ${value}\r\n`);
  // The peer may reset the connection meanwhile: there is nobody left to tell.
  socket.on('error', () => {});
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${body}`);
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}
