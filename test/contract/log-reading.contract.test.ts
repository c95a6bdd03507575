import {
  type CloudWatchLogsClient,
  CreateLogGroupCommand,
  type GetLogEventsCommandOutput,
} from '@aws-sdk/client-cloudwatch-logs';
import { execa } from 'execa';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { pino } from 'pino';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { buildApp } from '../../src/api/app.ts';
import { readRange } from '../../src/api/log-range.ts';
import type { Server } from '../../src/api/server.ts';
import { createAwsClients } from '../../src/clients/aws.ts';
import { createLogReader } from '../../src/clients/log-reader.ts';
import { appendMessages, ensureLogStream } from '../../src/clients/log-streams.ts';
import { campaignWorkflowId } from '../../src/domain/ids.ts';
import { encodePiece, type LogKind, type LogPiece, logStreamName } from '../../src/domain/log-events.ts';
import { planningGround } from '../../src/domain/planning-ground.ts';
import { MemoryJobListingStore } from '../fakes/memory-job-listing-store.ts';
import { MemoryUsageStore } from '../fakes/memory-usage-store.ts';
import { clusterUrl, FakeCampaigns, FakeClusters, FakeStore, jobView, Outage, tenant } from '../api/fakes.ts';
import { useEmulatedAws } from '../support/aws.ts';

/* The API on an ended campaign whose logs are in CloudWatch: written by two, with repetitions, and cut. */
const aws = useEmulatedAws();
const TOKEN = 'reading-token-of-more-than-32-characters';
const campaignId = 'mfrggzdfmztwq2lknnwg23tpoa';
const location = { logGroupName: '/reading', epoch: '1k2m9x0aab12cd' };
const url = `${clusterUrl()}/campaigns/${campaignId}`;

/** 12 MiB of lines, each of which says where it is, and some of which are no text. */
const PIECE = 128 * 1024;
const long = Buffer.concat(
  Array.from({ length: 96 }, (_, piece) => {
    const lines = Buffer.from(`piece ${piece}: é 10%\r\n`.repeat(PIECE)).subarray(0, PIECE);
    return piece % 10 === 7 ? Buffer.from(lines.map((byte, index) => (byte * 31 + index) % 256)) : lines;
  }),
);

let app: Server;
let calls = 0;
let fetchedBytes = 0;

function countingCalls(): CloudWatchLogsClient {
  const { logs } = createAwsClients({ region: 'us-east-1' });
  logs.middlewareStack.add(
    (next) => async (args) => {
      calls += 1;
      const result = await next(args);
      const { events = [] } = result.output as Partial<GetLogEventsCommandOutput>;
      fetchedBytes += events.reduce((sum, { message = '' }) => sum + message.length, 0);
      return result;
    },
    { step: 'initialize' },
  );
  return logs;
}

/** Writes pieces as one writer does, in batches with growing times from a time on. */
async function write(jobKey: string, kind: LogKind, pieces: readonly LogPiece[], at: number): Promise<void> {
  const { logs } = aws().clients;
  const stream = {
    logGroupName: location.logGroupName,
    logStreamName: logStreamName({ epoch: location.epoch, campaignId, jobKey }, kind),
  };
  await ensureLogStream(logs, stream);
  await appendMessages(logs, stream, pieces.map(encodePiece), at);
}

function piecesOf(bytes: Buffer, from = 0, to = bytes.length): LogPiece[] {
  const pieces: LogPiece[] = [];
  for (let offset = from; offset < to; offset += PIECE) {
    pieces.push({ offset, bytes: bytes.subarray(offset, Math.min(offset + PIECE, to)) });
  }
  return pieces;
}

async function get(path: string, headers: Record<string, string> = {}) {
  calls = 0;
  return app.inject({
    method: 'GET',
    url: `${url}${path}`,
    headers: { authorization: `Bearer ${TOKEN}`, ...headers },
  });
}

