import { tableHead, tableRow } from './markdown.ts';

/** One subnet of the pool as EC2 and CloudFormation show it now. */
export interface PoolSubnet {
  readonly subnetId: string;
  readonly availabilityZone: string;
  readonly availableAddresses: number;
  /** Epochs of our stacks whose tags say that they live in this subnet. */
  readonly usedByEpochs: readonly string[];
}

/** A subnet held by one epoch. */
export interface Lease {
  readonly epoch: string;
  readonly holderWorkflowId: string;
  readonly subnetId: string;
  readonly availabilityZone: string;
  /** ISO 8601. */
  readonly since: string;
}

/** An epoch that waits for a subnet; `lastAskedAt` proves that its workflow still wants one. */
export interface Waiter {
  readonly epoch: string;
  readonly holderWorkflowId: string;
  readonly since: string;
  readonly lastAskedAt: string;
  /** Availability zones that are of no use to it. */
  readonly avoidZones?: readonly string[];
}

/** State of the pool, carried over continue-as-new. */
export interface PoolSnapshot {
  readonly version: 1;
  readonly leases: readonly Lease[];
  readonly waiting: readonly Waiter[];
}

export const emptyPool: PoolSnapshot = { version: 1, leases: [], waiting: [] };

/**
 * Addresses that a subnet must have free to be leased. A head node and one compute node are the least that a
 * cluster needs; a subnet with fewer is used by something else.
 */
const MIN_FREE_ADDRESSES = 2;

/** A waiter that has not asked for this long has died: its place goes to the next. Waiters ask every 15 minutes. */
const WAITER_EXPIRY_SECONDS = 3600;

export interface LeaseRequest {
  readonly epoch: string;
  readonly holderWorkflowId: string;
  readonly now: string;
  readonly avoidZones?: readonly string[];
}

export interface AcquireDecision {
  readonly pool: PoolSnapshot;
  /** Undefined: the epoch waits at `position` (1 is next). */
  readonly lease?: Lease;
  readonly position: number;
}

/**
 * Gives the epoch a subnet, or a place in the queue: first come, first served. The same epoch always gets its own
 * lease again. A subnet is free when nobody leases it and no stack of another epoch lives in it, whatever our
 * records say.
 */
export function acquire(
  pool: PoolSnapshot,
  request: LeaseRequest,
  subnets: readonly PoolSubnet[],
): AcquireDecision {
  const own = pool.leases.find(({ epoch }) => epoch === request.epoch);
  if (own) return { pool, lease: own, position: 0 };
  const waiting = queueUp(pool.waiting, request);
  const position = waiting.findIndex(({ epoch }) => epoch === request.epoch);
  const subnet = subnetFor(waiting, position, freeSubnets(pool, subnets));
  if (!subnet) return { pool: { ...pool, waiting }, position: position + 1 };
  const { epoch, holderWorkflowId, now } = request;
  const { subnetId, availabilityZone } = subnet;
  const lease = { epoch, holderWorkflowId, subnetId, availabilityZone, since: now };
  return {
    pool: {
      ...pool,
      leases: [...pool.leases, lease],
      waiting: waiting.filter((waiter) => waiter.epoch !== epoch),
    },
    lease,
    position: 0,
  };
}

/** What the waiter at a place in the queue gets if everybody before it takes the first subnet that is of use. */
function subnetFor(
  waiting: readonly Waiter[],
  position: number,
  free: readonly PoolSubnet[],
): PoolSubnet | undefined {
  const left = [...free];
  let taken: PoolSubnet | undefined;
  for (const { avoidZones = [] } of waiting.slice(0, position + 1)) {
    const index = left.findIndex(({ availabilityZone }) => !avoidZones.includes(availabilityZone));
    taken = index === -1 ? undefined : left.splice(index, 1)[0];
  }
  return taken;
}

function queueUp(
  waiting: readonly Waiter[],
  { epoch, holderWorkflowId, now, avoidZones }: LeaseRequest,
): Waiter[] {
  const alive = waiting.filter(
    (waiter) => Date.parse(now) - Date.parse(waiter.lastAskedAt) <= WAITER_EXPIRY_SECONDS * 1000,
  );
  const known = alive.some((waiter) => waiter.epoch === epoch);
  const wish = avoidZones && { avoidZones };
  if (!known) return [...alive, { epoch, holderWorkflowId, since: now, lastAskedAt: now, ...wish }];
  return alive.map((waiter) => (waiter.epoch === epoch ? { ...waiter, lastAskedAt: now } : waiter));
}

/** Subnets that could be leased now, those with most free addresses first. */
export function freeSubnets(pool: PoolSnapshot, subnets: readonly PoolSubnet[]): PoolSubnet[] {
  const leased = new Set(pool.leases.map(({ subnetId }) => subnetId));
  return subnets
    .filter(
      ({ subnetId, availableAddresses, usedByEpochs }) =>
        !leased.has(subnetId) && usedByEpochs.length === 0 && availableAddresses >= MIN_FREE_ADDRESSES,
    )
    .toSorted((a, b) => b.availableAddresses - a.availableAddresses || a.subnetId.localeCompare(b.subnetId));
}

/** Takes the epoch's lease or its place in the queue away. */
export function release(pool: PoolSnapshot, epoch: string): PoolSnapshot {
  return {
    ...pool,
    leases: pool.leases.filter((lease) => lease.epoch !== epoch),
    waiting: pool.waiting.filter((waiter) => waiter.epoch !== epoch),
  };
}

/** The first in the queue to whom a subnet of this zone is of use: those who should ask again now that it came free. */
export function nextWaiters(pool: PoolSnapshot, availabilityZone = ''): readonly Waiter[] {
  return pool.waiting.filter(({ avoidZones = [] }) => !avoidZones.includes(availabilityZone)).slice(0, 3);
}

/** What an operator reads at the top of the pool's workflow in the Temporal UI. */
export function renderPoolDetails(vpcId: string, pool: PoolSnapshot): string {
  return [
    `## Subnets of ${vpcId}: ${pool.leases.length} leased, ${pool.waiting.length} waiting`,
    '',
    ...tableHead('subnet', 'zone', 'held by', 'epoch', 'since'),
    ...pool.leases.map((lease) =>
      tableRow(lease.subnetId, lease.availabilityZone, lease.holderWorkflowId, lease.epoch, lease.since),
    ),
    ...pool.waiting.map((waiter) =>
      tableRow('waits', '', waiter.holderWorkflowId, waiter.epoch, waiter.since),
    ),
  ].join('\n');
}
