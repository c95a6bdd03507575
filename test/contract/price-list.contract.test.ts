import { createServer, type IncomingMessage, type Server } from 'node:http';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import type { PricingClient } from '@aws-sdk/client-pricing';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { createPricingClient, readRegionPrices } from '../../scripts/price-list.ts';
import type { Exchange } from '../../src/dev/fsx/service.ts';
import { priceTableSchema, priceTable } from '../../src/domain/prices.ts';
import { shapeProblems } from '../support/aws-shapes.ts';

/*
 * No emulator knows the Price List Query API: the answers here have the form that AWS documents and other projects have
 * recorded, and every request and answer is checked against botocore's own model of the service.
 */

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

/** Two entries a page, so that reading means paging. */
const PAGE = 2;
let products: Products;
let exchanged: Exchange[];
let server: Server;
let client: PricingClient;

async function answer(request: IncomingMessage): Promise<string> {
  expect(request.headers['x-amz-target']).toBe('AWSPriceListService.GetProducts');
  const asked: unknown = JSON.parse(await text(request));
  const { ServiceCode, Filters, NextToken = '0' } = requestSchema.parse(asked);
  const matching = (products[ServiceCode] ?? []).filter(({ product }) =>
    Filters.every(({ Field, Value }) => product.attributes[Field] === Value),
  );
  const first = Number(NextToken);
  const response = {
    FormatVersion: 'aws_v1',
    PriceList: matching.slice(first, first + PAGE).map((entry) => JSON.stringify(entry)),
    ...(first + PAGE < matching.length && { NextToken: String(first + PAGE) }),
  };
  exchanged.push({ operation: 'GetProducts', input: asked, output: response });
  return JSON.stringify(response);
}

beforeEach(async () => {
  products = productsSchema.parse(JSON.parse(await readFile(fixture, 'utf8')));
  exchanged = [];
  server = createServer((request, response) => {
    answer(request).then(
      (body) => response.setHeader('content-type', 'application/x-amz-json-1.1').end(body),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  vi.stubEnv('AWS_ENDPOINT_URL_PRICING', `http://127.0.0.1:${port}`);
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
  client = createPricingClient();
});

afterEach(async () => {
  client.destroy();
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
  vi.unstubAllEnvs();
});

const wanted = ['c7a.48xlarge', 'm7a.24xlarge', 't3.medium', 'c7i.large'];

describe('prices read from AWS', () => {
  test('are those of all pages, of the wanted types in the Region, on demand with Linux', async () => {
    const prices = await readRegionPrices(client, 'us-east-1', wanted, undefined);
    expect(prices).toEqual({
      ec2OnDemandLinux: {
        asOf: '2026-07-18',
        source: 'AWS Price List Query API, AmazonEC2',
        usdPerHour: { 'c7a.48xlarge': 9.85344, 'm7a.24xlarge': 5.56416, 't3.medium': 0.0416 },
      },
      lustrePersistent2Ssd: {
        asOf: '2026-06-01',
        source: 'AWS Price List Query API, AmazonFSx',
        usdPerGibibyteMonth: { '125': 0.145, '250': 0.21 },
      },
      efsStandard: {
        asOf: '2026-05-02',
        source: 'AWS Price List Query API, AmazonEFS',
        usdPerGibibyteMonth: 0.3,
      },
      ebsGp3: {
        asOf: '2026-07-18',
        source: 'AWS Price List Query API, AmazonEC2',
        usdPerGibibyteMonth: 0.08,
      },
      s3Standard: {
        asOf: '2026-07-01',
        source: 'AWS Price List Query API, AmazonS3',
        usdPerGibibyteMonth: 0.023,
      },
      interfaceEndpoint: {
        asOf: '2026-07-03',
        source: 'AWS Price List Query API, AmazonVPC',
        usdPerHour: 0.01,
      },
      secret: {
        asOf: '2026-05-02',
        source: 'AWS Price List Query API, AWSSecretsManager',
        usdPerMonth: 0.4,
      },
    });
    expect(() => priceTableSchema.parse({ currency: 'USD', regions: { here: prices } })).not.toThrow();
    expect(exchanged.length).toBeGreaterThan(6);
  });

  test('stay as they were, with their source, where AWS lists none', async () => {
    products['AmazonFSx'] = [];
    products['AmazonEFS'] = [];
    const before = priceTable.regions['us-east-1'];
    const { lustrePersistent2Ssd, efsStandard } = await readRegionPrices(client, 'us-east-1', wanted, before);
    expect(lustrePersistent2Ssd).toEqual(before?.lustrePersistent2Ssd);
    expect(efsStandard).toEqual(before?.efsStandard);
  });

  test('are never those of another Region', async () => {
    await expect(readRegionPrices(client, 'eu-west-1', wanted, undefined)).rejects.toThrow(
      'AWS lists no on-demand prices in eu-west-1',
    );
    products['AmazonEFS'] = [];
    await expect(readRegionPrices(client, 'us-east-1', wanted, undefined)).rejects.toThrow(
      'AWS lists no price of EFS',
    );
  });

  test('are asked for and answered as botocore’s model of the service has it', async () => {
    await readRegionPrices(client, 'us-east-1', wanted, undefined);
    expect(await shapeProblems('pricing', exchanged)).toEqual([]);
  });
});
