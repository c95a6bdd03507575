import type { ClusterConfigurationInput, SlurmDatabase } from './cluster-configuration-input.ts';
import { MAX_ARRAY_INDEX } from './job-array.ts';
import type { SlurmSettings } from './pcluster-document.ts';
import { slurmApiSettings } from './slurm-api.ts';
import { slurmPrioritySettings } from './slurm-priority.ts';
import { chosenSlurmSettings } from './slurm-settings.ts';

/** Where `assets/job-environment.sh` installs itself, below the folder that ParallelCluster exports to all nodes. */
const JOB_ENVIRONMENT_PROGRAM = '/opt/slurm/etc/parallelcluster-provisioner/job-environment';

/**
 * Jobs that slurmctld keeps at a time, those that ended in the last minutes among them (slurm.conf(5); 10,000 unless told
 * otherwise): several of the largest campaigns. A record has some kilobytes.
 */
const MAX_JOB_COUNT = '60000';

export function renderSlurmSettings({
  spec,
  deployment,
  settings,
  slurmApi,
}: ClusterConfigurationInput): SlurmSettings {
  return {
    EnableMemoryBasedScheduling: spec.slurmSettings?.memoryBasedScheduling ?? true,
    QueueUpdateStrategy: 'DRAIN',
    ...(spec.scaledownIdleTimeSeconds !== undefined && {
      ScaledownIdletime: spec.scaledownIdleTimeSeconds / 60,
    }),
    // The private subnets have no endpoint for Route 53.
    Dns: { DisableManagedDns: true, UseEc2Hostnames: true },
    ...(settings.slurmDatabase && {
      Database: renderDatabase(settings.slurmDatabase, deployment.clusterName),
    }),
    // An ended job is known by its comment: accounting keeps none unless told to.
    CustomSlurmSettings: [
      { MpiDefault: 'pmi2' },
      { TaskProlog: JOB_ENVIRONMENT_PROGRAM },
      { AccountingStoreFlags: 'job_comment' },
      { MaxArraySize: String(MAX_ARRAY_INDEX + 1) },
      { MaxJobCount: MAX_JOB_COUNT },
      ...slurmPrioritySettings,
      ...(slurmApi ? slurmApiSettings(slurmApi.trust) : []),
      ...chosenSlurmSettings(spec.slurmSettings),
    ],
  };
}

/** ParallelCluster's rule for database names is `[0-9a-z_]+`; cluster names hold no underscore, so none collide. */
export function slurmDatabaseName(clusterName: string): string {
  return clusterName.replaceAll('-', '_');
}

/** Stands for the database's name in user and secret, where each database has an account of its own. */
export const DATABASE_PLACEHOLDER = '{database}';

function renderDatabase({ uri, userName, passwordSecretArn }: SlurmDatabase, clusterName: string) {
  return {
    Uri: uri,
    UserName: userName,
    PasswordSecretArn: passwordSecretArn,
    DatabaseName: slurmDatabaseName(clusterName),
  };
}
