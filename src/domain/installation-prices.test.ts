import { describe, expect, it } from 'vitest';
import { estimateOf, pricesIn } from './estimate.ts';
import { type InstallationPrices, pricesInForce } from './installation-prices.ts';
import { plannedInstanceTypes } from './planned-instance-types.ts';
import { planningGround } from './planning-ground.ts';
import { priceTable, type RegionPrices } from './prices.ts';
import { clusterSpecInputSchema, resolveClusterSpec } from './cluster-spec-input.ts';

const release = priceTable.regions['us-east-1'] ?? expect.unreachable();
const releasedOn = release.ec2OnDemandLinux.asOf ?? expect.unreachable();

function own(region: string, readAt: string, prices: RegionPrices = release): InstallationPrices {
  return { version: 1, region, currency: 'USD', readAt, prices };
}

/** With one type that only the installation has a price of, published long ago. */
const other: RegionPrices = {
  ...release,
  ec2OnDemandLinux: { asOf: '2025-01-01', source: 'AWS', usdPerHour: { 't3.medium': 1, 'zz9.large': 2 } },
};

describe('the prices in force', () => {
  it.each([
    ['the release’s where there are no others', undefined, releasedOn],
    ['the release’s where they are newer', own('us-east-1', '2025-06-01T00:00:00.000Z', other), releasedOn],
    [
      'the installation’s where AWS said so later, whenever it published them',
      own('us-east-1', '2099-01-01T00:00:00.000Z', other),
      '2025-01-01',
    ],
    [
      'the installation’s on the day of the release’s',
      own('us-east-1', `${releasedOn}T00:00:00.000Z`, other),
      '2025-01-01',
    ],
    ['the release’s in other Regions', own('eu-west-1', '2099-01-01T00:00:00.000Z', other), releasedOn],
  ])('are %s', (_, installation, asOf) => {
    const table = pricesInForce(priceTable, installation);
    expect(pricesIn(table, 'us-east-1')?.ec2OnDemandLinux.asOf).toBe(asOf);
    const spec = resolveClusterSpec(clusterSpecInputSchema.parse({ tier: 'debug' }));
    expect(estimateOf(spec, table, 'us-east-1').pricesAsOf).toBe(asOf);
  });

  it('are the installation’s in a Region that the release does not have', () => {
    const table = pricesInForce(priceTable, own('eu-west-1', '2020-01-01T00:00:00.000Z', other));
    expect(pricesIn(table, 'eu-west-1')).toBe(other);
    expect(pricesIn(table, 'us-east-1')).toBe(release);
    expect(plannedInstanceTypes(table)).toContain('zz9.large');
    expect(planningGround({ region: 'eu-west-1', hasLustre: false }, table).prices).toBe(table);
  });
});
