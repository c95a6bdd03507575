import { paginateDescribeStacks } from '@aws-sdk/client-cloudformation';
import { paginateDescribeLogGroups } from '@aws-sdk/client-cloudwatch-logs';
import { DescribeKeyPairsCommand } from '@aws-sdk/client-ec2';
import { paginateDescribeAccessPoints } from '@aws-sdk/client-efs';
import { paginateDescribeFileSystems } from '@aws-sdk/client-fsx';
import { paginateListSecrets } from '@aws-sdk/client-secrets-manager';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { Client } from '@temporalio/client';
import { subnetPoolWorkflowId } from '../domain/ids.ts';
import { poolLeases } from '../workflows/messages.ts';
import type { DevAwsClients } from './aws-clients.ts';
import type { MachineTraces } from './machine-traces.ts';

/** What a cluster could leave behind. */
export const leftoverKinds = {
  stacks: 'CloudFormation stacks',
  keyPairs: 'EC2 key pairs',
  secrets: 'secrets, also those scheduled for deletion',
  fileSystems: 'Lustre file systems',
  accessPoints: 'access points of EFS',
  leases: 'subnet leases',
  processes: 'processes',
  mounts: 'mounts',
  loopbackAddresses: 'loopback addresses',
} as const;

export type LeftoverKind = keyof typeof leftoverKinds;

/** Names of what exists, by kind. */
export type Survey<Kind extends LeftoverKind = LeftoverKind> = Readonly<Record<Kind, readonly string[]>>;

export type AccountSurvey = Survey<
  'stacks' | 'keyPairs' | 'secrets' | 'fileSystems' | 'accessPoints' | 'leases'
>;

/** What one kind has come to. */
export interface Finding {
  readonly kind: LeftoverKind;
  /** What is there and was not before. Empty is what is wanted. */
  readonly left: readonly string[];
}

/** For each kind that was surveyed, what is there now and was not there before. */
export function findLeftovers<Kind extends LeftoverKind>(
  before: Survey<Kind>,
  now: Survey<Kind>,
): readonly Finding[] {
  return kindsOf(now).map((kind) => {
    const known = new Set(before[kind]);
    return { kind, left: now[kind].filter((name) => !known.has(name)) };
  });
}

/** A machine on which nothing of a run is: what {@link machineTraces} must come to in the end. */
export const noTraces: MachineTraces = { processes: [], mounts: [], loopbackAddresses: [] };

function kindsOf<Kind extends LeftoverKind>(survey: Survey<Kind>): Kind[] {
  return Object.keys(leftoverKinds).filter((kind): kind is Kind => kind in survey);
}

/** Looks into the account itself, past the product: what the product believes is not asked. */
export async function surveyAccount(
  aws: Pick<DevAwsClients, 'cloudFormation' | 'ec2' | 'efs' | 'fsx' | 'secretsManager'>,
  listLeases: () => Promise<readonly string[]>,
): Promise<AccountSurvey> {
  const [stacks, keyPairs, secrets, fileSystems, accessPoints, leases] = await Promise.all([
    stackNames(aws),
    keyPairNames(aws),
    secretNames(aws),
    fileSystemIds(aws),
    accessPointIds(aws),
    listLeases(),
  ]);
  return { stacks, keyPairs, secrets, fileSystems, accessPoints, leases };
}

/** Stacks whose deletion is complete are only history. */
async function stackNames({ cloudFormation }: Pick<DevAwsClients, 'cloudFormation'>): Promise<string[]> {
  const names: string[] = [];
  for await (const { Stacks = [] } of paginateDescribeStacks({ client: cloudFormation }, {})) {
    const present = Stacks.filter(({ StackStatus }) => StackStatus !== 'DELETE_COMPLETE');
    names.push(...present.map(({ StackName, StackStatus }) => `${StackName} (${StackStatus})`));
  }
  return names;
}

async function keyPairNames({ ec2 }: Pick<DevAwsClients, 'ec2'>): Promise<string[]> {
  const { KeyPairs = [] } = await ec2.send(new DescribeKeyPairsCommand({}));
  return KeyPairs.map(({ KeyName }) => String(KeyName));
}

async function fileSystemIds({ fsx }: Pick<DevAwsClients, 'fsx'>): Promise<string[]> {
  const ids: string[] = [];
  for await (const { FileSystems = [] } of paginateDescribeFileSystems({ client: fsx }, {}))
    ids.push(...FileSystems.map(({ FileSystemId }) => String(FileSystemId)));
  return ids;
}

async function accessPointIds({ efs }: Pick<DevAwsClients, 'efs'>): Promise<string[]> {
  const ids: string[] = [];
  for await (const { AccessPoints = [] } of paginateDescribeAccessPoints({ client: efs }, {}))
    ids.push(...AccessPoints.map(({ AccessPointId }) => String(AccessPointId)));
  return ids;
}

async function secretNames({ secretsManager }: Pick<DevAwsClients, 'secretsManager'>): Promise<string[]> {
  const names: string[] = [];
  const pages = paginateListSecrets({ client: secretsManager }, { IncludePlannedDeletion: true });
  for await (const { SecretList = [] } of pages) names.push(...SecretList.map(({ Name }) => String(Name)));
  return names;
}

/** The leases of a VPC's pool with their holders, and who waits for one, as the pool's workflow has them. */
export async function listLeases(temporal: Client, vpcId: string): Promise<readonly string[]> {
  try {
    const { leases, waiting } = await temporal.workflow
      .getHandle(subnetPoolWorkflowId(vpcId))
      .query(poolLeases);
    return [
      ...leases.map(({ subnetId, holderWorkflowId }) => `${subnetId}, held by ${holderWorkflowId}`),
      ...waiting.map(({ holderWorkflowId }) => `a place in the queue, of ${holderWorkflowId}`),
    ];
  } catch (error) {
    // Nobody has ever asked for a subnet.
    if (error instanceof WorkflowNotFoundError) return [];
    throw error;
  }
}

/** The log groups that begin like this; they outlive clusters on purpose. */
export async function logGroupNames(
  { logs }: Pick<DevAwsClients, 'logs'>,
  prefix: string,
): Promise<string[]> {
  const names: string[] = [];
  for await (const { logGroups = [] } of paginateDescribeLogGroups(
    { client: logs },
    { logGroupNamePrefix: prefix },
  )) {
    names.push(...logGroups.map(({ logGroupName }) => String(logGroupName)));
  }
  return names;
}
