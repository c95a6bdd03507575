import { readFile } from 'node:fs/promises';
import ssh2 from 'ssh2';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { SlurmSsh } from '../../src/clients/slurm-ssh.ts';
import type { HeadNode, SlurmUsage } from '../../src/clients/slurm-gateway.ts';
import type { CostRates } from '../../src/domain/cost-rates.ts';
import { jobComment, newEpochId } from '../../src/domain/ids.ts';
import {
  reportCampaignUsage,
  reportUsage,
  type UsageReport,
  type UsageSnapshot,
} from '../../src/domain/usage.ts';
import { usagePricesOf } from '../../src/domain/usage-prices.ts';
import { asJobUser, smallCluster, startHeadNodeRig } from '../support/head-nodes.ts';
import type { HeadNodeRig } from '../support/head-nodes.ts';

/*
 * Our sums against those of Slurm's own report. slurmdbd adds up whole hours (`sacctmgr rollup`, a command that its help
 * does not show), from times in whole seconds, so there is nothing to round: the sums must be equal. They would differ by
 * less than a second of each allocation that was suspended and reaches over the edge of an hour: slurmdbd knows when it
 * was suspended, sacct only for how long.
 */

const NAME = 'pcluster-usage';
const campaigns = ['a'.repeat(26), 'b'.repeat(26)] as const;
const keys = ssh2.utils.generateKeyPairSync('ed25519');

/** A node of {@link smallCluster} for 8 USD an hour. Of the two processors of a t3.micro Slurm is told here that they are 8. */
const rates: CostRates = {
  version: 1,
  region: 'us-east-1',
  rootVolumeUsdPerHour: 0,
  computeResources: [{ queue: 'debug', name: 't3', instanceType: 't3.micro', usdPerHour: 8, cpus: 2 }],
  endpointsUsdPerHour: 0,
};

let rig: HeadNodeRig;
let gateway: SlurmSsh;
const epochs: UsageSnapshot[] = [];
let running: SlurmUsage;
let whileSuspended: SlurmUsage;
let lastHead: HeadNode;

const asRoot = async (script: string) =>
  (await rig.headNodes.exec(NAME, ['bash', '-c', script])).stdout.trim();

beforeAll(async () => {
  rig = await startHeadNodeRig();
  gateway = new SlurmSsh({ loadPrivateKey: async () => Promise.resolve(keys.private) });
  for (const campaignId of campaigns) {
    const head = await startEpoch();
    lastHead = head;
    await runJobs(head, campaignId);
    await until(async () => (await gateway.readUsage(head, {})).isWhole, true);
    const { asOfSeconds, records, nodeCpus } = await gateway.readUsage(head, {});
    const prices = usagePricesOf(rates, nodeCpus);
    epochs.push({ epoch: head.epoch, asOfSeconds, records, prices });
    // The last one is needed for Slurm's report.
    if (epochs.length < campaigns.length) await rig.headNodes.stop(NAME);
  }
});
afterAll(async () => {
  gateway?.close();
  await rig?.close();
});

/** `expect.poll` is for tests only. */
async function until<T>(look: () => Promise<T>, wanted: T): Promise<void> {
  await vi.waitFor(async () => expect(await look()).toBe(wanted), { timeout: 60_000, interval: 200 });
}

/** Makes the cluster anew, with an account that Slurm's report counts for. */
async function startEpoch(): Promise<HeadNode> {
  // An epoch begins a while before its head node answers; here in the same second as the one before could end.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const epoch = newEpochId(Date.now(), '0a1b2');
  const content = await readFile(new URL('../../assets/create-job-user.sh', import.meta.url));
  const { address } = await rig.headNodes.start(
    smallCluster(NAME, {
      customSlurmSettings: { AccountingStoreFlags: 'job_comment' },
      onNodeConfigured: [{ name: 'create-job-user.sh', content, args: ['sim', '1500', keys.public.trim()] }],
    }),
  );
  await asRoot('sacctmgr --immediate add account lab; sacctmgr --immediate add user sim account=lab');
  // slurmctld looks users up when it starts, and the job user is made afterwards.
  await asRoot('scontrol reconfigure');
  const access = { address, port: 22, user: 'sim', privateKeySecretArn: 'arn:of-the-key' };
  return { epoch, access: { ...access, hostKey: await gateway.readHostKey({ epoch, access }) } };
}

