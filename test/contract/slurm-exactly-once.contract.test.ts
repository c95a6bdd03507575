import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { atScale } from '../support/scale.ts';
import { endedJobs, SlurmCampaign } from '../support/slurm-campaign.ts';
import { startSlurmCluster } from '../support/slurm-cluster.ts';
import type { SlurmCluster } from '../support/slurm-cluster.ts';
import { newCampaignId } from './slurm-gateway-jobs.ts';

/*
 * After whatever was killed, every key has exactly one Slurm job that counts. Most of the time is waiting until a job
 * counts as lost, so the suites run side by side, each on a cluster of its own.
 */
const test = it.sequential;

/** The cluster of a suite, and its queue. */
class Rig {
  private started: SlurmCluster | undefined;

  /** Registers the hooks of the suite that calls it. */
  constructor() {
    beforeAll(async () => {
      this.started = await startSlurmCluster();
    });
    afterEach(async () => this.setQueue('UP'));
    afterAll(async () => this.started?.close());
  }

  get cluster(): SlurmCluster {
    if (!this.started) throw new Error('the cluster did not start');
    return this.started;
  }

  async campaign(count: number, id = newCampaignId()): Promise<SlurmCampaign> {
    const jobs = Array.from({ length: count }, (_, index) => ({ key: `k${index}`, command: ['true'] }));
    return SlurmCampaign.make(this.cluster, id, jobs);
  }

  /** Also for a controller that starts anew: it takes the state of a queue from its configuration. */
  async setQueue(state: 'UP' | 'DOWN'): Promise<void> {
    await this.cluster.asRoot(
      `sed -i '/^PartitionName=debug /s/State=[A-Z]*/State=${state}/' /etc/slurm/slurm.conf
       scontrol update PartitionName=debug State=${state}`,
    );
  }

  /** The one job of each key is the one that the campaign shows, and it succeeded. */
  async expectOneJobPerKey(campaign: SlurmCampaign): Promise<void> {
    const ended = await endedJobs(this.cluster, campaign.id);
    for (const [key, view] of campaign.views) {
      expect(view).toMatchObject({ key, state: 'succeeded' });
      expect(ended.get(key)?.map((job) => job.split(' ')[0])).toEqual([view.slurmJobId]);
    }
    expect(ended.size).toBe(campaign.views.size);
  }
}

const idsOf = ({ views }: SlurmCampaign) => [...views.values()].map(({ slurmJobId }) => slurmJobId ?? '');

describe.concurrent('a controller that forgot jobs and uses their ids again', () => {
  const rig = new Rig();

  test('gets the forgotten jobs once more, and no others', async () => {
    const [kept, forgotten, other] = await Promise.all([rig.campaign(10), rig.campaign(10), rig.campaign(5)]);
    await rig.setQueue('DOWN');
    await kept.submit();
    await rig.cluster.rememberState(`${kept.id}/k9`);
    await forgotten.submit();
    const forgottenIds = idsOf(forgotten);
    await rig.cluster.forgetSince();
    await other.submit();
    expect(forgottenIds).toEqual(expect.arrayContaining(idsOf(other)));
    await rig.setQueue('UP');
    await Promise.all([kept, forgotten, other].map(async (campaign) => campaign.untilEnded(90)));
    expect(forgotten.lost.toSorted()).toEqual(forgottenIds.toSorted());
    expect([...kept.lost, ...other.lost]).toEqual([]);
    for (const campaign of [kept, forgotten, other]) await rig.expectOneJobPerKey(campaign);
  });
});

describe.concurrent('a job that had ended before the controller forgot it', () => {
  const rig = new Rig();

  test('is not made again', async () => {
    const before = await rig.campaign(1);
    const ended = await rig.campaign(1);
    const other = await rig.campaign(1);
    await before.submit();
    await rig.cluster.rememberState(before.id);
    await ended.submit();
    const ids = idsOf(ended);
    await expect.poll(async () => (await endedJobs(rig.cluster, ended.id)).size, { timeout: 20_000 }).toBe(1);
    // slurmd refuses another job of an id for as long as a credential lives (cred_expire, 5 s in the stand-in).
    await sleep(6000);
    await rig.cluster.forgetSince();
    await other.submit();
    expect(idsOf(other)).toEqual(ids);
    await Promise.all([ended, other].map(async (campaign) => campaign.untilEnded(90)));
    expect(ended.lost).toEqual([]);
    for (const campaign of [ended, other]) await rig.expectOneJobPerKey(campaign);
  });
});

