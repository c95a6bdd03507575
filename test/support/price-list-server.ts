import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { expect } from 'vitest';
import { z } from 'zod';
import type { Exchange } from '../../src/dev/fsx/service.ts';

const fixture = new URL('../fixtures/price-list/products.json', import.meta.url);
const productsSchema = z.record(
  z.string(),
  z.array(z.looseObject({ product: z.looseObject({ attributes: z.record(z.string(), z.string()) }) })),
);
type Products = z.output<typeof productsSchema>;

const requestSchema = z.object({
  ServiceCode: z.string(),
  Filters: z.array(z.object({ Field: z.string(), Value: z.string() })),
  NextToken: z.string().optional(),
});

/** Two entries a page, so that reading means paging; the first page is empty, as AWS may send it. */
const PAGE = 2;

/**
 * The Price List Query API, which no emulator knows: answers have the form that AWS documents and other projects have
 * recorded. What is `exchanged` can be checked against botocore's own model of the service.
 */
export class PriceListServer {
  readonly exchanged: Exchange[] = [];
  /** By the code of their service. */
  readonly products: Products;
  /** The answer to every request from this one on, counted from 1: a status and a body of JSON. */
  fault: { readonly from: number; readonly status: number; readonly body: unknown } | undefined;
  private readonly server: Server;
  private asked = 0;

  private constructor(products: Products) {
    this.products = products;
    this.server = createServer((request, response) => {
      this.answer(request).then(
        ({ status, body }) =>
          response
            .writeHead(status, { 'content-type': 'application/x-amz-json-1.1' })
            .end(typeof body === 'string' ? body : JSON.stringify(body)),
        (error: unknown) => response.writeHead(500).end(String(error)),
      );
    });
  }

  /** @param region what the products of us-east-1 are said to be of */
  static async start(region = 'us-east-1'): Promise<PriceListServer> {
    const recorded = (await readFile(fixture, 'utf8')).replaceAll('"us-east-1"', JSON.stringify(region));
    const server = new PriceListServer(productsSchema.parse(JSON.parse(recorded)));
    server.server.listen(0, '127.0.0.1');
    await once(server.server, 'listening');
    return server;
  }

  /** For `AWS_ENDPOINT_URL_PRICING`. */
  get url(): string {
    const address = this.server.address();
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  }

  async close(): Promise<void> {
    if (!this.server.listening) return;
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private async answer(request: IncomingMessage): Promise<{ status: number; body: unknown }> {
    expect(request.headers['x-amz-target']).toBe('AWSPriceListService.GetProducts');
    const asked: unknown = JSON.parse(await text(request));
    this.asked += 1;
    if (this.fault && this.asked >= this.fault.from) return this.fault;
    const { ServiceCode, Filters, NextToken = String(-PAGE) } = requestSchema.parse(asked);
    const matching = (this.products[ServiceCode] ?? []).filter(({ product }) =>
      Filters.every(({ Field, Value }) => product.attributes[Field] === Value),
    );
    const first = Number(NextToken);
    const body = {
      FormatVersion: 'aws_v1',
      PriceList: matching.slice(Math.max(0, first), first + PAGE).map((entry) => JSON.stringify(entry)),
      ...(first + PAGE < matching.length && { NextToken: String(first + PAGE) }),
    };
    this.exchanged.push({ operation: 'GetProducts', input: asked, output: body });
    return { status: 200, body };
  }
}
