/*
 * Reads prices from AWS's Price List Query API. Needs credentials that may call pricing:GetProducts.
 *
 *   npm run prices:update [-- <region> …]
 *
 * writes src/domain/price-table.json anew, for the Regions that it has, and for others that are named: prices of a release.
 *
 *   npm run prices:update -- --control-bucket <name> [--kms-key-id <id>] <region>
 *
 * does what the installation's workers do daily, from a machine that can reach the price list where they cannot.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { createPriceActivities } from '../src/activities/prices.ts';
import { createAwsClients } from '../src/clients/aws.ts';
import { readRegionPrices } from '../src/clients/price-list.ts';
import { createS3PriceStore } from '../src/clients/price-store.ts';
import { plannedInstanceTypes } from '../src/domain/planned-instance-types.ts';
import { renderPriceRefresh } from '../src/domain/price-refresh.ts';
import { type PriceTable, priceTable } from '../src/domain/prices.ts';

const file = new URL('../src/domain/price-table.json', import.meta.url);

const { values, positionals } = parseArgs({
  options: { 'control-bucket': { type: 'string' }, 'kms-key-id': { type: 'string' } },
  allowPositionals: true,
});
const bucket = values['control-bucket'];
if (bucket === undefined) await updateRelease(positionals);
else await updateInstallation(bucket, values['kms-key-id'], positionals);

async function updateRelease(more: readonly string[]): Promise<void> {
  const regions: PriceTable['regions'] = {};
  for (const region of new Set([...Object.keys(priceTable.regions), ...more])) {
    const aws = createAwsClients({ region });
    const types = plannedInstanceTypes(priceTable);
    const { prices } = await readRegionPrices(aws.pricing, region, types, priceTable.regions[region]);
    aws.destroy();
    regions[region] = prices;
    process.stdout.write(`${region}: ${prices.ec2OnDemandLinux.asOf}\n`);
  }
  await writeFile(file, `${JSON.stringify({ ...priceTable, regions }, undefined, 2)}\n`);
}

async function updateInstallation(
  controlBucket: string,
  kmsKeyId: string | undefined,
  regions: readonly string[],
): Promise<void> {
  const [region] = regions;
  if (region === undefined || regions.length > 1) throw new Error('Name the one Region of the installation');
  const aws = createAwsClients({ region });
  const priceStore = createS3PriceStore({ s3: aws.s3, bucket: controlBucket, ...(kmsKeyId && { kmsKeyId }) });
  const { refreshPrices } = createPriceActivities({ pricing: aws.pricing, priceStore, region });
  const refresh = await refreshPrices();
  aws.destroy();
  process.stdout.write(`${renderPriceRefresh(refresh)}\n`);
  process.exitCode = refresh.outcome === 'written' ? 0 : 1;
}
