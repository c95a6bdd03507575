import { readFileSync } from 'node:fs';
import type { CampaignSpecInput } from '../../src/domain/job.ts';

/**
 * Injected currents in nanoamperes: silence, a single spike at the onset, then, from 0.08 nA on, firing that gets
 * faster with more current.
 */
export const CURRENTS_NANOAMPERES = [0.02, 0.05, 0.08, 0.1, 0.15, 0.2, 0.3, 0.4] as const;

/** Clusters have no way to the Internet: NEURON comes from a folder of wheels that the head node has. */
const INSTALL_NEURON = `#!/bin/bash
set -euo pipefail
python3 -m venv ~/neuron
~/neuron/bin/pip install --disable-pip-version-check --no-compile --no-index --find-links /opt/wheels neuron
~/neuron/bin/python -c 'import neuron; print("NEURON", neuron.__version__, "is ready")'
`;

/** One job that installs NEURON into a virtual environment on the home that all nodes share. */
export function prepareCampaign(): CampaignSpecInput {
  return { jobs: [{ key: 'install-neuron', script: INSTALL_NEURON, timeLimitSeconds: 600 }] };
}

/** Eight independent jobs, one for each current. The Python file itself is the job's script. */
export function sweepCampaign(): CampaignSpecInput {
  const script = readFileSync(new URL('soma_sweep.py', import.meta.url), 'utf8');
  return {
    jobs: CURRENTS_NANOAMPERES.map((current) => ({
      key: `soma-${current}nA`,
      script,
      environment: { CURRENT_NA: String(current) },
      timeLimitSeconds: 300,
    })),
  };
}

if (import.meta.main) {
  const campaign = process.argv[2] === 'prepare' ? prepareCampaign() : sweepCampaign();
  process.stdout.write(`${JSON.stringify(campaign, undefined, 2)}\n`);
}
