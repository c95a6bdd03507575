import {
  type Client,
  WithStartWorkflowOperation,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from '@temporalio/client';
import { clusterWorkflowId, subnetPoolWorkflowId } from '../domain/ids.ts';
import type { Lease } from '../domain/subnets.ts';
import { acquireLease, poolLeases, releaseLease } from '../workflows/messages.ts';
import type { Activities, LeaseAnswer } from './port.ts';

export interface SubnetLeaseDependencies {
  readonly client: Client;
  readonly taskQueue: string;
  readonly vpcId: string;
  /** What shows that somebody lives in a subnet, in words; undefined when nothing does. */
  readonly whoLivesIn: (subnetId: string) => Promise<string | undefined>;
}

/**
 * Talks to the VPC's pool entity. It is an activity because a workflow cannot send an update to another workflow; the
 * pool starts with its first request.
 */
export function createSubnetLeaseActivities({
  client,
  taskQueue,
  vpcId,
  whoLivesIn,
}: SubnetLeaseDependencies): Pick<Activities, 'acquireSubnet' | 'releaseSubnet'> {
  const workflowId = subnetPoolWorkflowId(vpcId);
  return {
    async acquireSubnet({ avoidZones, ...deployment }): Promise<LeaseAnswer> {
      const start = new WithStartWorkflowOperation('subnetPool', {
        workflowId,
        taskQueue,
        args: [{ vpcId }],
        workflowIdConflictPolicy: 'USE_EXISTING',
        staticSummary: `Subnet leases of ${vpcId}`,
      });
      return unwrapping(() =>
        client.workflow.executeUpdateWithStart(acquireLease, {
          startWorkflowOperation: start,
          args: [
            {
              epoch: deployment.epoch,
              holderWorkflowId: clusterWorkflowId(deployment),
              ...(avoidZones && { avoidZones }),
            },
          ],
        }),
      );
    },

    async releaseSubnet({ epoch, onlyIfEmpty }) {
      if (onlyIfEmpty) {
        const lease = (await leasesIn(client, vpcId)()).find((each) => each.epoch === epoch);
        const inUse = lease && (await whoLivesIn(lease.subnetId));
        if (inUse !== undefined) return { inUse: `${lease?.subnetId}: ${inUse}` };
      }
      try {
        await unwrapping(() =>
          client.workflow.getHandle(workflowId).executeUpdate(releaseLease, { args: [{ epoch }] }),
        );
      } catch (error) {
        // No pool, no lease.
        if (!(error instanceof WorkflowNotFoundError)) throw error;
      }
      return undefined;
    },
  };
}

/** Reads the leases of a VPC's pool: none if nobody ever asked for one, and every other failure is thrown. */
export function leasesIn(client: Client, vpcId: string): () => Promise<readonly Lease[]> {
  return async () => {
    try {
      const { leases } = await client.workflow.getHandle(subnetPoolWorkflowId(vpcId)).query(poolLeases);
      return leases;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return [];
      throw error;
    }
  };
}

/** The pool's own failure instead of the client's wrapping of it, so that its type decides about a retry. */
async function unwrapping<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw error instanceof WorkflowUpdateFailedError && error.cause ? error.cause : error;
  }
}
