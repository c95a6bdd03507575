import type { RegionPrices } from './prices.ts';

/** By which a price may rise or fall without anybody being told. */
const REMARKABLE_FACTOR = 3;
/** Of the prices that were known, in percent: where more are missing, it is half an answer rather than news. */
const MAX_MISSING_PERCENT = 10;
/** A remark is for people. */
const MAX_NAMES = 20;

export interface PriceChanges {
  readonly remarks: readonly string[];
  /** Why the new prices are not to be believed. */
  readonly refusal?: string;
}

/** What is remarkable about new prices of a Region, and whether they can be all. */
export function priceChanges(
  before: RegionPrices | undefined,
  now: RegionPrices,
  unlisted: readonly string[],
): PriceChanges {
  const earlier = before ? figuresOf(before) : new Map<string, number>();
  const figures = figuresOf(now);
  const missing = [...earlier.keys()].filter((name) => !figures.has(name));
  const jumps = [...figures].flatMap(([name, usd]) => {
    const was = earlier.get(name) ?? usd;
    const isJump = usd > was * REMARKABLE_FACTOR || was > usd * REMARKABLE_FACTOR;
    return isJump ? [`${name} from ${was} to ${usd} USD`] : [];
  });
  const remarks = [
    ...(unlisted.length > 0
      ? [`AWS does not list ${named(unlisted)}: as before, with the earlier date.`]
      : []),
    ...(missing.length > 0
      ? [`AWS lists no longer, and from now on without a price: ${named(missing)}.`]
      : []),
    ...(jumps.length > 0 ? [`Changed by more than a factor of ${REMARKABLE_FACTOR}: ${named(jumps)}.`] : []),
  ];
  if (missing.length * 100 <= earlier.size * MAX_MISSING_PERCENT) return { remarks };
  const refusal = `AWS lists ${missing.length} of the ${earlier.size} prices that were known no more. That is not taken for the whole list.`;
  return { remarks: [`Missing: ${named(missing)}.`], refusal };
}

/** Every price by a name of its own. */
function figuresOf(prices: RegionPrices): ReadonlyMap<string, number> {
  const { ec2OnDemandLinux, lustrePersistent2Ssd, efsStandard, ebsGp3, s3Standard } = prices;
  const { interfaceEndpoint, secret } = prices;
  return new Map([
    ...Object.entries(ec2OnDemandLinux.usdPerHour),
    ...Object.entries(lustrePersistent2Ssd.usdPerGibibyteMonth).map(
      ([throughput, usd]) => [`Lustre of ${throughput} MB/s per TiB`, usd] as const,
    ),
    ['EFS', efsStandard.usdPerGibibyteMonth],
    ['EBS gp3', ebsGp3.usdPerGibibyteMonth],
    ['S3 Standard', s3Standard.usdPerGibibyteMonth],
    ['interface endpoint', interfaceEndpoint.usdPerHour],
    ['secret', secret.usdPerMonth],
  ]);
}

function named(names: readonly string[]): string {
  const more = names.length - MAX_NAMES;
  return names.slice(0, MAX_NAMES).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
