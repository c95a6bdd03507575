import { isUtf8 } from 'node:buffer';
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import type { JobLog, LogReader } from '../clients/log-reader.ts';
import type { JobView } from '../domain/campaign-view.ts';
import { KnownFailure } from '../domain/failures.ts';
import { isDocument } from '../domain/log-events.ts';
import type { ByteRange } from './byte-range.ts';
import { withinDeadline } from './deadline.ts';
import { readRange } from './log-range.ts';
import { type TailPace, tailEvents } from './log-tail.ts';
import type { OpenStreams } from './open-streams.ts';
import { HttpProblem } from './problem.ts';

export interface LogAnswersDeps {
  readonly logs: Pick<LogReader, 'read' | 'readPieces' | 'tail'>;
  readonly tails: OpenStreams;
  readonly pace: TailPace;
}

/** The log that is asked for, and its job as it is now. */
export interface Subject {
  readonly log: JobLog;
  readonly job: JobView;
  /** What is known in place of the log, if it was not copied. */
  readonly document: () => Promise<Buffer | undefined>;
}

/** What one look of a tail may take: nobody waits for it. */
const LOOK_WITHIN_MS = 10_000;

const CLOUDWATCH = 'CloudWatch Logs';

/** The ways in which a log is answered: a page, a range, or as it is written. */
export class LogAnswers {
  private readonly deps: LogAnswersDeps;

  constructor(deps: LogAnswersDeps) {
    this.deps = deps;
  }

  /** What is known of a job that has ended, in place of a log. LogNotWritten if that is nothing. */
  document(job: JobView, kind: string, document: Buffer | undefined, reply: FastifyReply): FastifyReply {
    if (!document) throw notWritten(job, kind);
    reply.header('log-end', 'true');
    return sendBytes(document, reply);
  }

  /** `url` is that of the log, for the link to the next page. LogNotWritten. */
  async page(
    { log, job, document }: Subject,
    { url, pageToken }: { readonly url: string; readonly pageToken: string | undefined },
    answerBy: Date,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const request = { ...log, ...(pageToken !== undefined && { pageToken }) };
    const page = await withinDeadline(answerBy, CLOUDWATCH, async () => this.deps.logs.read(request));
    if (!page) return this.document(job, log.kind, await document(), reply);
    const next = `${url}?pageToken=${encodeURIComponent(page.nextPageToken)}`;
    if (!(page.atEnd && job.logsComplete)) reply.header('link', `<${next}>; rel="next"`);
    reply.headers({ 'log-end': String(page.atEnd), 'accept-ranges': 'bytes' });
    return sendBytes(Buffer.from(page.content), reply);
  }

  /** LogNotWritten, RangeNotSatisfiable. */
  async range(
    { log, job, document }: Subject,
    range: ByteRange,
    answerBy: Date,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const { logs } = this.deps;
    const tail = await withinDeadline(answerBy, CLOUDWATCH, async () => logs.tail(log));
    if (!tail) return this.document(job, log.kind, await document(), reply);
    const size = tail.sizeBytes;
    const part = await withinDeadline(answerBy, CLOUDWATCH, async () => readRange(logs, log, range, tail));
    if (!part) {
      reply.header('content-range', `bytes */${size}`);
      throw new HttpProblem('RangeNotSatisfiable', `Of ${size} bytes, none of this range is kept.`);
    }
    const last = part.first + part.bytes.length - 1;
    const total = job.logsComplete ? String(size) : '*';
    reply.code(206).headers({
      'accept-ranges': 'bytes',
      'content-range': `bytes ${part.first}-${last}/${total}`,
    });
    return sendBytes(part.bytes, reply);
  }

  /** `lookAtJob` answers by the moment that it is given. NotAcceptable, TooManyStreams. */
  async tail(
    { log, job }: Subject,
    {
      lastEventId,
      lookAtJob,
    }: {
      readonly lastEventId: string | undefined;
      readonly lookAtJob: (answerBy: Date) => Promise<JobView>;
    },
    answerBy: Date,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    if (isDocument(log.kind))
      throw new HttpProblem('NotAcceptable', `${log.kind} is not written bit by bit.`);
    const { logs, tails, pace } = this.deps;
    const offset = Number(lastEventId ?? 0);
    if (offset > 0) {
      const end = await withinDeadline(answerBy, CLOUDWATCH, async () => logs.tail(log));
      if (offset > (end?.sizeBytes ?? 0)) throw unknownEvent();
    }
    const events = tailEvents({
      readPieces: async (place) =>
        withinDeadline(lookBy(), CLOUDWATCH, async () => logs.readPieces({ ...log, ...place })),
      lookAtJob: async () => lookAtJob(lookBy()),
      job,
      offset,
      pace,
      signal: tails.begin(reply),
    });
    reply.type('text/event-stream');
    // A proxy that keeps what it was sent until there is more of it would make the tail useless.
    reply.headers({ 'cache-control': 'no-cache', 'x-accel-buffering': 'no' });
    return reply.send(Readable.from(events));
  }
}

function lookBy(): Date {
  return new Date(Date.now() + LOOK_WITHIN_MS);
}

function sendBytes(content: Buffer, reply: FastifyReply): FastifyReply {
  reply.type(isUtf8(content) ? 'text/plain; charset=utf-8' : 'application/octet-stream');
  return reply.send(content);
}

function notWritten({ key, state, logsComplete, logsProblem }: JobView, kind: string): HttpProblem {
  const more = logsComplete ? 'and nothing more will come' : 'yet';
  const why = logsComplete && logsProblem ? ` ${logsProblem}` : '';
  return new HttpProblem('LogNotWritten', `Job \`${key}\` (${state}) has no ${kind} ${more}.${why}`, {
    state,
    logsComplete,
  });
}

function unknownEvent(): KnownFailure {
  const reason = 'is not the id of an event of this log';
  return new KnownFailure('InvalidRequest', `header Last-Event-Id: ${reason}`, {
    errors: [{ in: 'header', path: 'Last-Event-Id', reason }],
  });
}