beforeAll(async () => {
  await aws().clients.logs.send(new CreateLogGroupCommand({ logGroupName: location.logGroupName }));
  const hourAgo = Date.now() - 3_600_000;
  await write('long', 'stdout', piecesOf(long, 0, 60 * PIECE), hourAgo);
  await write('long', 'stdout', piecesOf(long, 60 * PIECE), hourAgo + 1_800_000);
  // Another writer repeats, cut elsewhere, what the first one wrote in the meantime, and then part of the end.
  await write('long', 'stdout', piecesOf(long, 50 * PIECE + 77, 62 * PIECE + 5), hourAgo + 900_000);
  await write('long', 'stdout', piecesOf(long, 80 * PIECE + 3, 90 * PIECE), hourAgo + 2_700_000);
  await write('cut', 'stdout', piecesOf(long, 0, 2 * PIECE), hourAgo);
  await write('cut', 'stdout', [{ offset: 2 * PIECE, omittedBytes: 1_000_000 }], hourAgo + 10);
  await write(
    'cut',
    'stdout',
    [{ offset: 2 * PIECE + 1_000_000, bytes: Buffer.from('tail\n') }],
    hourAgo + 20,
  );
  await write('cut', 'info', [{ offset: 0, bytes: Buffer.from('{"state":"running"}') }], hourAgo);
  await write('cut', 'info', [{ offset: 0, bytes: Buffer.from('{"state":"succeeded"}') }], hourAgo + 10);
});

beforeEach(async () => {
  const outage = new Outage();
  const store = new FakeStore();
  const campaigns = new FakeCampaigns(outage, store);
  const ended = { state: 'succeeded', slurmJobId: '7', exitCode: 0, logsComplete: true } as const;
  store.manifests.set(campaignWorkflowId(tenant, campaignId), {
    version: 1,
    campaignId,
    logs: location,
    jobs: ['long', 'cut'].map((key) => jobView({ ...ended, key })),
  });
  app = await buildApp({
    clusters: new FakeClusters(outage, campaigns),
    campaigns,
    store,
    logs: createLogReader(countingCalls()),
    usage: new MemoryUsageStore(),
    installation: { hasKeycloak: false, hasBuckets: false },
    planning: async () => planningGround({ region: 'us-east-1', hasLustre: false }),
    jobListings: new MemoryJobListingStore(),
    readiness: { check: async () => undefined },
    token: TOKEN,
    logger: pino({ level: 'silent' }),
    version: '0.0.0',
  });
});

afterEach(async () => {
  await app.close();
});

describe('a range of a log', () => {
  const MIB = 1024 * 1024;
  test.each([
    [0, 100],
    [PIECE - 1, PIECE],
    [4 * MIB, 4 * MIB + 10],
    [50 * PIECE + 76, 50 * PIECE + 78],
    [6 * MIB, 9 * MIB],
    [61 * PIECE, 63 * PIECE],
    [9 * MIB + 12_345, 10 * MIB],
    [80 * PIECE, 91 * PIECE],
    [12 * MIB - 1, 12 * MIB - 1],
  ])('from %i to %i is what the job wrote there', async (first, last) => {
    const response = await get('/jobs/long/logs/stdout', { range: `bytes=${first}-${last}` });

    expect(response.statusCode).toBe(206);
    expect(response.headers['content-range']).toBe(`bytes ${first}-${last}/${long.length}`);
    expect(response.rawPayload.equals(long.subarray(first, last + 1))).toBe(true);
  });

  test('is read without what lies before it', async () => {
    const end = await get('/jobs/long/logs/stdout', { range: 'bytes=-1000' });
    const callsAtEnd = calls;
    await get('/jobs/long/logs/stdout', { range: `bytes=${8 * MIB}-${8 * MIB + 9}` });

    expect(end.rawPayload.equals(long.subarray(-1000))).toBe(true);
    expect(end.headers['content-range']).toBe(
      `bytes ${long.length - 1000}-${long.length - 1}/${long.length}`,
    );
    // The emulator gives 16 of 96 events as a page.
    expect(callsAtEnd).toBeLessThanOrEqual(4);
    expect(calls).toBeLessThanOrEqual(12);
  });

  test('ends where bytes were left out, and begins behind them', async () => {
    const cut = 2 * PIECE + 1_000_000;
    const [before, behind, suffix, within] = await Promise.all(
      [`bytes=${PIECE}-`, `bytes=${cut - 9}-`, 'bytes=-1000', `bytes=${cut - 9}-${cut - 1}`].map(
        async (range) => get('/jobs/cut/logs/stdout', { range }),
      ),
    );

    expect(before?.headers['content-range']).toBe(`bytes ${PIECE}-${2 * PIECE - 1}/${cut + 5}`);
    expect(before?.rawPayload.equals(long.subarray(PIECE, 2 * PIECE))).toBe(true);
    expect([behind?.body, suffix?.body]).toEqual(['tail\n', 'tail\n']);
    expect(behind?.headers['content-range']).toBe(`bytes ${cut}-${cut + 4}/${cut + 5}`);
    expect(within?.statusCode).toBe(416);
  });

  test('of a document is of its latest version', async () => {
    const response = await get('/jobs/cut/logs/info', { range: 'bytes=10-18' });

    expect([response.statusCode, response.body, response.headers['content-range']]).toEqual([
      206,
      'succeeded',
      'bytes 10-18/21',
    ]);
  });
});

