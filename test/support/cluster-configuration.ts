import { clusterName } from '../../src/domain/cluster-name.ts';
import {
  type ClusterSpecInput,
  clusterSpecInputSchema,
  resolveClusterSpec,
} from '../../src/domain/cluster-spec-input.ts';
import type { ClusterConfigurationInput } from '../../src/domain/cluster-configuration-input.ts';
import { renderClusterConfiguration } from '../../src/domain/pcluster-config.ts';
import type { ClusterConfiguration } from '../../src/domain/pcluster-document.ts';

const tenant = { virtualLabId: 'lab1', projectId: 'cortex' };

/** One deployment of the tenant that these tests are about. */
export const deployment = { ...tenant, epoch: '1k2m9x0aab12cd', clusterName: clusterName(tenant) };

/** What the installation of these tests lets clusters mount. */
export const attachableFileSystems = {
  'fs-0aaaaaaaaaaaaaaaa': 'Efs',
  'fs-0bbbbbbbbbbbbbbbb': 'FsxLustre',
  'fsvol-0cccccccccccccccc': 'FsxOpenZfs',
  'fsvol-0dddddddddddddddd': 'FsxOntap',
} as const;

const s3Mounts = {
  scriptUri: 's3://provisioner-control/assets/s3-mounts.sh',
  projectPublic: 'project-public',
  projectPrivate: 'project-private',
};

/** The configuration of that deployment for a specification as a caller would send it. */
export function configurationOf(
  input: ClusterSpecInput,
  {
    settings,
    ...overrides
  }: Omit<Partial<ClusterConfigurationInput>, 'settings'> & {
    settings?: Partial<ClusterConfigurationInput['settings']>;
  } = {},
): ClusterConfiguration {
  const spec = resolveClusterSpec(clusterSpecInputSchema.parse(input));
  return renderClusterConfiguration({
    spec,
    ...(spec.s3Mounts && { s3Mounts }),
    deployment,
    subnetId: 'subnet-0123456789abcdef0',
    nodePolicy: 'arn:aws:iam::123456789012:policy/parallelcluster/nodes',
    adminKeyName: 'pcluster-lab1-cortex-1k2m9x0aab12cd-admin',
    jobUserPublicKey:
      'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBtCaZ1qZ0k1qMlOf1JXUlFSUlNUVVZXWFlaW1xdXl9g job-user',
    settings: {
      // Of the Regions that offer HPC7a the one with all other instance types of the tiers.
      region: 'us-east-2',
      jobUserScriptUri: 's3://provisioner-control/assets/create-job-user.sh',
      jobEnvironmentScriptUri: 's3://provisioner-control/assets/job-environment.sh',
      sshAllowedCidr: '10.0.0.0/16',
      attachableFileSystems,
      ...settings,
    },
    ...overrides,
  });
}
