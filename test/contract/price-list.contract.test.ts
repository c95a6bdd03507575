import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createPriceActivities } from '../../src/activities/prices.ts';
import { type AwsClients, createAwsClients } from '../../src/clients/aws.ts';
import { type ReadPrices, readRegionPrices } from '../../src/clients/price-list.ts';
import type { PriceRefresh } from '../../src/domain/price-refresh.ts';
import { priceTableSchema, priceTable, type RegionPrices } from '../../src/domain/prices.ts';
import { MemoryPriceStore } from '../fakes/memory-price-store.ts';
import { shapeProblems } from '../support/aws-shapes.ts';
import { PriceListServer } from '../support/price-list-server.ts';

/*
 * No emulator knows the Price List Query API: the answers here have the form that AWS documents and other projects have
 * recorded, and every request and answer is checked against botocore's own model of the service.
 */

let server: PriceListServer;
let aws: AwsClients;
/** What was started, in the order in which it is to end. */
const closers: (() => Promise<void> | void)[] = [];

beforeEach(async () => {
  await use('us-east-1');
});

/** Starts over with a list that has prices of one Region. */
async function use(region: string): Promise<void> {
  await stop();
  server = await PriceListServer.start(region);
  vi.stubEnv('AWS_ENDPOINT_URL_PRICING', server.url);
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
  aws = createAwsClients({ region });
  closers.push(
    () => aws.destroy(),
    async () => server.close(),
  );
}

async function stop(): Promise<void> {
  for (const close of closers.splice(0)) await close();
  vi.unstubAllEnvs();
}

afterEach(stop);

const read = async (region: string, before?: RegionPrices): Promise<ReadPrices> =>
  readRegionPrices(aws.pricing, region, wanted, before);

const wanted = ['c7a.48xlarge', 'm7a.24xlarge', 't3.medium', 'c7i.large'];

describe('prices read from AWS', () => {
  test('are those of all pages, of the wanted types in the Region, on demand with Linux', async () => {
    const { prices, unlisted } = await read('us-east-1');
    expect(unlisted).toEqual([]);
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
    expect(server.exchanged.length).toBeGreaterThan(6);
  });

  test('stay as they were, with their source, where AWS lists none', async () => {
    server.products['AmazonFSx'] = [];
    server.products['AmazonEFS'] = [];
    const before = priceTable.regions['us-east-1'];
    const { prices, unlisted } = await read('us-east-1', before);
    expect(prices.lustrePersistent2Ssd).toEqual(before?.lustrePersistent2Ssd);
    expect(prices.efsStandard).toEqual(before?.efsStandard);
    expect(unlisted).toEqual(['Lustre', 'EFS']);
  });

  test('are never those of another Region', async () => {
    await expect(read('eu-west-1')).rejects.toThrow('AWS lists no on-demand prices in eu-west-1');
    server.products['AmazonEFS'] = [];
    await expect(read('us-east-1')).rejects.toThrow('AWS lists no price of EFS');
  });

  test('are asked for and answered as botocore’s model of the service has it', async () => {
    await read('us-east-1');
    expect(await shapeProblems('pricing', server.exchanged)).toEqual([]);
  });
});

