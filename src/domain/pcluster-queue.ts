import type { SlurmComputeResource, SlurmQueue } from './pcluster-document.ts';
import type { ComputeResource, Queue } from './queue.ts';

export function renderQueue(
  queue: Queue,
  networking: Omit<SlurmQueue['Networking'], 'PlacementGroup'>,
  setUp: Pick<SlurmQueue, 'CustomActions' | 'Iam'>,
): SlurmQueue {
  const { defaultTimeSeconds, maxTimeSeconds, maxNodesPerJob } = queue;
  const limits = {
    ...(defaultTimeSeconds && { DefaultTime: defaultTimeSeconds / 60 }),
    ...(maxTimeSeconds && { MaxTime: maxTimeSeconds / 60 }),
    ...(maxNodesPerJob && { MaxNodes: maxNodesPerJob }),
  };
  return {
    Name: queue.name,
    CapacityType: queue.capacityType,
    Networking: { ...networking, PlacementGroup: { Enabled: queue.placementGroup } },
    ComputeResources: queue.computeResources.map(renderComputeResource),
    ...(queue.exclusiveNodes !== undefined && { JobExclusiveAllocation: queue.exclusiveNodes }),
    ...(Object.keys(limits).length > 0 && { CustomSlurmSettings: limits }),
    ...setUp,
  };
}

function renderComputeResource(resource: ComputeResource): SlurmComputeResource {
  return {
    Name: resource.name,
    InstanceType: resource.instanceType,
    MinCount: resource.minCount,
    MaxCount: resource.maxCount,
    Efa: { Enabled: resource.efa },
    DisableSimultaneousMultithreading: !resource.multithreading,
    ...(resource.capacityReservation && {
      CapacityReservationTarget: renderReservation(resource.capacityReservation),
    }),
  };
}

function renderReservation({
  id,
  resourceGroupArn,
}: NonNullable<ComputeResource['capacityReservation']>): SlurmComputeResource['CapacityReservationTarget'] {
  if (id !== undefined) return { CapacityReservationId: id };
  return resourceGroupArn === undefined
    ? undefined
    : { CapacityReservationResourceGroupArn: resourceGroupArn };
}
