import { readFileSync } from 'node:fs';
import type { CampaignSpecInput } from '../../src/domain/job.ts';

/**
 * Injected currents in nanoamperes: silence, a single spike at the onset, then, from 0.08 nA on, firing that gets
 * faster with more current.
 */
export const CURRENTS_NANOAMPERES = [0.02, 0.05, 0.08, 0.1, 0.15, 0.2, 0.3, 0.4] as const;

const NEURON_VERSION = '9.0.2';

/** `use.own` makes the modules of the job user's home known; the first job puts NEURON's there. */
const modules = ['use.own', `neuron/${NEURON_VERSION}`];

/** The key of the job that prints the table and draws the curve. */
export const COLLECT = 'collect';

/** What the last job draws, in its working directory. */
export const CURVE_FILE = 'f-i-curve.png';

/** Prepare, eight simulations side by side, collect. The files of this folder are the scripts of the jobs. */
export function neuronCampaign(): CampaignSpecInput {
  const simulations = CURRENTS_NANOAMPERES.map((current) => ({
    key: `soma-${current}nA`,
    script: fileOf('soma_sweep.py'),
    modules,
    environment: { CURRENT_NA: String(current) },
    dependsOn: ['prepare'],
    timeLimitSeconds: 300,
  }));
  return {
    jobs: [
      {
        key: 'prepare',
        script: fileOf('prepare.sh'),
        environment: { NEURON_VERSION },
        timeLimitSeconds: 600,
      },
      ...simulations,
      {
        key: COLLECT,
        script: fileOf('collect.py'),
        modules,
        dependsOn: simulations.map(({ key }) => key),
        timeLimitSeconds: 300,
      },
    ],
  };
}

function fileOf(name: string): string {
  return readFileSync(new URL(name, import.meta.url), 'utf8');
}

if (import.meta.main) process.stdout.write(`${JSON.stringify(neuronCampaign(), undefined, 2)}\n`);