describe('a refresh of the prices of an installation', () => {
  const now = Date.parse('2026-11-26T03:00:00Z');
  let store: MemoryPriceStore;
  const refresh = async (region: string): Promise<PriceRefresh> =>
    createPriceActivities({
      pricing: aws.pricing,
      priceStore: store,
      region,
      now: () => now,
    }).refreshPrices();

  beforeEach(() => {
    store = new MemoryPriceStore();
  });

  test('gives a Region prices of which the release knows none', async () => {
    await use('eu-west-1');
    expect(await refresh('eu-west-1')).toEqual({
      region: 'eu-west-1',
      at: '2026-11-26T03:00:00.000Z',
      outcome: 'written',
      inForce: {
        from: 'control-bucket',
        asOf: '2026-07-18',
        source: 'AWS Price List Query API, AmazonEC2',
        instanceTypes: 3,
      },
      remarks: [],
    });
    expect(await store.get('eu-west-1')).toMatchObject({
      readAt: '2026-11-26T03:00:00.000Z',
      prices: {
        ec2OnDemandLinux: { usdPerHour: { 't3.medium': 0.0416 } },
        efsStandard: { usdPerGibibyteMonth: 0.3 },
      },
    });
  });

  test('names a price that has more than tripled, and what AWS does not list', async () => {
    await use('eu-west-1');
    await refresh('eu-west-1');
    server.products['AmazonEFS'] = [];
    const [medium] = server.products['AmazonEC2'] ?? [];
    Object.assign(medium ?? {}, JSON.parse(JSON.stringify(medium).replace('0.0416000000', '0.1300000000')));
    expect(await refresh('eu-west-1')).toMatchObject({
      outcome: 'written',
      remarks: [
        'AWS does not list EFS: as before, with the earlier date.',
        'Changed by more than a factor of 3: t3.medium from 0.0416 to 0.13 USD.',
      ],
    });
  });

  test('takes few of the prices that are known for half an answer, and changes nothing', async () => {
    const { outcome, inForce, problem } = await refresh('us-east-1');
    expect({ outcome, inForce }).toMatchObject({
      outcome: 'kept',
      inForce: { from: 'release', asOf: priceTable.regions['us-east-1']?.ec2OnDemandLinux.asOf },
    });
    expect(problem?.message).toMatch(/^AWS lists \d+ of the \d+ prices that were known no more/);
    expect(store.objects.size).toBe(0);
  });

  test.each([
    [
      'the calls are denied',
      1,
      400,
      { __type: 'AccessDeniedException', message: 'not authorized' },
      'AWS denied pricing:GetProducts: not authorized.',
      /^Allow the worker `pricing:GetProducts`/,
    ],
    [
      'an answer breaks off in the middle of the list',
      4,
      200,
      '{"PriceList":["{',
      'AWS’s price list could not be read: ',
      /^Nothing, if the next refresh succeeds/,
    ],
    [
      'a later part is not understood',
      9,
      200,
      { PriceList: ['{"product":{}}'] },
      'is not understood: product.attributes: ',
      /^Nothing, if the next refresh succeeds/,
    ],
    [
      'AWS has trouble after half of the list',
      5,
      500,
      { __type: 'InternalErrorException' },
      'AWS’s price list could not be read: ',
      /^Nothing, if the next refresh succeeds/,
    ],
  ])('keeps what was in force and says why where %s', async (_, from, status, body, message, nextStep) => {
    await use('eu-west-1');
    await refresh('eu-west-1');
    const before = store.objects.get('eu-west-1');
    await use('eu-west-1');
    server.fault = { from, status, body };
    const kept = await refresh('eu-west-1');
    expect(kept).toMatchObject({ outcome: 'kept', inForce: { from: 'control-bucket', asOf: '2026-07-18' } });
    expect(kept.problem?.message).toContain(message);
    expect(kept.problem?.nextStep).toMatch(nextStep);
    expect(kept.problem?.nextStep).toContain('--control-bucket <name> eu-west-1');
    expect(store.objects.get('eu-west-1')).toBe(before);
  });

  test('gives up within seconds where no way leads to AWS’s price list', async () => {
    await server.close();
    const begin = performance.now();
    expect(await refresh('eu-north-1')).toEqual({
      region: 'eu-north-1',
      at: '2026-11-26T03:00:00.000Z',
      outcome: 'kept',
      remarks: [],
      problem: {
        message: 'AWS’s price list cannot be reached at api.pricing.eu-central-1.amazonaws.com.',
        nextStep: expect.stringContaining('com.amazonaws.<region>.pricing.api'),
      },
    });
    expect(performance.now() - begin).toBeLessThan(5_000);
  });

  test('replaces what somebody has damaged', async () => {
    await use('eu-west-1');
    store.objects.set('eu-west-1', '{}');
    expect(await refresh('eu-west-1')).toMatchObject({
      outcome: 'written',
      remarks: [
        'prices/eu-west-1.json in the control bucket has no prices of eu-west-1: a refresh that succeeds replaces it.',
      ],
    });
    expect(await store.get('eu-west-1')).toBeDefined();
  });
});
