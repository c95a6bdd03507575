import type { FastifyReply } from 'fastify';
import { HttpProblem } from './problem.ts';
import type { Server } from './server.ts';

/** Answers that last: so many at a time, each cut when the service stops. */
export class OpenStreams {
  private readonly open = new Set<FastifyReply>();
  private readonly limit: number;

  constructor(app: Server, limit: number) {
    this.limit = limit;
    app.addHook('preClose', (done) => {
      for (const { raw } of this.open) raw.destroy();
      done();
    });
  }

  /** The signal that this answer has ended, or its reader has gone. TooManyStreams if there are too many. */
  begin(reply: FastifyReply): AbortSignal {
    if (this.open.size >= this.limit) {
      throw new HttpProblem('TooManyStreams', `${this.limit} of this kind are being sent.`);
    }
    const controller = new AbortController();
    this.open.add(reply);
    reply.raw.once('close', () => {
      this.open.delete(reply);
      controller.abort();
    });
    return controller.signal;
  }
}
