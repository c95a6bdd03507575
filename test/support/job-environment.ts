import { readFile } from 'node:fs/promises';
import type { CustomAction } from '../../src/dev/head-node/head-node-spec.ts';

/** What the cluster configuration does for the environment of jobs, on a head node. */
export async function jobEnvironmentActions(): Promise<{
  settings: Readonly<Record<string, string>>;
  onNodeConfigured: CustomAction;
}> {
  const content = await readFile(new URL('../../assets/job-environment.sh', import.meta.url));
  return {
    settings: { MpiDefault: 'pmi2', TaskProlog: '/opt/slurm/etc/parallelcluster-provisioner/job-environment' },
    onNodeConfigured: { name: 'job-environment.sh', content, args: ['install'] },
  };
}