/** One that is suspended, one on whole nodes that is requeued, an array, and one that is nobody's campaign. */
async function runJobs(head: HeadNode, campaignId: string): Promise<void> {
  const { epoch } = head;
  const submit = async (jobKey: string, seconds: number, ...options: string[]) => {
    const comment = jobKey === 'foreign' ? 'mine' : jobComment({ epoch, campaignId, jobKey });
    const script = ['--comment', comment, ...options, '--wrap', `sleep ${seconds}`];
    return asJobUser(rig, NAME, ['sbatch', '--parsable', ...script]);
  };
  const stateOf = async (id: string) => asJobUser(rig, NAME, ['squeue', '-h', '-j', id, '-o', '%T']);
  const requeued = await submit('requeued', 4, '-N2', '--exclusive', '--requeue');
  await until(async () => stateOf(requeued), 'RUNNING');
  await asRoot(`sleep 2; scontrol requeue ${requeued}`);
  const suspended = await submit('suspended', 5, '-n3');
  await until(async () => stateOf(suspended), 'RUNNING');
  await asRoot(`scontrol suspend ${suspended}`);
  whileSuspended = await gateway.readUsage(head, {});
  await asRoot(`sleep 3; scontrol resume ${suspended}`);
  await submit('array', 3, '--array=1-3');
  await submit('foreign', 2);
  running = await gateway.readUsage(head, {});
  await until(async () => asJobUser(rig, NAME, ['squeue', '-h', '-o', '%i %T']), '');
  const live = ['sacct', '-anX', '-s', 'R,PD,S', '-E', 'now', '-o', 'jobid'];
  await until(async () => asJobUser(rig, NAME, live), '');
}

/** Whole hours around all that ran. */
function hoursAround(): { readonly fromSeconds: number; readonly toSeconds: number } {
  const starts = epochs.flatMap(({ records }) => records.map(({ startSeconds }) => startSeconds));
  const fromSeconds = Math.floor(Math.min(...starts) / 3600) * 3600;
  return { fromSeconds, toSeconds: Math.ceil(Date.now() / 3_600_000) * 3600 };
}

/** A report of sreport over these hours, in seconds, as rows of cells. */
async function sreport(report: string): Promise<string[][]> {
  const { fromSeconds, toSeconds } = hoursAround();
  const hours = `S=$(date -d @${fromSeconds} +%FT%T) E=$(date -d @${toSeconds} +%FT%T)`;
  const text = await asRoot(
    `${hours}; sacctmgr --immediate rollup "$S" "$E" >/dev/null 2>&1; sreport -nP -t seconds ${report} start="$S" end="$E"`,
  );
  return text.split('\n').map((line) => line.split('|'));
}

const ours = (): UsageReport => reportUsage(epochs, hoursAround());

describe('what is new since a moment', () => {
  it('is what has ended since then, and leaves out what had ended before', async () => {
    const records = epochs[1]?.records ?? [];
    const ends = records.map(({ endSeconds = 0 }) => endSeconds).toSorted((a, b) => a - b);
    const sinceSeconds = ends[3] ?? 0;
    const { records: since } = await gateway.readUsage(lastHead, { sinceSeconds });
    const expected = records.filter(({ endSeconds = 0 }) => endSeconds >= sinceSeconds);
    expect(since).toEqual(expected);
    expect(expected.length).toBeLessThan(records.length);
  });
});

