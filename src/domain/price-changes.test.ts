import { describe, expect, it } from 'vitest';
import { priceChanges } from './price-changes.ts';
import { type RegionPrices } from './prices.ts';

const group = { source: 'AWS' };

function prices(count: number, usd = 1): RegionPrices {
  const types = Array.from({ length: count }, (_, index) => [`c${index}.large`, usd] as const);
  return {
    ec2OnDemandLinux: { ...group, usdPerHour: Object.fromEntries(types) },
    lustrePersistent2Ssd: { ...group, usdPerGibibyteMonth: { 125: 0.145 } },
    efsStandard: { ...group, usdPerGibibyteMonth: 0.3 },
    ebsGp3: { ...group, usdPerGibibyteMonth: 0.08 },
    s3Standard: { ...group, usdPerGibibyteMonth: 0.023 },
    interfaceEndpoint: { ...group, usdPerHour: 0.01 },
    secret: { ...group, usdPerMonth: 0.4 },
  };
}

describe('new prices of a Region', () => {
  it('are unremarkable where they are as before, a little other, or the first', () => {
    expect(priceChanges(prices(9), prices(9, 2.9), [])).toEqual({ remarks: [] });
    expect(priceChanges(prices(9), prices(9, 0.34), [])).toEqual({ remarks: [] });
    expect(priceChanges(prices(9), prices(11), [])).toEqual({ remarks: [] });
    expect(priceChanges(undefined, prices(2), [])).toEqual({ remarks: [] });
  });

  it.each([
    ['rises', 3.1],
    ['falls', 0.3],
  ])('are named one by one where a price %s by more than a factor of 3', (_, usd) => {
    const { remarks, refusal } = priceChanges(prices(2), prices(2, usd), []);
    expect(remarks).toEqual([
      `Changed by more than a factor of 3: c0.large from 1 to ${usd} USD, c1.large from 1 to ${usd} USD.`,
    ]);
    expect(refusal).toBeUndefined();
  });

  it('name at most 20 of what is remarkable', () => {
    expect(priceChanges(prices(25), prices(25, 9), []).remarks.join(' ')).toMatch(
      /c19\.large [^,]* and 5 more\.$/,
    );
  });

  it('say what AWS lists no longer', () => {
    const gone = { ...prices(20), lustrePersistent2Ssd: { ...group, usdPerGibibyteMonth: {} } };
    expect(priceChanges(prices(21), gone, ['EFS'])).toEqual({
      remarks: [
        'AWS does not list EFS: as before, with the earlier date.',
        'AWS lists no longer, and from now on without a price: c20.large, Lustre of 125 MB/s per TiB.',
      ],
    });
  });

  it('are refused where more than a tenth of what was known is missing', () => {
    // 14 types and 6 other prices: 2 are a tenth, 3 are more.
    expect(priceChanges(prices(14), prices(12), []).refusal).toBeUndefined();
    expect(priceChanges(prices(14), prices(11), [])).toEqual({
      refusal: 'AWS lists 3 of the 20 prices that were known no more. That is not taken for the whole list.',
      remarks: ['Missing: c11.large, c12.large, c13.large.'],
    });
  });
});
