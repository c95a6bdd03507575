import type { StreamTail } from '../../src/clients/log-pages.ts';
import type {
  JobLog,
  JobLogPage,
  JobLogPieces,
  JobLogRequest,
  LogReader,
} from '../../src/clients/log-reader.ts';
import { endOf, type LogPiece, pieceFrom, renderPiece } from '../../src/domain/log-events.ts';

/** What one job wrote, of every kind, as the log group keeps it. Pages end after two pieces. */
export class FakeLogs implements LogReader {
  readonly asked: JobLogRequest[] = [];
  /** Nothing was ever written if undefined. */
  pieces: LogPiece[] | undefined;
  failure: Error | undefined;

  /** Appends text, or bytes, as the next piece. */
  write(...texts: readonly (string | Uint8Array)[]): void {
    for (const text of texts) {
      this.pieces = [...(this.pieces ?? []), { offset: this.end, bytes: Buffer.from(text) }];
    }
  }

  /** Leaves bytes out. */
  omit(omittedBytes: number): void {
    this.pieces = [...(this.pieces ?? []), { offset: this.end, omittedBytes }];
  }

  private get end(): number {
    const last = this.pieces?.at(-1);
    return last ? endOf(last) : 0;
  }

  async readPieces(request: JobLogRequest): Promise<JobLogPieces | undefined> {
    this.asked.push(request);
    if (this.failure) throw this.failure;
    if (!this.pieces) return undefined;
    const offset = Number(request.pageToken ?? request.offset ?? 0);
    const rest = this.pieces
      .filter((piece) => endOf(piece) > offset)
      .map((piece) => pieceFrom(piece, Math.max(offset, piece.offset)));
    const pieces = rest.slice(0, 2);
    const last = pieces.at(-1);
    const next = last ? endOf(last) : offset;
    return { pieces, nextPageToken: String(next), atEnd: next >= this.end };
  }

  async read(request: JobLogRequest): Promise<JobLogPage | undefined> {
    const page = await this.readPieces(request);
    if (!page) return undefined;
    const { pieces, ...end } = page;
    return { content: Buffer.concat(pieces.map(renderPiece)), ...end };
  }

  async tail(): Promise<StreamTail | undefined> {
    if (this.failure) throw this.failure;
    return this.pieces && { sizeBytes: this.end, events: [] };
  }

  async *readAll(log: JobLog): AsyncGenerator<Uint8Array, void, undefined> {
    let page = await this.read(log);
    while (page) {
      yield page.content;
      page = page.atEnd ? undefined : await this.read({ ...log, pageToken: page.nextPageToken });
    }
  }
}
