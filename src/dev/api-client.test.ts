import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, expect, it } from 'vitest';
import { ApiClient } from './api-client.ts';
import { listenOnLoopback } from './free-port.ts';

const TENANT = { virtualLabId: 'lab', projectId: 'project' };
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A client of a server that gives these answers, one after the other. */
async function clientOf(...answers: Answer[]): Promise<ApiClient> {
  const server = createServer((request, response) => answers.shift()?.(request, response));
  const port = await listenOnLoopback(server);
  closers.push(() => server.close().closeAllConnections());
  const options = { apiUrl: `http://127.0.0.1:${port}`, token: 't', signal: new AbortController().signal };
  return new ApiClient(options, TENANT);
}

const text = (content: string, headers: Record<string, string> = {}): Answer => {
  return (_request, response) => response.writeHead(200, headers).end(content);
};
const problem = (status: number, type: string, headers: Record<string, string> = {}): Answer => {
  const body = { type: `/problems/${type}`, title: 'Title', status, detail: 'Detail.', nextStep: 'Next.' };
  return (_request, response) =>
    response.writeHead(status, headers).end(JSON.stringify({ ...body, correlationId: 'c' }));
};

it('reads a log page by page until there is no next one', async () => {
  const paths: (string | undefined)[] = [];
  const noted =
    (answer: Answer): Answer =>
    (request, response) => {
      paths.push(request.url);
      answer(request, response);
    };
  const client = await clientOf(
    noted(text('one\n', { link: '</next?pageToken=2>; rel="next"', 'log-end': 'false' })),
    noted(text('two\n', { 'log-end': 'true' })),
  );
  expect(await client.log('c', 'job', 'stdout')).toBe('one\ntwo\n');
  expect(paths).toEqual([
    '/v1/virtual-labs/lab/projects/project/cluster/campaigns/c/jobs/job/logs/stdout',
    '/next?pageToken=2',
  ]);
});

it('repeats what is answered with 503', async () => {
  const client = await clientOf(
    problem(503, 'WorkerUnavailable', { 'retry-after': '0' }),
    text('out\n', { 'log-end': 'true' }),
  );
  expect(await client.log('c', 'job', 'stdout')).toBe('out\n');
});

it('takes a log that was never written for empty, but not a job that is not there', async () => {
  expect(await (await clientOf(problem(404, 'LogNotWritten'))).log('c', 'job', 'stderr')).toBe('');
  const client = await clientOf(problem(404, 'NotFound'));
  await expect(client.log('c', 'job', 'stderr')).rejects.toThrow('404: Title: Detail. Next.');
});

it('names the request that got no answer', async () => {
  const client = await clientOf((_request, response) => response.destroy());
  await expect(client.cluster()).rejects.toThrow(/^API: GET \/v1\/.*\/cluster got no answer/);
});
