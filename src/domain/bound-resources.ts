import { tagKeys } from './resource-tags.ts';
import type { ResourceKind, TaggedResource, Unlisted } from './orphans.ts';

/*
 * Resources of which their tags do not say whether they can go: it depends on what else there is.
 */

/** A network interface, as far as it shows that somebody lives in a subnet. */
export interface SubnetInterface {
  readonly id: string;
  readonly subnetId: string;
  /** EC2's `InterfaceType`. */
  readonly type: string;
  readonly description: string;
}

/** What the network itself has in subnets of the pool: endpoints, and mount targets of EFS. */
const OF_THE_NETWORK = new Set(['vpc_endpoint', 'efs', 'gateway_load_balancer_endpoint']);

/** What lives in a subnet, and goes with the teardown of its deployment before the lease is given back. */
const INHABITANTS: ReadonlySet<string> = new Set(['stack', 'instance', 'lustre']);

/** What must have been listed beside a kind for its bonds to be known. */
const judgedBy: Partial<Record<ResourceKind, readonly Unlisted['what'][]>> = {
  'subnet-lease': ['stack', 'instance', 'lustre', 'network-interface'],
  'lustre-link': ['lustre'],
};

/** Whether nothing can be said of a kind without these lists. */
export function unjudgeable(kind: ResourceKind, unlisted: ReadonlySet<Unlisted['what']>): boolean {
  return judgedBy[kind]?.some((what) => unlisted.has(what)) ?? false;
}

/** Interfaces that show that a subnet is inhabited. */
export function inhabited(interfaces: readonly SubnetInterface[]): SubnetInterface[] {
  return interfaces.filter(({ type }) => !OF_THE_NETWORK.has(type));
}

export function describeInterface({ id, description }: SubnetInterface): string {
  return `The network interface ${id}${description ? ` (${description})` : ''} is in it.`;
}

/**
 * Marks what is bound to something else. A lease stays while anything lives in its subnet that the teardown of its own
 * deployment does not take away: to free a subnet in which a cluster lives would be a disaster. A link of a file system goes
 * with it; one whose file system is gone by itself, and one of a file system that is not of the same deployment not at all.
 *
 * @param fileSystemIds all there are, whosever they are, listed after the links.
 */
export function withBonds(
  resources: readonly TaggedResource[],
  {
    interfaces,
    fileSystemIds,
  }: { readonly interfaces: readonly SubnetInterface[]; readonly fileSystemIds: ReadonlySet<string> },
): TaggedResource[] {
  const epochOf = ({ tags }: TaggedResource) => tags[tagKeys.epoch];
  const ofEpoch = (epoch: string | undefined) => resources.filter((each) => epochOf(each) === epoch);
  return resources.map((resource) => {
    const { kind, id, fileSystemId } = resource;
    if (kind === 'subnet-lease') {
      if (ofEpoch(epochOf(resource)).some((each) => INHABITANTS.has(each.kind))) return resource;
      const stack = resources.find((each) => each.kind === 'stack' && each.tags[tagKeys.subnet] === id);
      const [tenant] = inhabited(interfaces).filter(({ subnetId }) => subnetId === id);
      if (stack) return { ...resource, inUse: `The stack ${stack.name} lives in it.` };
      if (!tenant) return resource;
      return { ...resource, inUse: describeInterface(tenant) };
    }
    if (kind !== 'lustre-link' || fileSystemId === undefined) return resource;
    if (!fileSystemIds.has(fileSystemId)) return { ...resource, remnant: `${fileSystemId} is gone.` };
    const isOwn = ofEpoch(epochOf(resource)).some(
      (each) => each.kind === 'lustre' && each.id === fileSystemId,
    );
    return isOwn ? resource : { ...resource, inUse: `${fileSystemId} is not of its deployment.` };
  });
}
