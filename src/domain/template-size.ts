import type { ClusterConfigurationInput } from './cluster-configuration-input.ts';
import type { ClusterSpec } from './cluster-spec.ts';
import type { FileSystemType } from './file-systems.ts';
import { nodePolicyReference, renderOuterStack } from './outer-stack.ts';
import { renderClusterConfiguration } from './pcluster-config.ts';

/** Stands for the address of a script, an ARN or a name that only the installation knows, and is as long as those get. */
const longText = (start: string, length: number): string => start.padEnd(length, 'x');
const scriptUri = longText('s3://bucket/assets/', 100);
const arn = longText('arn:aws:', 120);

const deployment = {
  virtualLabId: longText('lab', 36),
  projectId: longText('project', 36),
  epoch: longText('e', 16),
  clusterName: longText('pcluster', 40),
};

const installation: Omit<ClusterConfigurationInput, 'spec'> = {
  deployment,
  subnetId: longText('subnet-', 24),
  nodePolicy: nodePolicyReference,
  adminKeyName: longText('key', 64),
  jobUserPublicKey: longText('ssh-ed25519 ', 80),
  settings: {
    region: 'ap-southeast-2',
    jobUserScriptUri: scriptUri,
    jobEnvironmentScriptUri: scriptUri,
    sshAllowedCidr: '255.255.255.255/32',
    additionalSecurityGroupIds: [longText('sg-', 20)],
    headNodeSecurityGroupIds: [longText('sg-', 20)],
    permissionsBoundaryArn: arn,
    customAmi: longText('ami-', 21),
    slurmDatabase: { uri: longText('host', 100), userName: longText('user', 80), passwordSecretArn: arn },
  },
  home: { fileSystemId: longText('fs-', 20), accessPointId: longText('fsap-', 22) },
};

const bucket = longText('bucket', 63);
const buckets = { scratch: bucket, projectPublic: bucket, projectPrivate: bucket };

/** Which type a file system has, only the installation knows: here, the one that takes most room. */
function ofLongestWords({ fileSystems = [] }: ClusterSpec): Record<string, FileSystemType> {
  return Object.fromEntries(fileSystems.map(({ id }) => [id, 'Efs']));
}

/**
 * How large the CloudFormation template of a cluster of this specification gets, in bytes, in an installation that has
 * everything once. Queues repeat what their nodes run: many of them with scripts can exceed what CloudFormation takes.
 */
export function templateBytes(spec: ClusterSpec): number {
  const configuration = renderClusterConfiguration({
    ...installation,
    spec,
    settings: { ...installation.settings, attachableFileSystems: ofLongestWords(spec) },
    ...(spec.lustre && { lustre: { fileSystemId: longText('fs-', 20), scriptUri } }),
    ...(spec.s3Mounts && { s3Mounts: { scriptUri, projectPublic: bucket, projectPrivate: bucket } }),
    // Three public keys of RSA, as while one takes another's place.
    ...(spec.slurmApi && { slurmApi: { trust: spec.slurmApi.trust, scriptUri, jwks: longText('{', 1500) } }),
  });
  return JSON.stringify(renderOuterStack(deployment, arn, configuration, buckets)).length;
}
