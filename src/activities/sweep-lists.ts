import { type CloudFormationClient, paginateDescribeStacks } from '@aws-sdk/client-cloudformation';
import { DescribeKeyPairsCommand, type EC2Client, paginateDescribeInstances } from '@aws-sdk/client-ec2';
import { type EFSClient, paginateDescribeAccessPoints } from '@aws-sdk/client-efs';
import {
  type FileSystem,
  type FSxClient,
  paginateDescribeDataRepositoryAssociations,
  paginateDescribeFileSystems,
} from '@aws-sdk/client-fsx';
import { paginateListSecrets, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { clusterName } from '../domain/cluster-name.ts';
import { tenantOfClusterWorkflow } from '../domain/ids.ts';
import type { ResourceKind, TaggedResource } from '../domain/orphans.ts';
import { deploymentTags, tagKeys, tellingKeys } from '../domain/resource-tags.ts';
import type { Lease } from '../domain/subnets.ts';

/*
 * What there is in the account, every page of it, of each kind that a deployment can leave behind.
 */

export interface SweepListDeps {
  readonly cloudFormation: CloudFormationClient;
  readonly ec2: EC2Client;
  readonly efs: EFSClient;
  readonly fsx: FSxClient;
  readonly secretsManager: SecretsManagerClient;
  /** Who holds which subnet, as the pool's workflow has it; none if nobody ever asked for one. */
  readonly listLeases: () => Promise<readonly Lease[]>;
  /** See `installationName`. */
  readonly installation: string;
}

type TagList =
  readonly { readonly Key?: string | undefined; readonly Value?: string | undefined }[] | undefined;

function tagsOf(tags: TagList): Record<string, string> {
  return Object.fromEntries((tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value]));
}

function madeAt(date: Date | undefined): { readonly madeAt?: string } {
  return date ? { madeAt: date.toISOString() } : {};
}

async function* stacks({ cloudFormation }: SweepListDeps): AsyncGenerator<TaggedResource> {
  for await (const { Stacks = [] } of paginateDescribeStacks({ client: cloudFormation }, {})) {
    for (const { StackId = '', StackName = '', StackStatus, Tags, ParentId, CreationTime } of Stacks) {
      if (StackStatus === 'DELETE_COMPLETE' || ParentId !== undefined) continue;
      const tags = tagsOf(Tags);
      yield {
        kind: 'stack',
        id: StackId,
        name: StackName,
        tags,
        billed: { as: 'stack' },
        ...madeAt(CreationTime),
      };
    }
  }
}

/** Head and compute nodes: ParallelCluster gives them the tags of their cluster. */
async function* instances({ ec2 }: SweepListDeps): AsyncGenerator<TaggedResource> {
  const Filters = [
    { Name: 'tag-key', Values: [...tellingKeys] },
    { Name: 'instance-state-name', Values: ['pending', 'running', 'stopping', 'stopped'] },
  ];
  for await (const { Reservations = [] } of paginateDescribeInstances({ client: ec2 }, { Filters })) {
    for (const { InstanceId = '', InstanceType = '', ...instance } of Reservations.flatMap(
      ({ Instances = [] }) => Instances,
    )) {
      const isRunning = instance.State?.Name !== 'stopped' && instance.State?.Name !== 'stopping';
      const isSpot = instance.InstanceLifecycle === 'spot';
      yield {
        kind: 'instance',
        id: InstanceId,
        name: InstanceId,
        tags: tagsOf(instance.Tags),
        billed: { as: 'instance', instanceType: InstanceType, isRunning, isSpot },
        ...madeAt(instance.LaunchTime),
      };
    }
  }
}

async function* lustreLinks({ fsx }: SweepListDeps): AsyncGenerator<TaggedResource> {
  const pages = paginateDescribeDataRepositoryAssociations({ client: fsx }, {});
  for await (const { Associations = [] } of pages) {
    for (const { AssociationId = '', FileSystemId, Lifecycle, Tags, CreationTime } of Associations) {
      if (FileSystemId === undefined || Lifecycle === 'DELETING') continue;
      const tags = tagsOf(Tags);
      yield {
        kind: 'lustre-link',
        id: AssociationId,
        name: AssociationId,
        tags,
        fileSystemId: FileSystemId,
        ...madeAt(CreationTime),
      };
    }
  }
}

