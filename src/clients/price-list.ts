import { type Filter, paginateGetProducts, type PricingClient } from '@aws-sdk/client-pricing';
import { z } from 'zod';
import type { RegionPrices } from '../domain/prices.ts';

/**
 * The Region in which AWS is asked for the prices of one: all prices are answered in three of them ("Endpoints" of the Price List
 * API, AWS Billing user guide). Only in those can a VPC have an interface endpoint for it.
 */
export function pricingRegion(region: string): string {
  if (region.startsWith('eu-')) return 'eu-central-1';
  return region.startsWith('ap-') ? 'ap-south-1' : 'us-east-1';
}

/** All of it together: some twenty pages, of which each takes well under a second. */
const READ_WITHIN_MS = 90_000;

/** One entry of a price list, so far as it is needed. */
const productSchema = z.object({
  product: z.object({ attributes: z.record(z.string(), z.string()) }),
  publicationDate: z.string(),
  terms: z.object({
    OnDemand: z
      .record(
        z.string(),
        z.object({
          priceDimensions: z.record(
            z.string(),
            z.object({
              unit: z.string(),
              beginRange: z.string().optional(),
              pricePerUnit: z.object({ USD: z.string().optional() }),
            }),
          ),
        }),
      )
      .default({}),
  }),
});

interface Price {
  readonly attributes: Readonly<Record<string, string>>;
  readonly publishedOn: string;
  readonly unit: string;
  readonly usd: number;
}

export interface ReadPrices {
  readonly prices: RegionPrices;
  /** What AWS does not list: it is in `prices` as it was before, with the source that it had. */
  readonly unlisted: readonly string[];
}

/**
 * The prices of a Region as AWS lists them now, all of them or none.
 *
 * @throws the SDK's errors; Error naming what has no price and had none before, or what is not understood.
 */
export async function readRegionPrices(
  pricing: PricingClient,
  region: string,
  instanceTypes: readonly string[],
  before: RegionPrices | undefined,
): Promise<ReadPrices> {
  const abortSignal = AbortSignal.timeout(READ_WITHIN_MS);
  const list = async (service: string, attributes: Readonly<Record<string, string>>): Promise<Price[]> =>
    listPrices(pricing, service, { regionCode: region, ...attributes }, abortSignal);
  const unlisted: string[] = [];
  const known = <T>(listed: T | undefined, earlier: T | undefined, what: string): T => {
    if (listed !== undefined) return listed;
    if (earlier === undefined) throw new Error(`AWS lists no price of ${what}`);
    unlisted.push(what);
    return earlier;
  };
  const compute = await list('AmazonEC2', {
    operatingSystem: 'Linux',
    tenancy: 'Shared',
    preInstalledSw: 'NA',
    capacitystatus: 'Used',
    marketoption: 'OnDemand',
  });
  const ofTypes = compute.filter(
    ({ attributes, unit }) => unit === 'Hrs' && instanceTypes.includes(attributes['instanceType'] ?? ''),
  );
  if (ofTypes.length === 0) throw new Error(`AWS lists no on-demand prices in ${region}`);
  const lustre = await list('AmazonFSx', { fileSystemType: 'Lustre', storageType: 'SSD' });
  const efs = await list('AmazonEFS', { storageClass: 'General Purpose' });
  const gp3 = await list('AmazonEC2', { productFamily: 'Storage', volumeApiName: 'gp3' });
  const s3 = await list('AmazonS3', { productFamily: 'Storage', volumeType: 'Standard' });
  const endpoints = await list('AmazonVPC', { productFamily: 'VpcEndpoint' });
  const secrets = await list('AWSSecretsManager', { productFamily: 'Secret' });
  const prices: RegionPrices = {
    ec2OnDemandLinux: { ...sourceOf(ofTypes, 'AmazonEC2'), usdPerHour: byInstanceType(ofTypes) },
    lustrePersistent2Ssd: known(lustrePrices(lustre), before?.lustrePersistent2Ssd ?? NO_LUSTRE, 'Lustre'),
    efsStandard: known(storagePrice(efs, 'AmazonEFS', /TimedStorage-ByteHrs$/), before?.efsStandard, 'EFS'),
    ebsGp3: known(storagePrice(gp3, 'AmazonEC2', /EBS:VolumeUsage\.gp3$/), before?.ebsGp3, 'EBS gp3'),
    s3Standard: known(
      storagePrice(s3, 'AmazonS3', /TimedStorage-ByteHrs$/),
      before?.s3Standard,
      'S3 Standard',
    ),
    interfaceEndpoint: known(endpointPrice(endpoints), before?.interfaceEndpoint, 'interface endpoints'),
    secret: known(secretPrice(secrets), before?.secret, 'secrets'),
  };
  return { prices, unlisted };
}

