/*
 * What is left behind, in money. What has no price is said and never counts as free; a sum beside something without a price
 * is a lower bound. No prices here: workflow code imports this (see orphan-prices.ts).
 */

/** What AWS counts of a thing. */
export type Billed =
  | {
      readonly as: 'instance';
      readonly instanceType: string;
      /** A stopped one pays for its disk alone. */
      readonly isRunning: boolean;
      readonly isSpot: boolean;
    }
  | {
      readonly as: 'lustre';
      readonly sizeGibibytes: number;
      /** As FSx has it, e.g. `PERSISTENT_2 SSD`. */
      readonly type: string;
      readonly throughputMegabytesPerSecondPerTebibyte?: number;
    }
  | { readonly as: 'secret' }
  /** Free by itself; what is in it is not. */
  | { readonly as: 'stack' };

/** What one thing costs, or why nobody knows. */
export type ResourceCost =
  { readonly usdPerHour: number; readonly isUpperBound?: true } | { readonly unpriced: string };

export interface OrphanCost {
  readonly usdPerHour: number;
  /** AWS's month of 730 hours. */
  readonly usdPerMonth: number;
  /** Since each thing was made; up to the last reading of the deployment's own meter, where there is one, as that has it. */
  readonly usdSoFar: number;
  /** What is in none of the sums, and why. */
  readonly unpriced: readonly string[];
  /** Spot instances count like others. */
  readonly isUpperBound?: true;
}

/** Several orphans together. */
export function sumOfOrphans(orphans: readonly { readonly cost?: OrphanCost }[]): OrphanCost {
  const costs = orphans.flatMap(({ cost }) => (cost ? [cost] : []));
  const sum = (of: (cost: OrphanCost) => number) => costs.reduce((total, cost) => total + of(cost), 0);
  return {
    usdPerHour: sum(({ usdPerHour }) => usdPerHour),
    usdPerMonth: sum(({ usdPerMonth }) => usdPerMonth),
    usdSoFar: sum(({ usdSoFar }) => usdSoFar),
    unpriced: costs.flatMap(({ unpriced }) => unpriced),
    ...(costs.some(({ isUpperBound }) => isUpperBound) && { isUpperBound: true }),
  };
}
