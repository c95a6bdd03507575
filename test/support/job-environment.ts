import { readFile } from 'node:fs/promises';
import type { CustomAction } from '../../src/dev/head-node/head-node-spec.ts';
import { configurationOf } from './cluster-configuration.ts';

/** What every cluster configuration does for jobs, on a head node: lines of slurm.conf, and the installed scripts. */
export async function jobEnvironment(): Promise<{
  settings: Readonly<Record<string, string>>;
  onNodeConfigured: CustomAction;
}> {
  const { CustomSlurmSettings } = configurationOf({ tier: 'debug' }).Scheduling.SlurmSettings;
  const content = await readFile(new URL('../../assets/job-environment.sh', import.meta.url));
  return {
    settings: Object.fromEntries(CustomSlurmSettings.flatMap((setting) => Object.entries(setting))),
    onNodeConfigured: { name: 'job-environment.sh', content, args: ['install'] },
  };
}