/** Not every Region has FSx for Lustre. */
const NO_LUSTRE = { source: 'AWS Price List Query API, AmazonFSx: not listed', usdPerGibibyteMonth: {} };

async function listPrices(
  pricing: PricingClient,
  ServiceCode: string,
  attributes: Readonly<Record<string, string>>,
  abortSignal: AbortSignal,
): Promise<Price[]> {
  const Filters = Object.entries(attributes).map(([Field, Value]): Filter => ({
    Type: 'TERM_MATCH',
    Field,
    Value,
  }));
  const prices: Price[] = [];
  const input = { ServiceCode, Filters, FormatVersion: 'aws_v1' };
  const pages = paginateGetProducts({ client: pricing }, input, { abortSignal });
  for await (const { PriceList = [] } of pages)
    for (const entry of PriceList) prices.push(...pricesOf(String(entry), ServiceCode));
  return prices;
}

/** Of a price in steps only the first one, which is what a project with less than some terabytes pays. */
function pricesOf(entry: string, service: string): Price[] {
  const { data, error } = productSchema.safeParse(parseJson(entry));
  if (error) {
    const [issue] = error.issues;
    const where = issue?.path.join('.') || 'the entry';
    throw new Error(`AWS lists ${service} in a form that is not understood: ${where}: ${issue?.message}`);
  }
  const { product, publicationDate, terms } = data;
  return Object.values(terms.OnDemand).flatMap(({ priceDimensions }) =>
    Object.values(priceDimensions).flatMap(({ unit, beginRange = '0', pricePerUnit }) => {
      const usd = Number(pricePerUnit.USD);
      if (Number(beginRange) > 0 || !(usd > 0)) return [];
      return [{ attributes: product.attributes, publishedOn: publicationDate.slice(0, 10), unit, usd }];
    }),
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function sourceOf(prices: readonly Price[], service: string): { asOf?: string; source: string } {
  const newest = prices
    .map(({ publishedOn }) => publishedOn)
    .toSorted()
    .at(-1);
  return { ...(newest && { asOf: newest }), source: `AWS Price List Query API, ${service}` };
}

function byInstanceType(prices: readonly Price[]): Record<string, number> {
  const pairs = prices.map(({ attributes, usd }) => [attributes['instanceType'] ?? '', usd] as const);
  return Object.fromEntries(pairs.toSorted(([a], [b]) => a.localeCompare(b, 'en', { numeric: true })));
}

/** Only PERSISTENT_2 has these throughputs (FSx for Lustre user guide): the list does not name the deployment type. */
function lustrePrices(prices: readonly Price[]): RegionPrices['lustrePersistent2Ssd'] | undefined {
  const found = (['125', '250', '500', '1000'] as const).flatMap((throughput) => {
    const price = prices.find(
      ({ attributes, unit }) =>
        unit === 'GB-Mo' && /^\d+/.exec(attributes['throughputCapacity'] ?? '')?.[0] === throughput,
    );
    return price ? [[throughput, price] as const] : [];
  });
  if (found.length === 0) return undefined;
  return {
    ...sourceOf(
      found.map(([, price]) => price),
      'AmazonFSx',
    ),
    usdPerGibibyteMonth: Object.fromEntries(found.map(([throughput, { usd }]) => [throughput, usd])),
  };
}

function storagePrice(
  prices: readonly Price[],
  service: string,
  usageType: RegExp,
): RegionPrices['efsStandard'] | undefined {
  const found = prices.filter(
    ({ attributes, unit }) => unit === 'GB-Mo' && usageType.test(attributes['usagetype'] ?? ''),
  );
  const [first] = found;
  return first && { ...sourceOf(found, service), usdPerGibibyteMonth: first.usd };
}

function endpointPrice(prices: readonly Price[]): RegionPrices['interfaceEndpoint'] | undefined {
  const found = prices.filter(({ attributes }) => attributes['usagetype']?.endsWith('VpcEndpoint-Hours'));
  const [first] = found;
  return first && { ...sourceOf(found, 'AmazonVPC'), usdPerHour: first.usd };
}

function secretPrice(prices: readonly Price[]): RegionPrices['secret'] | undefined {
  const found = prices.filter(({ attributes }) =>
    attributes['usagetype']?.endsWith('AWSSecretsManager-Secrets'),
  );
  const [first] = found;
  return first && { ...sourceOf(found, 'AWSSecretsManager'), usdPerMonth: first.usd };
}
