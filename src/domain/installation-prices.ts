import { z } from 'zod';
import { type PriceTable, regionPricesSchema } from './prices.ts';

/*
 * The prices of an installation: of its one Region, read from AWS by the installation itself, in its control bucket. API and
 * workers read the same object, so that they count the same. Never imported by workflow code, as little as prices.ts.
 */

/**
 * As it lies in the control bucket. A group of prices that is added must be optional, or installations have none until their next
 * refresh.
 */
export const installationPricesSchema = z.object({
  version: z.literal(1),
  region: z.string(),
  currency: z.literal('USD'),
  /** When AWS said so: they were in force on that day, whenever they were published (`asOf`). */
  readAt: z.iso.datetime(),
  prices: regionPricesSchema,
});

export type InstallationPrices = z.output<typeof installationPricesSchema>;

/** Whether the installation's prices of its Region are at least as new as those of the release, as far as days are known. */
export function isInForce({ region, readAt }: InstallationPrices, release: PriceTable): boolean {
  const { ec2OnDemandLinux } = Object.hasOwn(release.regions, region) ? (release.regions[region] ?? {}) : {};
  return readAt.slice(0, 10) >= (ec2OnDemandLinux?.asOf ?? '');
}

/** What counts: of the installation's Region the newer prices, of other Regions those of the release. */
export function pricesInForce(release: PriceTable, own: InstallationPrices | undefined): PriceTable {
  if (!own || !isInForce(own, release)) return release;
  return { ...release, regions: { ...release.regions, [own.region]: own.prices } };
}
