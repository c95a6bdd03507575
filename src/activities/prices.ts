import type { PricingClient } from '@aws-sdk/client-pricing';
import { isUnanswered } from '../clients/aws-errors.ts';
import { pricingRegion, readRegionPrices } from '../clients/price-list.ts';
import { DamagedPrices, type PriceStore, pricesKey } from '../clients/price-store.ts';
import { pricesIn } from '../domain/estimate.ts';
import { KnownFailure } from '../domain/failures.ts';
import { type InstallationPrices, isInForce, pricesInForce } from '../domain/installation-prices.ts';
import { plannedInstanceTypes } from '../domain/planned-instance-types.ts';
import { priceChanges } from '../domain/price-changes.ts';
import type { PriceRefresh, PricesInForce } from '../domain/price-refresh.ts';
import { priceTable } from '../domain/prices.ts';
import { clipped, sentence } from '../domain/wording.ts';
import type { Activities } from './port.ts';

export interface PriceDeps {
  readonly pricing: PricingClient;
  readonly priceStore: PriceStore;
  readonly region: string;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

const MAX_CAUSE_CHARACTERS = 300;

type Problem = NonNullable<PriceRefresh['problem']>;

/** Reads the prices of the installation's Region anew. Only the control bucket's errors are errors: prices can wait. */
export function createPriceActivities({
  pricing,
  priceStore,
  region,
  now = Date.now,
}: PriceDeps): Pick<Activities, 'refreshPrices'> {
  return {
    async refreshPrices() {
      const at = new Date(now()).toISOString();
      const { own, damage } = await ownPrices(priceStore, region);
      const table = pricesInForce(priceTable, own);
      const before = pricesIn(table, region);
      const kept = (problem: Problem, remarks: readonly string[] = []): PriceRefresh => ({
        region,
        at,
        outcome: 'kept',
        ...inForceOf(region, own),
        remarks: [...damage, ...remarks],
        problem,
      });
      let read;
      try {
        read = await readRegionPrices(pricing, region, plannedInstanceTypes(table), before);
      } catch (error) {
        return kept(whyUnread(error, region));
      }
      const { remarks, refusal } = priceChanges(before, read.prices, read.unlisted);
      if (refusal !== undefined) return kept({ message: refusal, nextStep: lookAtList(region) }, remarks);
      const written: InstallationPrices = {
        version: 1,
        region,
        currency: 'USD',
        readAt: at,
        prices: read.prices,
      };
      await priceStore.put(written);
      return {
        region,
        at,
        outcome: 'written',
        ...inForceOf(region, written),
        remarks: [...damage, ...remarks],
      };
    },
  };
}

async function ownPrices(
  store: PriceStore,
  region: string,
): Promise<{ readonly own: InstallationPrices | undefined; readonly damage: readonly string[] }> {
  try {
    return { own: await store.get(region), damage: [] };
  } catch (error) {
    if (!(error instanceof DamagedPrices)) throw error;
    return { own: undefined, damage: [`${error.message}: a refresh that succeeds replaces it.`] };
  }
}

function inForceOf(
  region: string,
  own: InstallationPrices | undefined,
): { readonly inForce?: PricesInForce } {
  const { ec2OnDemandLinux } = pricesIn(pricesInForce(priceTable, own), region) ?? {};
  if (!ec2OnDemandLinux) return {};
  const { asOf, source, usdPerHour } = ec2OnDemandLinux;
  return {
    inForce: {
      from: own && isInForce(own, priceTable) ? 'control-bucket' : 'release',
      ...(asOf && { asOf }),
      source,
      instanceTypes: Object.keys(usdPerHour).length,
    },
  };
}

function whyUnread(error: unknown, region: string): Problem {
  const endpoint = `api.pricing.${pricingRegion(region)}.amazonaws.com`;
  const elsewhere = `run \`npm run prices:update -- --control-bucket <name> ${region}\` where it can be reached`;
  if (isUnanswered(error)) {
    const nextStep =
      `Give the workers a way to ${endpoint} (us-east-1, eu-central-1 and ap-south-1 have an interface endpoint, ` +
      `\`com.amazonaws.<region>.pricing.api\`), or ${elsewhere}; PRICES_REFRESH_SECONDS=0 ends these tries.`;
    return { message: `AWS’s price list cannot be reached at ${endpoint}.`, nextStep };
  }
  if (error instanceof KnownFailure && error.type === 'AwsAccessDenied') {
    const nextStep = `Allow the worker \`pricing:GetProducts\` (infra/service.yaml), or ${elsewhere}.`;
    return { message: sentence(error.message), nextStep };
  }
  // What the SDK adds in further lines is for programmers.
  const [cause = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
  return {
    message: `AWS’s price list could not be read: ${sentence(clipped(cause, MAX_CAUSE_CHARACTERS))}`,
    nextStep: `Nothing, if the next refresh succeeds; else ${elsewhere}.`,
  };
}

function lookAtList(region: string): string {
  return (
    `Compare with AWS’s price list. If those prices are gone indeed, delete ${pricesKey(region)} from the control bucket and ` +
    'trigger the Schedule `refresh-prices`; if they are of the release, ask for a release without them.'
  );
}