describe('of a log of 36 MiB that ends in short lines', () => {
  const MIB = 1024 * 1024;
  const lines = Array.from({ length: 200 }, () => Buffer.from('still here\n'));
  const huge = Buffer.concat([long, long, long, ...lines]);
  const sizeBytes = huge.length;
  const log = { location, campaignId, jobKey: 'huge', kind: 'stdout' } as const;

  beforeAll(async () => {
    const hourAgo = Date.now() - 3_600_000;
    await write('huge', 'stdout', piecesOf(huge, 0, 3 * long.length), hourAgo);
    const ends = lines.map((bytes, index) => ({ offset: 3 * long.length + index * bytes.length, bytes }));
    await write('huge', 'stdout', ends, hourAgo + 60_000);
  });

  test.each([
    [{ suffixBytes: 10 }, sizeBytes - 10, sizeBytes],
    [{ suffixBytes: 4 * MIB }, sizeBytes - 4 * MIB, sizeBytes],
    [{ first: 0, last: 9 }, 0, 10],
    [{ first: 20_000_000, last: 20_000_010 }, 20_000_000, 20_000_011],
    [{ first: sizeBytes - 3000 }, sizeBytes - 3000, sizeBytes],
    [{ first: 10_000_000 }, 10_000_000, 10_000_000 + 4 * MIB],
  ])('the range %j is read from a part of it', async (range, from, to) => {
    const reader = createLogReader(countingCalls());
    fetchedBytes = 0;
    const tail = await reader.tail(log);
    const part = tail && (await readRange(reader, log, range, tail));

    expect(tail?.sizeBytes).toBe(sizeBytes);
    expect(part?.first).toBe(from);
    expect(part?.bytes.equals(huge.subarray(from, to))).toBe(true);
    // The end of the log, a few events in search of the place, what is skipped, and the rest of a page.
    expect(fetchedBytes).toBeLessThan(12 * MIB + 1.5 * (to - from));
  });
});

test.each([0, 5 * PIECE, 61 * PIECE + 1, 85 * PIECE, 96 * PIECE])(
  'following from byte %i brings what follows, once',
  async (offset) => {
    const response = await get('/jobs/long/logs/stdout', {
      accept: 'text/event-stream',
      'last-event-id': String(offset),
    });
    const events: EventSourceMessage[] = [];
    createParser({ onEvent: (event) => events.push(event) }).feed(response.body);
    const bytes = events.flatMap(({ event, data }) =>
      event === 'end' ? [] : Buffer.from(data, event === 'base64' ? 'base64' : 'utf8'),
    );

    expect(Buffer.concat(bytes).equals(long.subarray(offset))).toBe(true);
    expect(events.at(-1)).toMatchObject({ event: 'end', id: String(long.length) });
  },
);

test('the archive has every byte once', async () => {
  const response = await get('/logs');
  const folder = await mkdtemp(join(tmpdir(), 'archive-'));
  await writeFile(join(folder, 'a.zip'), response.rawPayload);
  await execa('python3', ['-m', 'zipfile', '-e', 'a.zip', 'files'], { cwd: folder });
  const file = async (name: string) => readFile(join(folder, 'files', name));
  const stdout = await file(`${campaignId}/long/stdout`);
  const cut = await file(`${campaignId}/cut/stdout`);
  const missing = await file('missing.json');
  await rm(folder, { recursive: true });

  expect(stdout.equals(long)).toBe(true);
  expect(cut.subarray(2 * PIECE).toString()).toBe('[… 1000000 bytes left out …]\ntail\n');
  expect(JSON.parse(missing.toString())).toMatchObject({
    missing: [
      { jobKey: 'long', kind: 'environment', reason: 'Nothing was written.' },
      { jobKey: 'long', kind: 'script' },
      { jobKey: 'long', kind: 'stderr' },
      { jobKey: 'cut', kind: 'environment' },
      { jobKey: 'cut', kind: 'script' },
      { jobKey: 'cut', kind: 'stderr' },
    ],
    canStillWrite: [],
  });
});
