import { clusterName, keyPairName, keySecretName, outerStackName } from './cluster-name.ts';
import type { Deployment, SecretRole } from './deployment.ts';
import { epochStartSeconds } from './ids.ts';
import type { KeptRecords } from './records.ts';
import type { Billed, OrphanCost, ResourceCost } from './orphan-costs.ts';
import { tagKeys } from './resource-tags.ts';

/** What a deployment can leave behind that costs money, opens a door, or keeps a subnet from others. */
export const resourceKinds = [
  'stack',
  'instance',
  'lustre',
  'lustre-link',
  'access-point',
  'key-pair',
  'secret',
  'subnet-lease',
] as const;
export type ResourceKind = (typeof resourceKinds)[number];

/** Something that says by its tags, or by our own record, which deployment it belongs to. */
export interface TaggedResource {
  readonly kind: ResourceKind;
  readonly id: string;
  /** The name by which we would have made it; ids where the service has no names. */
  readonly name: string;
  readonly tags: Readonly<Record<string, string>>;
  /** ISO 8601; absent where AWS does not say. */
  readonly madeAt?: string;
  /** What AWS counts; absent for what costs nothing by itself. */
  readonly billed?: Billed;
  /** What it lies on: the EFS file system of an access point. */
  readonly fileSystemId?: string;
  /** Why it stays although nobody looks after it; it is then reported with the look-alikes. */
  readonly inUse?: string;
  /** Why it goes by itself, without the teardown of a deployment: nothing is left that it belongs to. */
  readonly remnant?: string;
}

/** One thing of an orphan, and what it costs. */
export interface OrphanResource extends Pick<
  TaggedResource,
  'kind' | 'id' | 'madeAt' | 'billed' | 'fileSystemId'
> {
  readonly cost?: ResourceCost;
}

/** All that is left of one deployment that no workflow looks after. */
export interface Orphan extends Deployment {
  readonly resources: readonly OrphanResource[];
  /** Absent in reports of older releases. */
  readonly cost?: OrphanCost;
}

/** What nothing belongs to any more and nothing is in: it needs no teardown, only one more look before it goes. */
export interface Remnant {
  readonly kind: 'lustre-link' | 'log-group';
  readonly id: string;
  readonly because: string;
}

/** Something with our tags that we cannot have made as it is, or that somebody uses: it is reported, and never touched. */
export interface LookAlike {
  readonly kind: ResourceKind | 'log-group';
  readonly id: string;
  readonly because: string;
}

export interface Findings {
  /** Deployments that no workflow looks after, the oldest first. */
  readonly orphans: readonly Orphan[];
  readonly lookAlikes: readonly LookAlike[];
  /** Absent in findings of older releases. */
  readonly remnants?: readonly Remnant[];
  /** Resources of deployments that a workflow looks after. */
  readonly attended: number;
  /** What the control bucket keeps of deployments of which nothing is left. */
  readonly records?: KeptRecords;
}

/** A deployment that began this recently may not be in the view of its entity yet. */
const YOUNG_SECONDS = 300;

const secretRoles: readonly SecretRole[] = ['admin', 'job-user', 'slurm-api'];

/**
 * Sorts what carries our tags. `isAttended` says whether a workflow looks after a deployment; where that is not known it
 * must say so. `nowSeconds`: since 1970.
 */
export function findOrphans(
  resources: readonly TaggedResource[],
  isAttended: (deployment: Deployment) => boolean,
  nowSeconds: number,
): Required<Omit<Findings, 'records'>> {
  const orphans = new Map<string, Orphan>();
  const lookAlikes: LookAlike[] = [];
  const remnants: Remnant[] = [];
  let attended = 0;
  for (const resource of resources) {
    const { kind, id, inUse, remnant } = resource;
    const deployment = deploymentOf(resource.tags);
    const because = deployment ? problemWith(deployment, resource) : 'It lacks tags that we would have set.';
    if (because !== undefined || !deployment) {
      lookAlikes.push({ kind, id, because: because ?? '' });
      continue;
    }
    if (nowSeconds - epochStartSeconds(deployment.epoch) < YOUNG_SECONDS || isAttended(deployment)) {
      attended += 1;
      continue;
    }
    if (inUse !== undefined) {
      lookAlikes.push({ kind, id, because: inUse });
      continue;
    }
    if (remnant !== undefined) {
      if (kind === 'lustre-link') remnants.push({ kind, id, because: remnant });
      continue;
    }
    const known = orphans.get(deployment.epoch) ?? { ...deployment, resources: [] };
    orphans.set(deployment.epoch, { ...known, resources: [...known.resources, shown(resource)] });
  }
  return {
    orphans: [...orphans.values()].toSorted((a, b) => (a.epoch < b.epoch ? -1 : 1)),
    lookAlikes,
    remnants,
    attended,
  };
}

function shown({ kind, id, madeAt, billed, fileSystemId }: TaggedResource): OrphanResource {
  return {
    kind,
    id,
    ...(madeAt !== undefined && { madeAt }),
    ...(billed && { billed }),
    ...(fileSystemId !== undefined && { fileSystemId }),
  };
}

/** The deployments that resources say that they belong to, each once. */
export function deploymentsOf(resources: readonly TaggedResource[]): Deployment[] {
  const found = new Map<string, Deployment>();
  for (const { tags } of resources) {
    const deployment = deploymentOf(tags);
    if (deployment)
      found.set(`${deployment.virtualLabId}/${deployment.projectId}/${deployment.epoch}`, deployment);
  }
  return [...found.values()];
}

function deploymentOf(tags: TaggedResource['tags']): Deployment | undefined {
  const {
    [tagKeys.virtualLab]: virtualLabId,
    [tagKeys.project]: projectId,
    [tagKeys.cluster]: cluster,
    [tagKeys.epoch]: epoch,
  } = tags;
  if (!virtualLabId || !projectId || !cluster || !epoch) return undefined;
  return { virtualLabId, projectId, clusterName: cluster, epoch };
}

/** Why we cannot have made it; undefined when we can. */
function problemWith(deployment: Deployment, { kind, name }: TaggedResource): string | undefined {
  if (!/^[0-9a-z]{14}$/.test(deployment.epoch)) return 'Its epoch is none of ours.';
  if (deployment.clusterName !== clusterName(deployment)) return 'Its cluster is not that of its tenant.';
  const names = namesOf(deployment)[kind];
  return names === undefined || names.includes(name) ? undefined : `We would have named it otherwise.`;
}

/** The names of what a deployment makes; undefined for what has ids only. */
function namesOf(deployment: Deployment): Readonly<Record<ResourceKind, readonly string[] | undefined>> {
  return {
    stack: [deployment.clusterName, outerStackName(deployment.clusterName)],
    instance: undefined,
    lustre: undefined,
    'lustre-link': undefined,
    'access-point': undefined,
    'key-pair': [keyPairName(deployment, 'admin'), keyPairName(deployment, 'job-user')],
    secret: secretRoles.map((role) => keySecretName(deployment, role)),
    'subnet-lease': undefined,
  };
}
