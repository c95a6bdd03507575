import { describe, expect, it } from 'vitest';
import type { FailureType } from './failures.ts';
import { describeTries, nextPlace, type Placement, type PlacementTry, zonesToAvoid } from './placement.ts';
import type { PreflightCheckName } from './preflight.ts';
import { queueSchema } from './queue.ts';
import { type Tier, tiers } from './tiers.ts';

const poolZones = ['a', 'b', 'c'];

const queue = queueSchema.parse(tiers.debug.queues[0]);

function tried(
  availabilityZone: string,
  tier: Tier,
  type: FailureType = 'InsufficientCapacity',
): PlacementTry {
  return {
    epoch: `${tier}-${availabilityZone}`,
    subnetId: `subnet-${availabilityZone}`,
    availabilityZone,
    tier,
    startedAt: '2026-01-01T00:00:00.000Z',
    failedAt: '2026-01-01T00:10:00.000Z',
    failure: { type, message: 'no luck' },
  };
}

function next(
  tries: readonly PlacementTry[],
  fallbackTiers: readonly Tier[] = [],
  failedChecks: readonly PreflightCheckName[] = [],
) {
  return nextPlace(
    { tries },
    { fallbackTiers: [...fallbackTiers], queues: [queue] },
    { poolZones, failedChecks },
  );
}

describe('where a cluster is tried next', () => {
  it('is each other zone once, then each fallback tier in all zones, then nowhere', () => {
    const tries: PlacementTry[] = [];
    const order: string[] = [];
    let tier: Tier = 'prod-mpi';
    for (let zone = 0; ; zone = (zone + 1) % poolZones.length) {
      tries.push(tried(poolZones[zone] ?? '', tier));
      order.push(`${tier} ${poolZones[zone]}`);
      const place = next(tries, ['prod-batch']);
      if (!place) break;
      if (place.kind === 'tier') tier = place.tier;
    }
    expect(order).toEqual(
      ['prod-mpi', 'prod-batch'].flatMap((each) => poolZones.map((zone) => `${each} ${zone}`)),
    );
  });

  it('is nowhere for what no place can help', () => {
    for (const type of [
      'StackCreateFailed',
      'ProvisioningTimedOut',
      'HostKeyMismatch',
      'AwsAccessDenied',
    ] as const)
      expect(next([tried('a', 'debug', type)], ['prod-batch'])).toBeUndefined();
  });

  it('is never another zone for a quota', () => {
    expect(next([tried('a', 'debug', 'QuotaExceeded')])).toBeUndefined();
    expect(next([tried('a', 'debug', 'QuotaExceeded')], ['prod-batch'])).toEqual({
      kind: 'tier',
      tier: 'prod-batch',
    });
  });

  it.each<[readonly PreflightCheckName[], 'zone' | 'tier' | undefined]>([
    [['instance-types'], 'zone'],
    [['instance-types', 'addresses'], 'zone'],
    [['vcpu-quota'], 'tier'],
    [['addresses', 'vcpu-quota'], 'tier'],
    [['addresses', 'database'], undefined],
    [['names'], undefined],
    [[], undefined],
  ])('depends on what a preflight found: %j', (failedChecks, kind) => {
    expect(next([tried('a', 'debug', 'PreflightFailed')], ['prod-batch'], failedChecks)?.kind).toBe(kind);
  });

  it('is nowhere after 8 tries, and where the pool does not say its zones', () => {
    const tries = Array.from({ length: 8 }, (_, index) => tried(`z${index}`, 'debug'));
    expect(next(tries.slice(1))?.kind).toBe('zone');
    expect(next(tries)).toBeUndefined();
    const unsaid = { poolZones: [], failedChecks: [] };
    expect(nextPlace({ tries: [tried('a', 'debug')] }, { queues: [queue] }, unsaid)).toBeUndefined();
  });

  it('is never a fallback tier where several queues are asked for', () => {
    const asked = { fallbackTiers: ['prod-batch' as const], queues: [queue, queue] };
    const where = { poolZones: ['a'], failedChecks: [] };
    expect(nextPlace({ tries: [tried('a', 'debug')] }, asked, where)).toBeUndefined();
  });

  it('avoids only zones in which the same nodes were tried', () => {
    const placement: Placement = {
      tries: [tried('a', 'debug'), tried('b', 'debug'), tried('a', 'prod-batch')],
    };
    expect(zonesToAvoid(placement, 'debug')).toEqual(['a', 'b']);
    expect(zonesToAvoid(placement, 'prod-batch')).toEqual(['a']);
    expect(describeTries(placement)).toBe(
      'debug in a: no luck · debug in b: no luck · prod-batch in a: no luck',
    );
  });
});