describe.concurrent('a controller that stands still and then goes on', () => {
  const rig = new Rig();

  test('gets no job twice, although sbatch gave up waiting for it', { timeout: 240_000 }, async () => {
    const jobCount = 600;
    const campaign = await rig.campaign(jobCount);
    await rig.setQueue('DOWN');
    const answers: string[] = [];
    const submit = async () => {
      answers.push(await campaign.submit().then(() => 'submitted', String));
      return answers.at(-1);
    };
    const untilSubmitted = async () => {
      await expect.poll(submit, { timeout: 200_000, interval: 500 }).toBe('submitted');
    };
    const submitted = untilSubmitted();
    await sleep(1000);
    await rig.cluster.asRoot('pkill -STOP ^slurmctld');
    // sbatch tries more than once, each time for MessageTimeout (10 s).
    await sleep(25_000);
    await rig.cluster.asRoot('pkill -CONT ^slurmctld');
    await submitted;
    expect(answers.length).toBeGreaterThan(1);
    const comments = (await rig.cluster.asSim('squeue', '--noheader', '--format=%k')).split('\n');
    expect([comments.length, new Set(comments).size]).toEqual([jobCount, jobCount]);
  });
});

describe.concurrent('a request that sbatch gave up on and slurmctld carries out later', () => {
  const rig = new Rig();

  // In sbatch's place, for its first call: what is seen of a slurmctld that stood still.
  const LATE_SBATCH = `#!/bin/bash
if mkdir /tmp/first-call 2>/dev/null; then
  cat >/tmp/batch
  (exec 9>&- >/dev/null 2>&1; sleep 8; /usr/bin/sbatch "$@" </tmp/batch) &
  echo 'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation' >&2
  exit 1
fi
exec /usr/bin/sbatch "$@"
`;
  beforeAll(async () =>
    rig.cluster.asRoot(
      `cat >/usr/local/bin/sbatch <<'EOF'\n${LATE_SBATCH}EOF\nchmod 755 /usr/local/bin/sbatch`,
    ),
  );

  test('is not made a second time meanwhile', { timeout: 120_000 }, async () => {
    const campaign = await rig.campaign(3);
    await campaign.untilEnded(90);
    expect(campaign.failures).toBeGreaterThan(1);
    await rig.expectOneJobPerKey(campaign);
  });
});

describe.concurrent('an accounting database that is away', () => {
  const rig = new Rig();

  const stopAccounting = async () =>
    rig.cluster.asRoot('pkill -KILL ^slurmdbd; while pgrep ^slurmdbd >/dev/null; do sleep 0.05; done');
  const startAccounting = async () =>
    rig.cluster.asRoot(
      'setsid setpriv --reuid slurm --regid slurm --clear-groups slurmdbd -D </dev/null >/dev/null 2>&1 &',
    );

  test('leaves us blind, and makes no job that ended meanwhile run again', { timeout: 240_000 }, async () => {
    const campaign = await rig.campaign(3);
    await rig.setQueue('DOWN');
    await campaign.submit();
    const ids = idsOf(campaign);
    await stopAccounting();
    try {
      await rig.cluster.setMinJobAge(2);
      await rig.setQueue('UP');
      const queue = async () =>
        rig.cluster.asSim('squeue', '--noheader', '--states=all', '--format=%i %T %r %k');
      await expect.poll(queue, { timeout: 90_000, interval: 1000 }).toBe('');
      await expect(campaign.look()).rejects.toMatchObject({ type: 'SlurmUnavailable' });
      const again = await rig.campaign(3, campaign.id);
      await expect(again.submit()).rejects.toMatchObject({ type: 'SlurmUnavailable' });
    } finally {
      await startAccounting();
      await rig.cluster.setMinJobAge(300);
    }
    await campaign.untilEnded(90);
    expect([campaign.lost, idsOf(campaign)]).toEqual([[], ids]);
    await rig.expectOneJobPerKey(campaign);
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

describe.concurrent('whatever dies at whatever moment', () => {
  const rig = new Rig();
  const rounds = atScale(1, 20);
  const jobCount = atScale(40, 200);
  const faults = {
    'the connection is cut': async () => rig.cluster.asRoot('pkill -KILL -u sim sshd'),
    'the controller forgets and comes back': async () => rig.cluster.forgetSince(),
    'the controller dies': async () => {
      await rig.cluster.killController();
      await rig.cluster.startController();
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
    rig.cluster.asRoot(
      `cat >/usr/local/bin/sbatch <<'EOF'\n${SLOW_SBATCH}EOF\nchmod 755 /usr/local/bin/sbatch`,
    ),
  );
  afterAll(async () => rig.cluster.asRoot('rm -f /usr/local/bin/sbatch'));

  test.each(Array.from({ length: rounds }, (_, round) => round + 1))(
    'every key has one job (round %i)',
    { timeout: 300_000 },
    async (round) => {
      const random = randomNumbers(round);
      const campaign = await rig.campaign(jobCount);
      // Started jobs whose ids are used again would only show how slurmd refuses and holds such jobs.
      await rig.setQueue('DOWN');
      const ended = campaign.untilEnded(200);
      await rig.cluster.rememberState(`${campaign.id}/k0`);
      for (const fault of Object.values(faults).toSorted(() => random() - 0.5)) {
        await sleep(random() * 1500);
        await fault();
      }
      await rig.setQueue('UP');
      await ended;
      process.stdout.write(
        `round ${round}: ${jobCount} jobs, ${campaign.failures} repetitions, ${campaign.lost.length} lost\n`,
      );
      await rig.expectOneJobPerKey(campaign);
    },
  );
});