describe('usage against Slurm’s own report, over two epochs of a cluster', () => {
  it('is in all what sreport says was allocated', async () => {
    const [[cluster, allocated] = []] = await sreport('cluster Utilization');
    expect([cluster, Number(allocated)]).toEqual([NAME, ours().total.cpuSeconds]);
  });

  it('is for processors and nodes what sreport says of the user’s account', async () => {
    const rows = await sreport('-T cpu,node cluster AccountUtilizationByUser');
    const usedBy = (login: string, tres: string) =>
      Number(rows.find(([, , user, , name]) => user === login && name === tres)?.at(-1));
    const { cpuSeconds, nodeSeconds } = ours().total;
    expect([usedBy('sim', 'cpu'), usedBy('sim', 'node')]).toEqual([cpuSeconds, nodeSeconds]);
  });

  it('counts both runs of the requeued job, each task of the array, and no suspended time', () => {
    for (const { records } of epochs) {
      const times = records.map(({ jobId, cpus, nodes, suspendedSeconds }) => ({
        jobId,
        cpus,
        nodes,
        isSuspended: suspendedSeconds >= 2,
      }));
      expect(times.filter(({ cpus, nodes }) => cpus === 16 && nodes === 2)).toHaveLength(2);
      expect(times.filter(({ cpus, isSuspended }) => cpus === 3 && isSuspended)).toHaveLength(1);
      expect(times.filter(({ cpus }) => cpus === 1)).toHaveLength(4);
    }
    expect(ours().total.allocations).toBe(14);
  });

  it('costs whole nodes what they cost, shared ones by processors as Slurm counts them, and nothing more', () => {
    const { total, perCampaign } = ours();
    expect(total).not.toHaveProperty('unpricedAllocations');
    // A node of 8 processors for 8 USD an hour.
    expect(total.costUsd).toBeCloseTo(total.cpuSeconds / 3600, 3);
    expect(perCampaign.reduce((sum, { costUsd = 0 }) => sum + costUsd, 0)).toBeCloseTo(total.costUsd ?? 0, 9);
    for (const { records, ...epoch } of epochs) {
      const whole = records.filter(({ nodes }) => nodes === 2);
      const { costUsd, nodeSeconds } = reportUsage([{ ...epoch, records: whole }], hoursAround()).total;
      expect(nodeSeconds).toBeGreaterThan(0);
      expect(costUsd).toBeCloseTo((nodeSeconds * 8) / 3600, 9);
    }
  });

  it('is told for each job of a campaign, the runs of a requeued one together, tasks by themselves', () => {
    for (const [index, campaignId] of campaigns.entries()) {
      const epoch = epochs[index];
      const { perJob, total } = reportCampaignUsage(
        epoch ?? { epoch: '', asOfSeconds: 0, records: [] },
        campaignId,
      );
      expect(perJob.map(({ jobKey, allocations }) => [jobKey, allocations])).toEqual([
        ['array_1', 1],
        ['array_2', 1],
        ['array_3', 1],
        ['requeued', 2],
        ['suspended', 1],
      ]);
      expect(perJob.every(({ costUsd = 0 }) => costUsd > 0)).toBe(true);
      expect(ours().perCampaign.find((each) => each.campaignId === campaignId)).toMatchObject(total);
    }
  });

  it('is told for each campaign, and for jobs that are of none', () => {
    const { perCampaign, total } = ours();
    expect(new Set(perCampaign.map(({ campaignId }) => campaignId))).toEqual(
      new Set([...campaigns, undefined]),
    );
    expect(perCampaign.find(({ campaignId }) => campaignId === undefined)?.allocations).toBe(2);
    expect(perCampaign.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0)).toBe(total.cpuSeconds);
  });

  it('names the campaign of a job that still runs, although accounting does not know it yet', () => {
    const live = running.records.filter(({ endSeconds }) => endSeconds === undefined);
    expect(live.length).toBeGreaterThan(0);
    expect(live.filter(({ campaignId }) => campaignId === campaigns[1]).length).toBeGreaterThan(0);
  });

  it('names that of a job that is suspended, too', () => {
    const live = whileSuspended.records.filter(({ cpus }) => cpus === 3);
    expect(live).toMatchObject([{ campaignId: campaigns[1], jobKey: 'suspended' }]);
  });
});
