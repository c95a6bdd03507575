import { ofFallbackTier } from '../domain/fallback-tiers.ts';
import { costNotesOf } from './cost-notes.ts';
import type { Activities } from './port.ts';

/** What a cluster of a fallback tier would be, by the tiers and prices of this release. */
export function createFallbackActivities({
  settings,
}: {
  readonly settings: { readonly region: string };
}): Pick<Activities, 'resolveFallback'> {
  return {
    async resolveFallback({ spec, tier }) {
      const fallback = ofFallbackTier(spec, tier);
      return { spec: fallback, notes: costNotesOf(fallback, settings.region) };
    },
  };
}
