import { describe, expect, it } from 'vitest';
import type { PriceRefresh } from '../../src/domain/price-refresh.ts';
import { inVirtualTime } from '../support/virtual-time.ts';

const run = inVirtualTime({ serverFor: 'file' });

const at = '2026-11-26T03:00:00.000Z';
const inForce = { asOf: '2026-07-20', source: 'AWS', instanceTypes: 131 };

describe('a refresh of prices', () => {
  it('says which prices are in force since, and what is remarkable about them', async () => {
    await run({ recordAs: 'prices' }, async (rig) => {
      const written: PriceRefresh = {
        region: 'eu-west-1',
        at,
        outcome: 'written',
        inForce: { ...inForce, from: 'control-bucket' },
        remarks: ['AWS does not list EFS.'],
      };
      rig.world.priceRefresh = written;
      expect(await rig.runWorkflow<PriceRefresh>('refreshPrices', 'prices-1')).toEqual(written);
      expect(await rig.detailsOf('prices-1')).toBe(
        [
          `## Prices of eu-west-1, ${at}`,
          '**They are those that AWS lists now.**',
          '',
          'In force: those in the control bucket, as of 2026-07-20, for 131 instance types (AWS).',
          '',
          '- AWS does not list EFS.',
        ].join('\n'),
      );
    });
  });

  it('ends well where AWS’s price list cannot be reached, and says what stays in force and what to do', async () => {
    await run({}, async (rig) => {
      const problem = { message: 'It cannot be reached.', nextStep: 'Make a way.' };
      const kept: PriceRefresh = { region: 'us-east-1', at, outcome: 'kept', remarks: [], problem };
      rig.world.priceRefresh = { ...kept, inForce: { ...inForce, from: 'release' } };
      expect(await rig.runWorkflow<PriceRefresh>('refreshPrices', 'prices-2')).toMatchObject({ problem });
      const details = await rig.detailsOf('prices-2');
      expect(details).toContain('**Nothing was changed.** It cannot be reached.');
      expect(details).toContain('In force: those of the release, as of 2026-07-20');
      expect(details).toContain('To do: Make a way.');
      rig.world.priceRefresh = kept;
      await rig.runWorkflow<PriceRefresh>('refreshPrices', 'prices-3');
      expect(await rig.detailsOf('prices-3')).toContain(
        'us-east-1 has no prices: estimates and plans say so',
      );
    });
  });
});
