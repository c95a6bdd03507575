import type { EC2Client } from '@aws-sdk/client-ec2';
import { KnownFailure } from '../domain/failures.ts';
import type { PreflightRequest } from '../domain/preflight.ts';
import {
  instanceTypesOf,
  type InstanceTypeTable,
  judgeAddresses,
  judgeOfferings,
} from '../domain/preflight-instances.ts';
import { emptyPool, freeSubnets, type PoolSubnet } from '../domain/subnets.ts';
import { readOfferings } from './preflight-facts.ts';

/**
 * Where the cluster is judged: in the leased subnet. Without a lease, in the first subnet that would do, one of each zone being
 * looked at, since a cluster goes from zone to zone until one has its nodes; or, if none would, in the one that would be leased now.
 */
export async function placeOf(
  { lease, spec }: PreflightRequest,
  subnets: readonly PoolSubnet[],
  { ec2, types }: { readonly ec2: EC2Client; readonly types: () => Promise<InstanceTypeTable> },
): Promise<PoolSubnet> {
  const candidates = lease
    ? subnets.filter(({ subnetId }) => subnetId === lease.subnetId)
    : firstOfEachZone([...freeSubnets(emptyPool, subnets), ...subnets]);
  const [first, ...others] = candidates;
  if (!first) throw new KnownFailure('SubnetPoolEmpty', 'No subnet of the pool is there for the cluster');
  if (others.length === 0) return first;
  for (const candidate of candidates) {
    const { availabilityZone } = candidate;
    const offered = await readOfferings(ec2, availabilityZone, instanceTypesOf(spec));
    const checks = [
      judgeOfferings(spec, availabilityZone, offered),
      judgeAddresses(spec, candidate, await types()),
    ];
    if (checks.every(({ outcome }) => outcome === 'ok')) return candidate;
  }
  return first;
}

function firstOfEachZone(subnets: readonly PoolSubnet[]): PoolSubnet[] {
  const zones = new Map<string, PoolSubnet>();
  for (const subnet of subnets)
    if (!zones.has(subnet.availabilityZone)) zones.set(subnet.availabilityZone, subnet);
  return [...zones.values()];
}
