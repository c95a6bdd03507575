import type { CampaignSpecInput } from '../../src/domain/job.ts';
import type { ClusterSpecInput } from '../../src/domain/cluster-spec-input.ts';

/** A cluster with two queues, which the jobs below use. */
export const TWO_QUEUES: NonNullable<ClusterSpecInput['queues']> = [
  { name: 'short', computeResources: [{ name: 't3-micro', instanceType: 't3.micro', maxCount: 4 }] },
  { name: 'wide', computeResources: [{ name: 'm5-large', instanceType: 'm5.large', maxCount: 2 }] },
];

/** Jobs that need nothing but a shell: a command with arguments, a script with an environment, two nodes at once. */
export function shellCampaign(): CampaignSpecInput {
  return {
    jobs: [
      { key: 'hello', queue: 'short', command: ['echo', 'Hello, *world*; no shell has read $HOME here'] },
      {
        key: 'count',
        queue: 'short',
        script:
          '#!/bin/bash\nfor ((i = 1; i <= STEPS; i++)); do\n  echo "step $i of $STEPS"\n  sleep 1\ndone\n',
        environment: { STEPS: '3' },
      },
      {
        key: 'two-nodes',
        queue: 'wide',
        nodes: 2,
        script:
          '#!/bin/bash\nsrun --label bash -c \'echo "task $SLURM_PROCID on $SLURMD_NODENAME"\' | sort\n',
      },
      {
        key: 'modules',
        queue: 'short',
        script: '#!/bin/bash -l\nmodule avail 2>&1 | head -n 5\necho "a warning" >&2\n',
        timeLimitSeconds: 60,
      },
    ],
  };
}

if (import.meta.main) process.stdout.write(`${JSON.stringify(shellCampaign(), undefined, 2)}\n`);
