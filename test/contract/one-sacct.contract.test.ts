import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { SlurmSnapshot } from '../../src/clients/slurm-gateway.ts';
import { factsByJobKey } from '../../src/domain/job-state.ts';
import { startSlurmCluster } from '../support/slurm-cluster.ts';
import type { SlurmCluster } from '../support/slurm-cluster.ts';
import { gatewayJobs } from './slurm-gateway-jobs.ts';

/** Neither the queue nor any period of accounting shows these jobs: one that was cancelled at once, a dropped task. */
const LOOKS = 5;
/** How old an entry of the ledger must be before anything is said of it (observe.sh). */
const SETTLED_SECONDS = 36;
const CALLS = '/tmp/calls-of-sacct';

let cluster: SlurmCluster;
const jobs = gatewayJobs(() => cluster);

beforeAll(async () => {
  cluster = await startSlurmCluster();
});
afterEach(async () => cluster.asRoot('rm -f /usr/local/bin/squeue /usr/local/bin/sacct'));
afterAll(async () => cluster?.close());

async function look(): Promise<{ readonly snapshot: SlurmSnapshot; readonly sacctCalls: number }> {
  await cluster.asRoot(`install -m 666 /dev/null ${CALLS}`);
  const sinceSeconds = Math.floor(Date.now() / 1000) - 3600;
  const snapshot = await cluster.gateway.observe(cluster.head, { sinceSeconds, oneSacct: true });
  const { stdout } = await cluster.asRoot(`wc --lines <${CALLS}`);
  return { snapshot, sacctCalls: Number(stdout) };
}

describe('jobs that only their ids show', () => {
  it('cost no second sacct in any look, and each is told', { timeout: 120_000 }, async () => {
    await jobs.submit({ key: 'fails', command: ['false'] });
    await jobs.endOf('fails');
    const dependencies = { never: [{ key: 'fails', condition: 'afterok' as const }] };
    await cluster.asRoot('scontrol update PartitionName=debug State=DOWN');
    const [, array] = await jobs.submitWith(
      dependencies,
      { key: 'never', command: ['true'] },
      { key: 'array', command: ['true'], array: { indexes: '0-2' } },
    );
    const arrayId = array !== undefined && 'jobId' in array ? array.jobId : '';
    await cluster.asRoot(`scancel ${arrayId}_1; scontrol update PartitionName=debug State=UP`);
    // In the place of squeue: what it shows some minutes later (MinJobAge). In the place of sacct: what counts its calls.
    await cluster.asRoot(
      `printf '#!/bin/bash\\nexec /usr/bin/squeue "\${@/--states=all/--all}"\\n' >/usr/local/bin/squeue
       printf '#!/bin/bash\\necho x >>${CALLS}\\nexec /usr/bin/sacct "$@"\\n' >/usr/local/bin/sacct
       chmod 755 /usr/local/bin/squeue /usr/local/bin/sacct`,
    );
    await sleep(SETTLED_SECONDS * 1000);
    const told = new Map<string, string | undefined>();
    const seen: [number, boolean][] = [];
    for (let round = 0; round < LOOKS; round++) {
      const { snapshot, sacctCalls } = await look();
      seen.push([sacctCalls, snapshot.more ?? false]);
      const place = { epoch: cluster.head.epoch, campaignId: jobs.campaignId };
      for (const [key, fact] of factsByJobKey(snapshot.facts, place))
        told.set(key, `${fact.source} ${fact.state}`);
    }
    expect(seen).toEqual([true, false, false, false, false].map((more) => [1, more]));
    expect(Object.fromEntries(told)).toEqual({
      fails: 'accounting FAILED',
      never: 'accounting CANCELLED',
      array_0: 'accounting COMPLETED',
      array_1: 'accounting CANCELLED',
      array_2: 'accounting COMPLETED',
    });
  });
});
