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

/** A list that AWS did not give: nothing of what depends on it is touched. */
export interface Unlisted {
  readonly what: ResourceKind | 'network-interface' | 'log-group' | 'records';
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
  /** Deployments of this installation of which anything is there, orphans among them. Absent in findings of older releases. */
  readonly deployments?: number;
  /** Epochs that do not say which installation they are of, as those of releases before 0.3.0. Absent where all do. */
  readonly unclaimed?: readonly string[];
  /** Absent where everything could be listed. */
  readonly unlisted?: readonly Unlisted[];
  /** What the control bucket keeps of deployments of which nothing is left. */
  readonly records?: KeptRecords;
}

/** A deployment that began this recently may not be in the view of its entity yet. */
const YOUNG_SECONDS = 300;

const secretRoles: readonly SecretRole[] = ['admin', 'job-user', 'slurm-api'];

/** What a sweep knows beside what there is. */
export interface SweepKnowledge {
  /** Whether a workflow looks after a deployment; where that is not known it must say so. */
  readonly isAttended: (deployment: Deployment) => boolean;
  /** Since 1970. */
  readonly nowSeconds: number;
  /** Ours: see `installationName`. */
  readonly installation: string;
  /** Epochs of which an operator has said that they are ours. */
  readonly claimed?: readonly string[];
}

type Sorted = Required<Pick<Findings, 'orphans' | 'lookAlikes' | 'remnants' | 'attended' | 'deployments'>> &
  Pick<Findings, 'unclaimed'>;

/** Sorts what carries our tags. */
export function findOrphans(
  resources: readonly TaggedResource[],
  { isAttended, nowSeconds, installation, claimed = [] }: SweepKnowledge,
): Sorted {
  const own = new Set([...claimed, ...untaggedOf(resources, installation)]);
  const orphans = new Map<string, Orphan>();
  const seen = new Set<string>();
  const unclaimed = new Set<string>();
  const lookAlikes: LookAlike[] = [];
  const remnants: Remnant[] = [];
  let attended = 0;
  for (const resource of resources) {
    const { kind, id, tags, inUse, remnant } = resource;
    const stays = (because: string) => lookAlikes.push({ kind, id, because });
    const deployment = deploymentOf(tags);
    const problem = deployment ? problemWith(deployment, resource) : 'It lacks tags that we would have set.';
    const maker = tags[tagKeys.installation];
    if (problem !== undefined || !deployment) {
      stays(problem ?? '');
    } else if (maker !== undefined && maker !== installation) {
      stays(`It is of the installation ${maker}.`);
    } else if (nowSeconds - epochStartSeconds(deployment.epoch) < YOUNG_SECONDS || isAttended(deployment)) {
      seen.add(deployment.epoch);
      attended += 1;
    } else if (maker === undefined && !own.has(deployment.epoch)) {
      unclaimed.add(deployment.epoch);
      stays(`It does not say which installation made it (epoch ${deployment.epoch}).`);
    } else if (inUse !== undefined) {
      stays(inUse);
    } else if (remnant !== undefined) {
      if (kind === 'lustre-link') remnants.push({ kind, id, because: remnant });
    } else {
      seen.add(deployment.epoch);
      const known = orphans.get(deployment.epoch) ?? { ...deployment, resources: [] };
      orphans.set(deployment.epoch, { ...known, resources: [...known.resources, shown(resource)] });
    }
  }
  return {
    orphans: [...orphans.values()].toSorted((a, b) => (a.epoch < b.epoch ? -1 : 1)),
    lookAlikes,
    remnants,
    attended,
    deployments: seen.size,
    ...(unclaimed.size > 0 && { unclaimed: [...unclaimed].toSorted() }),
  };
}

/**
 * Epochs of which nothing says by a tag which installation made it, as releases before 0.3.0 made them, but which hold a
 * subnet of this installation by its own record.
 */
function untaggedOf(resources: readonly TaggedResource[], installation: string): string[] {
  const epochsOf = (some: readonly TaggedResource[]) =>
    new Set(
      some
        .filter(({ tags }) => tags[tagKeys.installation] === installation)
        .map(({ tags }) => tags[tagKeys.epoch] ?? ''),
    );
  const tagged = epochsOf(resources.filter(({ kind }) => kind !== 'subnet-lease'));
  const leased = epochsOf(resources.filter(({ kind }) => kind === 'subnet-lease'));
  return [...leased].filter((epoch) => !tagged.has(epoch));
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

/** The deployments that resources say that they belong to, each once; without those of other installations. */
export function deploymentsOf(resources: readonly TaggedResource[], installation: string): Deployment[] {
  const found = new Map<string, Deployment>();
  for (const { tags } of resources) {
    const deployment = deploymentOf(tags);
    if (deployment && (tags[tagKeys.installation] ?? installation) === installation)
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
