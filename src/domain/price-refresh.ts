import { counted } from './wording.ts';

/*
 * How a refresh of the installation's prices ended. No prices here: workflow code imports this (see price-changes.ts).
 */

/** Where the prices come from that count. */
export interface PricesInForce {
  readonly from: 'control-bucket' | 'release';
  /** Day of the prices of EC2, as `pricesAsOf` of estimates. */
  readonly asOf?: string;
  /** Of the prices of EC2. */
  readonly source: string;
  /** How many types have a price. */
  readonly instanceTypes: number;
}

export interface PriceRefresh {
  readonly region: string;
  /** ISO 8601. */
  readonly at: string;
  /** `kept`: nothing was written. */
  readonly outcome: 'written' | 'kept';
  /** By which estimates and new deployments count from now on. Absent where the Region has no prices. */
  readonly inForce?: PricesInForce;
  /** What somebody should know of the new prices: large changes, and what AWS does not list. */
  readonly remarks: readonly string[];
  /** Why nothing was written, and what to do about it. */
  readonly problem?: { readonly message: string; readonly nextStep: string };
}

/** What an operator reads at the top of the workflow in the Temporal UI. */
export function renderPriceRefresh({ region, at, outcome, inForce, remarks, problem }: PriceRefresh): string {
  return [
    `## Prices of ${region}, ${at}`,
    outcome === 'written'
      ? '**They are those that AWS lists now.**'
      : `**Nothing was changed.** ${problem?.message ?? ''}`,
    '',
    inForce
      ? `In force: ${inWords(inForce)}`
      : `${region} has no prices: estimates and plans say so, and no cluster can be watched by a budget (\`PriceUnknown\`).`,
    '',
    ...(problem ? [`To do: ${problem.nextStep}`, ''] : []),
    ...remarks.map((remark) => `- ${remark}`),
  ].join('\n');
}

function inWords({ from, asOf, source, instanceTypes }: PricesInForce): string {
  const whose = from === 'release' ? 'those of the release' : 'those in the control bucket';
  const day = asOf ? `as of ${asOf}` : 'without a date';
  return `${whose}, ${day}, for ${counted(instanceTypes, 'instance type')} (${source}).`;
}
