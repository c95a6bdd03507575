import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { atScale } from '../support/scale.ts';
import { endedJobs, SlurmCampaign } from '../support/slurm-campaign.ts';
import { startSlurmCluster } from '../support/slurm-cluster.ts';
import type { SlurmCluster } from '../support/slurm-cluster.ts';
import { newCampaignId } from './slurm-gateway.contract.ts';

/** After whatever was killed, every key has exactly one Slurm job that counts. */
let cluster: SlurmCluster;

beforeAll(async () => {
  cluster = await startSlurmCluster();
});
afterAll(async () => cluster?.close());

const jobsOf = (count: number, ...command: string[]) =>
  Array.from({ length: count }, (_, index) => ({ key: `k${index}`, command }));

/** Also for a controller that starts anew: it takes the state of a queue from its configuration. */
const setQueue = async (state: 'UP' | 'DOWN') =>
  cluster.asRoot(
    `sed -i '/^PartitionName=debug /s/State=[A-Z]*/State=${state}/' /etc/slurm/slurm.conf
     scontrol update PartitionName=debug State=${state}`,
  );

afterEach(async () => setQueue('UP'));

const idsOf = ({ views }: SlurmCampaign) => [...views.values()].map(({ slurmJobId }) => slurmJobId ?? '');

/** The one job of each key is the one that the campaign shows, and it succeeded. */
async function expectOneJobPerKey(campaign: SlurmCampaign): Promise<void> {
  const ended = await endedJobs(cluster, campaign.id);
  for (const [key, view] of campaign.views) {
    expect(view).toMatchObject({ key, state: 'succeeded' });
    expect(ended.get(key)?.map((job) => job.split(' ')[0])).toEqual([view.slurmJobId]);
  }
  expect(ended.size).toBe(campaign.views.size);
}

describe('a controller that forgot jobs and uses their ids again', () => {
  it('gets the forgotten jobs once more, and no others', async () => {
    const [kept, forgotten, other] = await Promise.all([
      SlurmCampaign.make(cluster, newCampaignId(), jobsOf(10, 'true')),
      SlurmCampaign.make(cluster, newCampaignId(), jobsOf(10, 'true')),
      SlurmCampaign.make(cluster, newCampaignId(), jobsOf(5, 'true')),
    ]);
    await setQueue('DOWN');
    await kept.submit();
    await cluster.rememberState(`${kept.id}/k9`);
    await forgotten.submit();
    const forgottenIds = idsOf(forgotten);
    await cluster.forgetSince();
    await other.submit();
    expect(forgottenIds).toEqual(expect.arrayContaining(idsOf(other)));
    await setQueue('UP');
    await Promise.all([kept, forgotten, other].map(async (campaign) => campaign.untilEnded(90)));
    expect(forgotten.lost.toSorted()).toEqual(forgottenIds.toSorted());
    expect([...kept.lost, ...other.lost]).toEqual([]);
    for (const campaign of [kept, forgotten, other]) await expectOneJobPerKey(campaign);
  });

  it('does not get a job again that had ended before the controller forgot it', async () => {
    const before = await SlurmCampaign.make(cluster, newCampaignId(), jobsOf(1, 'true'));
    const ended = await SlurmCampaign.make(cluster, newCampaignId(), jobsOf(1, 'true'));
    const other = await SlurmCampaign.make(cluster, newCampaignId(), jobsOf(1, 'true'));
    await before.submit();
    await cluster.rememberState(before.id);
    await ended.submit();
    const ids = idsOf(ended);
    await expect.poll(async () => (await endedJobs(cluster, ended.id)).size, { timeout: 20_000 }).toBe(1);
    // slurmd refuses another job of an id for as long as a credential lives (cred_expire, 5 s in the stand-in).
    await sleep(6000);
    await cluster.forgetSince();
    await other.submit();
    expect(idsOf(other)).toEqual(ids);
    await Promise.all([ended, other].map(async (campaign) => campaign.untilEnded(90)));
    expect(ended.lost).toEqual([]);
    for (const campaign of [ended, other]) await expectOneJobPerKey(campaign);
  });
});

