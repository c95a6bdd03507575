import { DescribeKeyPairsCommand } from '@aws-sdk/client-ec2';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import type { DevAwsClients } from '../aws-clients.ts';
import type { HeadNodeSpec } from '../head-node/head-node-spec.ts';
import {
  clusterSlurmSettings,
  customActions,
  defaultUser,
  headNodeQueues,
  lustreMounts,
  parseS3Url,
  scaledownIdleTimeMinutes,
} from './cluster-configuration.ts';
import type { ClusterConfiguration, CustomActionReference } from './cluster-configuration.ts';

/**
 * What a head node needs, with all that a configuration only refers to looked up: the public key from EC2, the
 * custom actions' scripts from S3.
 *
 * @throws when the key pair, a script or a file system does not exist.
 */
export async function planHeadNode(
  clients: Pick<DevAwsClients, 'ec2' | 's3'>,
  clusterName: string,
  configuration: ClusterConfiguration,
  lustreDirectory: (fileSystemId: string) => string,
): Promise<HeadNodeSpec> {
  const fetchAll = async (stage: 'OnNodeStart' | 'OnNodeConfigured') =>
    Promise.all(customActions(configuration, stage).map(async (action) => fetchAction(clients, action)));
  const [adminPublicKey, onNodeStart, onNodeConfigured] = await Promise.all([
    publicKey(clients, configuration.HeadNode.Ssh.KeyName),
    fetchAll('OnNodeStart'),
    fetchAll('OnNodeConfigured'),
  ]);
  const binds = lustreMounts(configuration).map(({ fileSystemId, target }) => ({
    source: lustreDirectory(fileSystemId),
    target,
    readOnly: false,
  }));
  const scaledownIdleTime = scaledownIdleTimeMinutes(configuration);
  return {
    clusterName,
    adminUser: defaultUser(configuration.Image.Os),
    adminPublicKey,
    queues: headNodeQueues(configuration),
    ...(scaledownIdleTime !== undefined && { scaledownIdleTimeMinutes: scaledownIdleTime }),
    onNodeStart,
    onNodeConfigured,
    ...(binds.length > 0 && { binds }),
    customSlurmSettings: clusterSlurmSettings(configuration),
  };
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
  const { bucket, key } = parseS3Url(action.Script);
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  if (Body === undefined) throw new Error(`${action.Script} is empty`);
  return { name: action.Script, content: await Body.transformToByteArray(), args: action.Args };
}
