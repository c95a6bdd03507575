import { condition, getExternalWorkflowHandle, setCurrentDetails, setHandler } from '@temporalio/workflow';
import {
  acquire,
  emptyPool,
  nextWaiters,
  type PoolSnapshot,
  release,
  renderPoolDetails,
} from '../domain/subnets.ts';
import type { LeaseAnswer } from '../activities/port.ts';
import { activities } from './activities.ts';
import { continueIfHistoryIsLong, isHistoryLong, requireKnownVersion } from './continue-as-new.ts';
import {
  type AcquireRequest,
  acquireLease,
  poolLeases,
  releaseLease,
  subnetAvailable,
  type SubnetPoolInput,
} from './messages.ts';
import { rejection } from './failure.ts';

/**
 * The leases of one VPC's cluster subnets. Every decision is made from what EC2 and CloudFormation show at that
 * moment, within one workflow task: two clusters can never be given the same subnet.
 */
export async function subnetPool(input: SubnetPoolInput): Promise<void> {
  const { vpcId, historyEventLimit } = input;
  requireKnownVersion(input.snapshot);
  let pool: PoolSnapshot = input.snapshot ?? emptyPool;

  const change = (next: PoolSnapshot): void => {
    pool = next;
    setCurrentDetails(renderPoolDetails(vpcId, pool));
  };

  setHandler(poolLeases, () => pool, { description: 'Who holds which subnet, and who waits' });

  setHandler(
    acquireLease,
    async ({ epoch, holderWorkflowId, avoidZones }: AcquireRequest): Promise<LeaseAnswer> => {
      const subnets = await activities.describePoolSubnets(vpcId);
      if (subnets.length === 0)
        throw rejection('SubnetPoolEmpty', `No subnet of ${vpcId} carries the tag of the pool.`);
      const zones = [...new Set(subnets.map(({ availabilityZone }) => availabilityZone))].toSorted();
      if (avoidZones && zones.every((zone) => avoidZones.includes(zone)))
        throw rejection('SubnetPoolEmpty', `The pool of ${vpcId} has subnets in ${zones.join(', ')} only.`);
      // No await from here on: the decision and its record are one step.
      const now = new Date().toISOString();
      const request = { epoch, holderWorkflowId, now, ...(avoidZones && { avoidZones }) };
      const decision = acquire(pool, request, subnets);
      change(decision.pool);
      const { lease, position } = decision;
      const useful = subnets.filter(({ availabilityZone }) => !avoidZones?.includes(availabilityZone));
      if (!lease) return { status: 'waiting', position, poolSize: useful.length };
      return {
        status: 'leased',
        lease: { subnetId: lease.subnetId, availabilityZone: lease.availabilityZone },
        zones,
      };
    },
    { description: 'Lease a subnet to an epoch, or queue it' },
  );

  setHandler(
    releaseLease,
    async ({ epoch }) => {
      const zone = pool.leases.find((lease) => lease.epoch === epoch)?.availabilityZone;
      change(release(pool, epoch));
      for (const waiter of nextWaiters(pool, zone)) {
        await getExternalWorkflowHandle(waiter.holderWorkflowId)
          .signal(subnetAvailable, { epoch: waiter.epoch })
          // A waiter that no longer runs loses its place when it has not asked for long enough.
          .catch(() => undefined);
      }
    },
    { description: 'Give an epoch’s subnet back' },
  );

  setCurrentDetails(renderPoolDetails(vpcId, pool));
  await condition(() => isHistoryLong(historyEventLimit));
  await continueIfHistoryIsLong(historyEventLimit, () => [{ ...input, snapshot: pool }]);
}
