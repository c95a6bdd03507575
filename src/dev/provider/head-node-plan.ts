import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DescribeKeyPairsCommand } from '@aws-sdk/client-ec2';
import { DescribeAccessPointsCommand } from '@aws-sdk/client-efs';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { adminUser } from '../../domain/operating-systems.ts';
import { parseS3ObjectUri } from '../../domain/s3-uri.ts';
import type { DevAwsClients } from '../aws-clients.ts';
import type { BindMount, HeadNodeSpec } from '../head-node/head-node-spec.ts';
import {
  clusterSlurmSettings,
  customActions,
  attachedMounts,
  efsMounts,
  headNodeQueues,
  lustreMounts,
  scaledownIdleTimeMinutes,
} from './cluster-configuration.ts';
import type { ClusterConfiguration, CustomActionReference } from './cluster-configuration.ts';

/** Folders of this machine that stand for shared file systems. */
export interface StorageFolders {
  readonly lustreDirectory: (fileSystemId: string) => string;
  /** Of EFS, of all tenants. */
  readonly efsDirectory: string;
}

/**
 * What a head node needs, with all that a configuration only refers to looked up: the public key from EC2, the
 * custom actions' scripts from S3.
 *
 * @throws when the key pair, a script or a file system does not exist.
 */
export async function planHeadNode(
  clients: Pick<DevAwsClients, 'ec2' | 'efs' | 's3'>,
  clusterName: string,
  configuration: ClusterConfiguration,
  storage: StorageFolders,
): Promise<HeadNodeSpec> {
  const fetchAll = async (stage: 'OnNodeStart' | 'OnNodeConfigured') =>
    Promise.all(customActions(configuration, stage).map(async (action) => fetchAction(clients, action)));
  const [adminPublicKey, onNodeStart, onNodeConfigured, homes] = await Promise.all([
    publicKey(clients, configuration.HeadNode.Ssh.KeyName),
    fetchAll('OnNodeStart'),
    fetchAll('OnNodeConfigured'),
    Promise.all(efsMounts(configuration).map(async (mount) => efsBind(clients, mount, storage))),
  ]);
  const lustre = lustreMounts(configuration).map(({ fileSystemId, target }) => ({
    source: storage.lustreDirectory(fileSystemId),
    target,
    readOnly: false,
  }));
  const attached = await Promise.all(
    attachedMounts(configuration).map(async ({ id, target }) => attachedBind(id, target, storage)),
  );
  const s3EndpointUrl = await s3Endpoint(clients.s3);
  const binds = [...homes, ...lustre, ...attached];
  const scaledownIdleTime = scaledownIdleTimeMinutes(configuration);
  return {
    clusterName,
    adminUser: adminUser(configuration.Image.Os),
    adminPublicKey,
    queues: headNodeQueues(configuration),
    ...(scaledownIdleTime !== undefined && { scaledownIdleTimeMinutes: scaledownIdleTime }),
    onNodeStart,
    onNodeConfigured,
    ...(binds.length > 0 && { binds }),
    ...(s3EndpointUrl !== undefined && { s3EndpointUrl }),
    customSlurmSettings: clusterSlurmSettings(configuration),
  };
}

/** What EFS does at the first mount through an access point: it makes the root folder as that says. */
async function efsBind(
  { efs }: Pick<DevAwsClients, 'efs'>,
  { accessPointId, target }: { readonly accessPointId: string; readonly target: string },
  { efsDirectory }: StorageFolders,
): Promise<BindMount> {
  const { AccessPoints = [] } = await efs.send(
    new DescribeAccessPointsCommand({ AccessPointId: accessPointId }),
  );
  const path = AccessPoints[0]?.RootDirectory?.Path;
  if (path === undefined) throw new Error(`the access point ${accessPointId} has no root directory`);
  const source = join(efsDirectory, path);
  await mkdir(source, { recursive: true, mode: 0o755 });
  return { source, target, readOnly: false };
}

async function s3Endpoint(s3: DevAwsClients['s3']): Promise<string | undefined> {
  const endpoint = await s3.config.endpoint?.();
  if (!endpoint) return undefined;
  const { protocol, hostname, port } = endpoint;
  return `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}`;
}

/** What was there before is a folder of its own, which outlives clusters as long as the stack lives. */
async function attachedBind(
  id: string,
  target: string,
  { efsDirectory }: StorageFolders,
): Promise<BindMount> {
  const source = join(dirname(efsDirectory), 'attached', id);
  await mkdir(source, { recursive: true, mode: 0o755 });
  return { source, target, readOnly: false };
}

async function publicKey({ ec2 }: Pick<DevAwsClients, 'ec2'>, keyName: string): Promise<string> {
  const { KeyPairs = [] } = await ec2.send(
    new DescribeKeyPairsCommand({ KeyNames: [keyName], IncludePublicKey: true }),
  );
  const key = KeyPairs[0]?.PublicKey;
  if (key === undefined) throw new Error(`the key pair ${keyName} has no public key`);
  return key.trim();
}

async function fetchAction(
  { s3 }: Pick<DevAwsClients, 's3'>,
  action: CustomActionReference,
): Promise<HeadNodeSpec['onNodeConfigured'][number]> {
  const { bucket, key } = parseS3ObjectUri(action.Script);
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  if (Body === undefined) throw new Error(`${action.Script} is empty`);
  return { name: action.Script, content: await Body.transformToByteArray(), args: action.Args };
}