describe('an accounting database that is away', () => {
  const stopAccounting = async () =>
    cluster.asRoot('pkill -KILL ^slurmdbd; while pgrep ^slurmdbd >/dev/null; do sleep 0.05; done');
  const startAccounting = async () =>
    cluster.asRoot(
      'setsid setpriv --reuid slurm --regid slurm --clear-groups slurmdbd -D </dev/null >/dev/null 2>&1 &',
    );

  it('leaves us blind, and makes no job that ended meanwhile run again', { timeout: 240_000 }, async () => {
    const campaign = await SlurmCampaign.make(cluster, newCampaignId(), jobsOf(3, 'true'));
    await setQueue('DOWN');
    await campaign.submit();
    const ids = idsOf(campaign);
    await stopAccounting();
    try {
      await cluster.setMinJobAge(2);
      await setQueue('UP');
      const queue = async () => cluster.asSim('squeue', '--noheader', '--states=all', '--format=%i');
      await expect.poll(queue, { timeout: 90_000, interval: 1000 }).toBe('');
      await expect(campaign.look()).rejects.toMatchObject({ type: 'SlurmUnavailable' });
      const again = await SlurmCampaign.make(cluster, campaign.id, jobsOf(3, 'true'));
      await expect(again.submit()).rejects.toMatchObject({ type: 'SlurmUnavailable' });
    } finally {
      await startAccounting();
      await cluster.setMinJobAge(300);
    }
    await campaign.untilEnded(90);
    expect([campaign.lost, idsOf(campaign)]).toEqual([[], ids]);
    await expectOneJobPerKey(campaign);
  });
});

/** The same numbers from the same seed (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe('whatever dies at whatever moment', () => {
  const rounds = atScale(1, 20);
  const jobCount = atScale(40, 200);
  const faults = {
    'the connection is cut': async () => cluster.asRoot('pkill -KILL -u sim sshd'),
    'the controller forgets and comes back': async () => cluster.forgetSince(),
    'the controller dies': async () => {
      await cluster.killController();
      await cluster.startController();
    },
  };

  // In sbatch's place: the real one, with time to be killed before and after it.
  const SLOW_SBATCH = `#!/bin/bash
sleep 0.$((RANDOM % ${atScale(9, 4)}))
answer=$(/usr/bin/sbatch "$@" 2>&1)
code=$?
sleep 0.$((RANDOM % ${atScale(9, 4)}))
echo "$answer"
exit $code
`;
  beforeAll(async () =>
    cluster.asRoot(`cat >/usr/local/bin/sbatch <<'EOF'\n${SLOW_SBATCH}EOF\nchmod 755 /usr/local/bin/sbatch`),
  );
  afterAll(async () => cluster.asRoot('rm -f /usr/local/bin/sbatch'));

  it.each(Array.from({ length: rounds }, (_, round) => round + 1))(
    'every key has one job (round %i)',
    { timeout: 300_000 },
    async (round) => {
      const random = randomNumbers(round);
      const campaign = await SlurmCampaign.make(cluster, newCampaignId(), jobsOf(jobCount, 'true'));
      // Started jobs whose ids are used again would only show how slurmd refuses and holds such jobs.
      await setQueue('DOWN');
      const ended = campaign.untilEnded(200);
      await cluster.rememberState(`${campaign.id}/k0`);
      for (const fault of Object.values(faults).toSorted(() => random() - 0.5)) {
        await sleep(random() * 1500);
        await fault();
      }
      await setQueue('UP');
      await ended;
      process.stdout.write(
        `round ${round}: ${jobCount} jobs, ${campaign.failures} repetitions, ${campaign.lost.length} lost\n`,
      );
      await expectOneJobPerKey(campaign);
    },
  );
});