async function* fileSystems({ fsx }: SweepListDeps): AsyncGenerator<TaggedResource> {
  for await (const { FileSystems = [] } of paginateDescribeFileSystems({ client: fsx }, {}))
    for (const fileSystem of FileSystems)
      if (fileSystem.FileSystemType === 'LUSTRE') yield lustreOf(fileSystem);
}

function lustreOf(fileSystem: FileSystem): TaggedResource {
  const { FileSystemId = '', StorageCapacity = 0, StorageType = '', LustreConfiguration } = fileSystem;
  const throughput = LustreConfiguration?.PerUnitStorageThroughput;
  return {
    kind: 'lustre',
    id: FileSystemId,
    name: FileSystemId,
    tags: tagsOf(fileSystem.Tags),
    billed: {
      as: 'lustre',
      sizeGibibytes: StorageCapacity,
      type: `${LustreConfiguration?.DeploymentType ?? 'unknown'} ${StorageType}`,
      ...(throughput !== undefined && { throughputMegabytesPerSecondPerTebibyte: throughput }),
    },
    ...madeAt(fileSystem.CreationTime),
  };
}

/** Of every file system: the one that homes are on can have been another one. */
async function* accessPoints({ efs }: SweepListDeps): AsyncGenerator<TaggedResource> {
  for await (const { AccessPoints = [] } of paginateDescribeAccessPoints({ client: efs }, {})) {
    for (const { AccessPointId = '', FileSystemId, Tags } of AccessPoints)
      yield {
        kind: 'access-point',
        id: AccessPointId,
        name: AccessPointId,
        tags: tagsOf(Tags),
        ...(FileSystemId !== undefined && { fileSystemId: FileSystemId }),
      };
  }
}

async function* keyPairs({ ec2 }: SweepListDeps): AsyncGenerator<TaggedResource> {
  // The one list of EC2 that has no pages.
  const { KeyPairs = [] } = await ec2.send(new DescribeKeyPairsCommand({}));
  for (const { KeyPairId = '', KeyName = '', Tags, CreateTime } of KeyPairs)
    yield { kind: 'key-pair', id: KeyPairId, name: KeyName, tags: tagsOf(Tags), ...madeAt(CreateTime) };
}

async function* secrets({ secretsManager }: SweepListDeps): AsyncGenerator<TaggedResource> {
  const pages = paginateListSecrets({ client: secretsManager }, { IncludePlannedDeletion: false });
  for await (const { SecretList = [] } of pages)
    for (const { ARN = '', Name = '', Tags, CreatedDate } of SecretList)
      yield {
        kind: 'secret',
        id: ARN,
        name: Name,
        tags: tagsOf(Tags),
        billed: { as: 'secret' },
        ...madeAt(CreatedDate),
      };
}

/** Leases have no tags: the pool's own record says whose they are, and that they are this installation's. */
async function* leases({ listLeases, installation }: SweepListDeps): AsyncGenerator<TaggedResource> {
  for (const { subnetId, epoch, holderWorkflowId, since } of await listLeases()) {
    const tenant = tenantOfClusterWorkflow(holderWorkflowId);
    const tags = tenant
      ? deploymentTags({ ...tenant, clusterName: clusterName(tenant), epoch }, installation)
      : { [tagKeys.epoch]: epoch, [tagKeys.installation]: installation };
    yield { kind: 'subnet-lease', id: subnetId, name: subnetId, tags, madeAt: since };
  }
}

/** Links before file systems: a file system that the later list lacks is gone, and not only younger than the list. */
export const sweepLists: readonly {
  readonly kind: ResourceKind;
  readonly list: (deps: SweepListDeps) => AsyncGenerator<TaggedResource>;
}[] = [
  { kind: 'subnet-lease', list: leases },
  { kind: 'lustre-link', list: lustreLinks },
  { kind: 'stack', list: stacks },
  { kind: 'instance', list: instances },
  { kind: 'lustre', list: fileSystems },
  { kind: 'access-point', list: accessPoints },
  { kind: 'key-pair', list: keyPairs },
  { kind: 'secret', list: secrets },
];
