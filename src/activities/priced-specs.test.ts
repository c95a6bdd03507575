import { describe, expect, it } from 'vitest';
import { clusterSpecInputSchema, resolveClusterSpec } from '../domain/cluster-spec-input.ts';
import { priceTable } from '../domain/prices.ts';
import { createPricedSpecActivities } from './priced-specs.ts';

const spec = resolveClusterSpec(clusterSpecInputSchema.parse({ tier: 'prod-batch' }));
const { priceSpec, resolveFallback } = createPricedSpecActivities({
  settings: { region: 'us-east-1' },
  currentPrices: async () => priceTable,
});

describe('what a specification costs that nobody has priced', () => {
  it('is said with the rates of its own nodes', async () => {
    const { rates, estimate } = await priceSpec({ spec });
    expect(rates?.computeResources.map(({ instanceType }) => instanceType)).toEqual([
      'm5.8xlarge',
      'c7a.48xlarge',
    ]);
    expect(estimate).toMatchObject({ region: 'us-east-1' });
  });

  it('of a fallback tier is said with the rates of that tier’s', async () => {
    const { notes } = await resolveFallback({ spec, tier: 'debug' });
    expect(notes.rates?.computeResources).toMatchObject([{ instanceType: 't3.micro', usdPerHour: 0.0104 }]);
  });
});
