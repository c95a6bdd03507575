import { z } from 'zod';
import bundled from './price-table.json' with { type: 'json' };

/*
 * What AWS asks for. Figures of the release are in price-table.json, each with its source; those of an installation are in its
 * control bucket (installation-prices.ts). Taxes, discounts, credits and data transfer are in none of them. Never imported by workflow code: what a cluster was
 * estimated to cost is said to its workflow, so that a release with other prices changes nothing that runs.
 */

/** AWS's month (730 hours), by which it quotes storage. */
export const HOURS_PER_MONTH = 730;

const usd = z.number().positive();

/** As of which day, by whom. The day is absent where the source does not say one. */
const sourced = { asOf: z.iso.date().optional(), source: z.string().min(1) };

const storagePriceSchema = z.strictObject({ ...sourced, usdPerGibibyteMonth: usd });

export const regionPricesSchema = z.strictObject({
  /** Linux, shared tenancy. A type that is not here has no price: EC2 does not offer it there, or nobody has looked. */
  ec2OnDemandLinux: z.strictObject({ ...sourced, usdPerHour: z.record(z.string(), usd) }),
  /** By throughput in MB/s per TiB. */
  lustrePersistent2Ssd: z.strictObject({
    ...sourced,
    usdPerGibibyteMonth: z.partialRecord(z.enum(['125', '250', '500', '1000']), usd),
  }),
  efsStandard: storagePriceSchema,
  ebsGp3: storagePriceSchema,
  s3Standard: storagePriceSchema,
  /** In each availability zone. */
  interfaceEndpoint: z.strictObject({ ...sourced, usdPerHour: usd }),
  /** Of Secrets Manager, whatever its size; calls are not counted. */
  secret: z.strictObject({ ...sourced, usdPerMonth: usd }),
});

export const priceTableSchema = z.strictObject({
  currency: z.literal('USD'),
  regions: z.record(z.string(), regionPricesSchema),
});

export type RegionPrices = z.output<typeof regionPricesSchema>;
export type PriceTable = z.output<typeof priceTableSchema>;

/** The table of this release. */
export const priceTable: PriceTable = priceTableSchema.parse(bundled);

/** US dollars per hour of an on-demand node; undefined where the table has no price. */
export function nodeUsdPerHour(prices: RegionPrices, instanceType: string): number | undefined {
  const { usdPerHour } = prices.ec2OnDemandLinux;
  return Object.hasOwn(usdPerHour, instanceType) ? usdPerHour[instanceType] : undefined;
}

/**
 * US dollars of nodes of one type that were up for so long together; undefined where the type has no price. EC2 counts
 * seconds, at least 60 of each start.
 */
export function costOfNodeSeconds(
  prices: RegionPrices,
  instanceType: string,
  nodeSeconds: number,
): number | undefined {
  const hourly = nodeUsdPerHour(prices, instanceType);
  return hourly === undefined ? undefined : (hourly * nodeSeconds) / 3600;
}

/** US dollars a month of a Lustre file system; FSx's GB is a GiB. Undefined where its throughput has no price. */
export function lustreUsdPerMonth(
  prices: RegionPrices,
  lustre: {
    readonly sizeGibibytes: number;
    readonly throughputMegabytesPerSecondPerTebibyte: 125 | 250 | 500 | 1000;
  },
): number | undefined {
  const { usdPerGibibyteMonth } = prices.lustrePersistent2Ssd;
  const each = usdPerGibibyteMonth[`${lustre.throughputMegabytesPerSecondPerTebibyte}`];
  return each === undefined ? undefined : each * lustre.sizeGibibytes;
}

/** US dollars a month of so many GiB on EFS. Throughput is not counted. */
export function efsUsdPerMonth(prices: RegionPrices, gibibytes: number): number {
  return prices.efsStandard.usdPerGibibyteMonth * gibibytes;
}

/** The interface endpoints of the VPC, which all clusters use together. */
export interface EndpointShare {
  readonly interfaceEndpoints: number;
  readonly availabilityZones: number;
  /** How many clusters share them. */
  readonly clusters: number;
}

/** US dollars per hour of one cluster's part of the interface endpoints. */
export function endpointsUsdPerHour(prices: RegionPrices, share: EndpointShare): number {
  const { interfaceEndpoints, availabilityZones, clusters } = share;
  return (prices.interfaceEndpoint.usdPerHour * interfaceEndpoints * availabilityZones) / clusters;
}

/** Cents are what people read; tenths of a cent keep small sums apart. */
export function roundUsd(usd: number): number {
  return Math.round(usd * 1000) / 1000;
}
