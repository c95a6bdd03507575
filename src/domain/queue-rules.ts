import type { ClusterOptions } from './cluster-options.ts';
import { type InstanceType, instanceTypes } from './instance-types.ts';
import { groupsOf } from './node-groups.ts';
import { type ComputeResource, instanceTypeNameSchema, type Queue } from './queue.ts';

/** What is wrong with one field of a request. */
export interface Issue {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** Families whose processors NVIDIA's open driver, which is in ParallelCluster's images, does not know (`NVIDIA_OPENRM_UNSUPPORTED_INSTANCE_TYPES`). */
const UNSUPPORTED_GPUS = /^(p2|p3|p3dn|g2|g3|g3s)\./;

/** What ParallelCluster would refuse about queues, one by one and together; the path of each begins with `queues`. */
export function queueIssues(queues: readonly Queue[], options: ClusterOptions): Issue[] {
  return [
    ...duplicates(queues, ['queues']),
    ...queues.flatMap((queue, index) => {
      const path = ['queues', index];
      return [
        ...duplicates(queue.computeResources, [...path, 'computeResources']),
        ...timeIssues(queue, path),
        ...queue.computeResources.flatMap((resource, position) =>
          resourceIssues(queue, resource, options).map((issue) => ({
            ...issue,
            path: [...path, 'computeResources', position, ...issue.path],
          })),
        ),
      ];
    }),
    ...nodeNameIssues(queues),
    ...reservationIssues(queues),
  ];
}

/**
 * ParallelCluster makes names of nodes from those of queue and compute resource, and does not see that `a` with `b-dy-c` and
 * `a-dy-b` with `c` give the same ones.
 */
function nodeNameIssues(queues: readonly Queue[]): Issue[] {
  const owners = new Map<string, string>();
  return queues.flatMap((queue, index) =>
    queue.computeResources.flatMap((resource, position) => {
      const { fixed, dynamic } = groupsOf(queue, resource);
      const clash = [fixed, dynamic].find((group) => (owners.get(group) ?? queue.name) !== queue.name);
      for (const group of [fixed, dynamic]) owners.set(group, queue.name);
      if (clash === undefined) return [];
      const message = `its nodes would be named \`${clash}-1\` like those of another queue: take a name without \`-st-\` and \`-dy-\``;
      return [{ path: ['queues', index, 'computeResources', position, 'name'], message }];
    }),
  );
}

/** `DuplicateNameValidator` */
function duplicates(
  named: readonly { readonly name: string }[],
  path: readonly (string | number)[],
): Issue[] {
  const names = named.map(({ name }) => name);
  return names.flatMap((name, index) =>
    names.indexOf(name) < index
      ? [{ path: [...path, index, 'name'], message: `\`${name}\` is used twice` }]
      : [],
  );
}

/** Slurm does not start with a default above the limit (slurm.conf(5), `DefaultTime`). */
function timeIssues(
  { defaultTimeSeconds, maxTimeSeconds }: Queue,
  path: readonly (string | number)[],
): Issue[] {
  if (defaultTimeSeconds === undefined || maxTimeSeconds === undefined) return [];
  if (defaultTimeSeconds <= maxTimeSeconds) return [];
  return [{ path: [...path, 'defaultTimeSeconds'], message: 'must not exceed maxTimeSeconds' }];
}

function resourceIssues(queue: Queue, resource: ComputeResource, options: ClusterOptions): Issue[] {
  const { instanceType, minCount, maxCount } = resource;
  const issues: Issue[] = [];
  // `ComputeResourceSizeValidator`
  if (minCount > maxCount) issues.push({ path: ['minCount'], message: 'must not exceed maxCount' });
  // EC2 has no reservations for spot instances.
  if (resource.capacityReservation && queue.capacityType === 'SPOT')
    issues.push({ path: ['capacityReservation'], message: 'is for on-demand queues; this one is SPOT' });
  const type = instanceTypes[instanceType];
  if (type) return [...issues, ...typeIssues(queue, resource, type, options)];
  // What does not even look like one has been told already.
  if (!instanceTypeNameSchema.safeParse(instanceType).success) return issues;
  // `InstanceTypeValidator`
  const message = `${instanceType} is no instance type that this release knows`;
  return [...issues, { path: ['instanceType'], message }];
}

/** What an instance type cannot do. */
function typeIssues(
  { placementGroup, capacityType }: Queue,
  { instanceType, efa }: ComputeResource,
  type: InstanceType,
  { customAmi }: ClusterOptions,
): Issue[] {
  const path = ['instanceType'];
  const issues: Issue[] = [];
  // `EfaValidator`
  if (efa && !type.efa)
    issues.push({ path: ['efa'], message: `${instanceType} has no Elastic Fabric Adapter` });
  // `CapacityTypeValidator`
  if (capacityType === 'SPOT' && !type.spot)
    issues.push({ path, message: `${instanceType} is not offered as a spot instance; this queue is SPOT` });
  // `InstanceTypePlacementGroupValidator`
  if (placementGroup && !type.clusterPlacement)
    issues.push({
      path,
      message: `${instanceType} cannot be in a cluster placement group; this queue has placementGroup`,
    });
  // `InstanceTypeBaseAMICompatibleValidator`
  if (customAmi === undefined && UNSUPPORTED_GPUS.test(instanceType))
    issues.push({
      path,
      message: `ParallelCluster’s images have no driver for ${instanceType}: give a customAmi that has one`,
    });
  return issues;
}

/** `CapacityReservationValidator`: a reservation is of one instance type. */
function reservationIssues(queues: readonly Queue[]): Issue[] {
  const typeOf = new Map<string, string>();
  return queues.flatMap(({ computeResources }, index) =>
    computeResources.flatMap(({ instanceType, capacityReservation }, position) => {
      const id = capacityReservation?.id;
      if (id === undefined) return [];
      const first = typeOf.get(id) ?? instanceType;
      typeOf.set(id, first);
      if (first === instanceType) return [];
      const path = ['queues', index, 'computeResources', position, 'capacityReservation', 'id'];
      return [
        { path, message: `${id} is already used for ${first}, and a reservation is of one instance type` },
      ];
    }),
  );
}
