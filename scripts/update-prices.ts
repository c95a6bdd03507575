/*
 * Writes src/domain/price-table.json anew from AWS's Price List Query API, for the Regions that it has, and for others that
 * are named. Needs credentials that may call pricing:GetProducts.
 *
 *   npm run prices:update [-- eu-west-1 …]
 */
import { writeFile } from 'node:fs/promises';
import { createPricingClient, readRegionPrices } from './price-list.ts';
import { plannedInstanceTypes } from '../src/domain/planned-instance-types.ts';
import { type PriceTable, priceTable } from '../src/domain/prices.ts';

const file = new URL('../src/domain/price-table.json', import.meta.url);

const pricing = createPricingClient();
const regions: PriceTable['regions'] = {};
for (const region of new Set([...Object.keys(priceTable.regions), ...process.argv.slice(2)])) {
  const before = priceTable.regions[region];
  regions[region] = await readRegionPrices(pricing, region, plannedInstanceTypes(), before);
  process.stdout.write(`${region}: ${regions[region].ec2OnDemandLinux.asOf}\n`);
}
pricing.destroy();
await writeFile(file, `${JSON.stringify({ ...priceTable, regions }, undefined, 2)}\n`);
