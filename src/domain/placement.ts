import type { ClusterSpec } from './cluster-spec.ts';
import type { Failure } from './failures.ts';
import type { PreflightCheckName } from './preflight.ts';
import type { Tier } from './tiers.ts';

/*
 * Where a cluster is to be when it could not be made where it was tried. A cluster that is not ready yet holds nobody's work, so
 * it is given back as a whole and made anew, in an epoch of its own: first in each other zone of the pool, then of the next
 * fallback tier.
 */

/** A deployment that did not come to be. */
export interface PlacementTry {
  readonly epoch: string;
  /** Absent where it never got a subnet. */
  readonly subnetId?: string;
  readonly availabilityZone?: string;
  readonly tier: ClusterSpec['tier'];
  /** ISO 8601, as all times. */
  readonly startedAt: string;
  readonly failedAt: string;
  readonly failure: Pick<Failure, 'type' | 'message'>;
  /** `s3://` address of what is kept of it for whoever wants to know why; absent where neither stack nor file system was begun. */
  readonly supportBundle?: string;
}

/** A try as a view has room for: of older ones neither times nor what exactly was wrong. */
export interface PlacementTryView
  extends
    Pick<PlacementTry, 'epoch' | 'availabilityZone' | 'tier' | 'supportBundle'>,
    Partial<Pick<PlacementTry, 'subnetId' | 'startedAt' | 'failedAt'>> {
  readonly failure: Pick<Failure, 'type'> & Partial<Pick<Failure, 'message'>>;
}

/** Tries of what was asked for last, the last one at the end. */
export interface Placement {
  readonly tries: readonly PlacementTry[];
  /** What was asked for, where the cluster is to be of a fallback tier, or has grown for a campaign. */
  readonly asked?: ClusterSpec;
}

/** Where to try next. */
export type NextPlace =
  | { readonly kind: 'zone'; readonly tier: ClusterSpec['tier'] }
  | { readonly kind: 'tier'; readonly tier: Tier };

/** Each takes AWS some minutes at best, and half an hour where EC2 is asked in vain: who waits wants to know some day. */
const MAX_TRIES = 8;

/** What of a preflight may be otherwise in another zone, and what with other instance types. */
const curedByZone: ReadonlySet<PreflightCheckName> = new Set(['instance-types', 'addresses']);
const curedByTier: ReadonlySet<PreflightCheckName> = new Set([...curedByZone, 'vcpu-quota']);

type Cure = 'zone' | 'tier';

/** What may help, the best first. Quotas are the same in all zones of a region (Service Quotas). */
function curesOf(type: Failure['type'], failedChecks: readonly PreflightCheckName[]): readonly Cure[] {
  switch (type) {
    case 'InsufficientCapacity':
    case 'UnsupportedInZone':
      return ['zone', 'tier'];
    case 'QuotaExceeded':
      return ['tier'];
    case 'PreflightFailed':
      if (failedChecks.length === 0) return [];
      if (failedChecks.every((check) => curedByZone.has(check))) return ['zone', 'tier'];
      return failedChecks.every((check) => curedByTier.has(check)) ? ['tier'] : [];
    default:
      return [];
  }
}

/**
 * Where to try next after the last of the tries; undefined where nothing is left that could help.
 *
 * @param poolZones availability zones in which the pool has subnets; empty where it did not say.
 */
export function nextPlace(
  { tries }: Placement,
  { fallbackTiers = [], queues }: Pick<ClusterSpec, 'fallbackTiers' | 'queues'>,
  {
    poolZones,
    failedChecks,
  }: { readonly poolZones: readonly string[]; readonly failedChecks: readonly PreflightCheckName[] },
): NextPlace | undefined {
  const last = tries.at(-1);
  if (!last || tries.length >= MAX_TRIES) return undefined;
  const cures = curesOf(last.failure.type, failedChecks);
  const tried = zonesToAvoid({ tries }, last.tier);
  if (cures.includes('zone') && poolZones.some((zone) => !tried.includes(zone)))
    return { kind: 'zone', tier: last.tier };
  // A fallback takes the place of one queue.
  if (!cures.includes('tier') || queues.length !== 1) return undefined;
  const tier = fallbackTiers.find((fallback) => !tries.some((each) => each.tier === fallback));
  return tier && { kind: 'tier', tier };
}

/** Zones in which a tier was tried in vain. */
export function zonesToAvoid({ tries }: Placement, tier: ClusterSpec['tier']): readonly string[] {
  const zones = tries.flatMap((each) =>
    each.tier === tier && each.availabilityZone !== undefined ? [each.availabilityZone] : [],
  );
  return [...new Set(zones)];
}

/** Why a cluster did not come to be, over all tries. */
export function describeTries({ tries }: Placement): string {
  return tries
    .map(
      ({ tier, availabilityZone, failure }) =>
        `${tier} in ${availabilityZone ?? 'no zone'}: ${failure.message}`,
    )
    .join(' · ');
}
