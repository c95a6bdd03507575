import type { Deployment, SecretRole } from './deployment.ts';
import type { Tenant } from './ids.ts';

/**
 * Keys of the tags by which the service knows its own resources. Everything that it makes for a deployment carries
 * the epoch; a resource without the right one is foreign and never touched.
 */
export const tagKeys = {
  /** On the subnets that may be leased; its value is the name of the pool. Set by whoever builds the network. */
  pool: 'parallelcluster-provisioner:pool',
  epoch: 'parallelcluster-provisioner:epoch',
  cluster: 'parallelcluster-provisioner:cluster',
  /** On stacks: the subnet that the cluster lives in. */
  subnet: 'parallelcluster-provisioner:subnet',
  /** On key pairs and their secrets. */
  role: 'parallelcluster-provisioner:role',
  /** Which installation made it: several can share an account, each with a network and a Temporal of its own. */
  installation: 'parallelcluster-provisioner:installation',
  /** Keys of the platform's cost reports, kept from the service that this one replaces. */
  virtualLab: 'obp:costcenter:vlabid',
  project: 'obp:costcenter:project',
  billing: 'SBO_Billing',
} as const;

/** Tags of which any says that a thing may be a deployment's, also one that lacks others. */
export const tellingKeys = [
  tagKeys.epoch,
  tagKeys.cluster,
  tagKeys.role,
  tagKeys.installation,
  tagKeys.virtualLab,
] as const;

export type ResourceTags = Readonly<Record<string, string>>;

/**
 * The name of an installation. Its subnets can be leased by nobody else, so it needs no name of its own, and knows itself
 * again when everything but the network was made anew.
 */
export function installationName(network: { readonly vpcId: string; readonly subnetPool: string }): string {
  return `${network.vpcId}/${network.subnetPool}`;
}

/** On everything that costs money, also what all tenants share. */
export const billingTags: ResourceTags = { [tagKeys.billing]: 'hpc:parallelcluster' };

/** Tags of what belongs to a tenant and outlives its deployments. Releases before 0.3.0 named no installation. */
export function tenantTags({ virtualLabId, projectId }: Tenant, installation?: string): ResourceTags {
  return {
    [tagKeys.virtualLab]: virtualLabId,
    [tagKeys.project]: projectId,
    ...billingTags,
    ...(installation !== undefined && { [tagKeys.installation]: installation }),
  };
}

/** Tags of what belongs to one deployment. */
export function deploymentTags(deployment: Deployment, installation?: string): ResourceTags {
  return {
    ...tenantTags(deployment, installation),
    [tagKeys.cluster]: deployment.clusterName,
    [tagKeys.epoch]: deployment.epoch,
  };
}

/** Tags of a deployment's stack. CloudFormation hands them on to the cluster's own stack and its instances. */
export function stackTags(deployment: Deployment, subnetId: string, installation?: string): ResourceTags {
  return { ...deploymentTags(deployment, installation), [tagKeys.subnet]: subnetId };
}

/** Tags of a key pair and of the secret that holds its private half. */
export function keyTags(deployment: Deployment, role: SecretRole, installation?: string): ResourceTags {
  return { ...deploymentTags(deployment, installation), [tagKeys.role]: role };
}

/** The list that the AWS SDK wants. */
export function toTagList(tags: ResourceTags): { Key: string; Value: string }[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

/** The value of a tag in a list from the AWS SDK, or undefined. */
export function tagValue(
  tags: readonly { readonly Key?: string | undefined; readonly Value?: string | undefined }[] | undefined,
  key: string,
): string | undefined {
  return tags?.find(({ Key }) => Key === key)?.Value;
}
