import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { listenOnLoopback } from '../free-port.ts';
import { FsxError } from './fsx-error.ts';
import { type FsxOptions, FsxService } from './service.ts';

/** Of FSx's protocol, AWS JSON 1.1: the header `X-Amz-Target` names the operation. */
const TARGET = /^AWSSimbaAPIService_v20180301\.(\w+)$/;

/** Stands in for FSx over HTTP on loopback, for both emulators have no links and no tasks. */
export class FsxStandIn {
  readonly service: FsxService;
  readonly #server: Server;
  #port = 0;

  private constructor(options: FsxOptions) {
    this.service = new FsxService(options);
    this.#server = createServer((request, response) => void this.#receive(request, response));
  }

  static async start(options: FsxOptions): Promise<FsxStandIn> {
    const standIn = new FsxStandIn(options);
    standIn.#port = await listenOnLoopback(standIn.#server);
    return standIn;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => {
      this.#server.close(resolve);
    });
    this.#server.closeAllConnections();
    await this.service.close();
    await closed;
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [status, body] = await this.#answer(request);
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body));
  }

  async #answer(request: IncomingMessage): Promise<[status: number, body: unknown]> {
    try {
      const operation = TARGET.exec(String(request.headers['x-amz-target']))?.[1] ?? '';
      const carryOut = this.service.operations[operation];
      if (!carryOut)
        return [400, { __type: 'UnsupportedOperation', Message: `${operation} is not played here` }];
      const input: unknown = JSON.parse((await text(request)) || '{}');
      const output = await carryOut(input);
      this.service.onExchange?.({ operation, input, output });
      return [200, output];
    } catch (error) {
      if (error instanceof FsxError) return [400, { __type: error.type, Message: error.message }];
      return [500, { __type: 'InternalServerError', Message: String(error) }];
    }
  }
}
