import type { CurrentPrices } from '../clients/current-prices.ts';
import { ofFallbackTier } from '../domain/fallback-tiers.ts';
import { costNotesOf } from './cost-notes.ts';
import type { Activities } from './port.ts';

/** Specifications with what they cost, by the tiers of this release and the prices in force, where it is not the API that says so. */
export function createPricedSpecActivities({
  settings,
  currentPrices,
}: {
  readonly settings: { readonly region: string };
  readonly currentPrices: CurrentPrices;
}): Pick<Activities, 'resolveFallback' | 'priceSpec'> {
  return {
    async resolveFallback({ spec, tier }) {
      const fallback = ofFallbackTier(spec, tier);
      return { spec: fallback, notes: costNotesOf(fallback, settings.region, await currentPrices()) };
    },

    priceSpec: async ({ spec }) => costNotesOf(spec, settings.region, await currentPrices()),
  };
}
