import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { jobSpecSchema } from '../src/domain/job.ts';
import { jobPaths, renderBatchScript } from '../src/domain/sbatch.ts';
import { startSlurmCluster } from '../test/support/slurm-cluster.ts';
import type { SlurmCluster } from '../test/support/slurm-cluster.ts';

/**
 * How fast jobs get into Slurm, three ways in one run on one fresh head node: a loop of sbatch on the head node
 * itself, OpenSSH with ControlMaster and one `ssh <host> sbatch` for each job, and ours. The queue is down, so that
 * only submission is measured. All three take turns, so that whatever else the machine does hits them alike.
 */
const JOBS = 300;
const BATCH_JOBS = 100;
const ROUNDS = 5;

type Way = 'sbatch loop on the head node' | 'OpenSSH with ControlMaster' | 'ours';
const ways: readonly Way[] = ['sbatch loop on the head node', 'OpenSSH with ControlMaster', 'ours'];

interface Bench {
  readonly cluster: SlurmCluster;
  readonly folder: string;
  readonly sshOptions: readonly string[];
}

const campaignOf = (round: number) => `bench${round}`.padEnd(26, 'x');
const specOf = (index: number) => jobSpecSchema.parse({ key: `job-${index}`, command: ['true'] });

/** The very text that ours hands to sbatch. */
function batchOf(cluster: SlurmCluster, index: number): string {
  const paths = jobPaths('/home/sim', {
    epoch: cluster.head.epoch,
    campaignId: campaignOf(0),
    jobKey: `job-${index}`,
  });
  return renderBatchScript(specOf(index), { ...paths, comment: '', defaultQueue: 'debug' });
}

async function sbatchLoop({ cluster }: Bench): Promise<number> {
  const script = `begin=$EPOCHREALTIME
    for batch in ~/bench/*; do sbatch --parsable --comment="$batch" "$batch" >/dev/null || exit 1; done
    end=$EPOCHREALTIME; echo $((\${end/./} - \${begin/./}))`;
  return Number(await cluster.asSim('bash', '-c', script)) / 1e6;
}

async function openSsh({ cluster, folder, sshOptions }: Bench): Promise<number> {
  const { user, address } = cluster.head.access;
  // The loop is bash's own: Node would add its time to start a process.
  const script = `for batch in "$1"/batch-*; do ssh "\${@:2}" sbatch --parsable --comment=bench <"$batch" >/dev/null || exit 1; done`;
  const begin = performance.now();
  await execa('bash', ['-c', script, 'bash', folder, ...sshOptions, `${user}@${address}`]);
  return (performance.now() - begin) / 1000;
}

async function ours({ cluster }: Bench, round: number): Promise<number> {
  const jobs = Array.from({ length: JOBS }, (_, index) => ({ spec: specOf(index) }));
  const begin = performance.now();
  for (let first = 0; first < JOBS; first += BATCH_JOBS) {
    const outcomes = await cluster.gateway.submit(cluster.head, {
      campaignId: campaignOf(round),
      jobs: jobs.slice(first, first + BATCH_JOBS),
      defaultQueue: 'debug',
    });
    if (outcomes.some(({ status }) => status !== 'submitted')) throw new Error('not every job was submitted');
  }
  return (performance.now() - begin) / 1000;
}

async function setUp(cluster: SlurmCluster, folder: string): Promise<Bench> {
  const { address, hostKey } = cluster.head.access;
  await writeFile(join(folder, 'key'), cluster.privateKey, { mode: 0o600 });
  await writeFile(join(folder, 'known_hosts'), `${address} ${hostKey}\n`);
  for (let index = 0; index < JOBS; index++) {
    await writeFile(join(folder, `batch-${index}`), batchOf(cluster, index));
  }
  await cluster.asRoot('scontrol update PartitionName=debug State=DOWN');
  const sshOptions = [
    `-i${join(folder, 'key')}`,
    `-oUserKnownHostsFile=${join(folder, 'known_hosts')}`,
    `-oControlPath=${join(folder, 'control')}`,
    '-oBatchMode=yes',
  ];
  const host = `${cluster.head.access.user}@${address}`;
  await execa('ssh', ['-M', '-N', '-f', ...sshOptions, host]);
  const tar = await execa(
    'tar',
    ['-C', folder, '-c', ...Array.from({ length: JOBS }, (_, i) => `batch-${i}`)],
    {
      encoding: 'buffer',
    },
  );
  await execa('ssh', [...sshOptions, host, 'mkdir bench && tar -C bench -x'], { input: tar.stdout });
  return { cluster, folder, sshOptions };
}

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-submission-'));
  const cluster = await startSlurmCluster();
  try {
    const bench = await setUp(cluster, folder);
    const measure: Record<Way, (round: number) => Promise<number>> = {
      'sbatch loop on the head node': async () => sbatchLoop(bench),
      'OpenSSH with ControlMaster': async () => openSsh(bench),
      ours: async (round) => ours(bench, round),
    };
    const seconds: Record<Way, number[]> = {
      'sbatch loop on the head node': [],
      'OpenSSH with ControlMaster': [],
      ours: [],
    };
    for (let round = 1; round <= ROUNDS; round++) {
      for (const way of ways) {
        seconds[way].push(await measure[way](round));
        await cluster.asSim('scancel', '--user=sim');
      }
    }
    report(seconds);
    const { user, address } = cluster.head.access;
    await execa('ssh', [...bench.sshOptions, '-O', 'exit', `${user}@${address}`]);
  } finally {
    await cluster.close();
    await rm(folder, { recursive: true, force: true });
  }
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;

function report(seconds: Readonly<Record<Way, readonly number[]>>): void {
  const rateOf = (way: Way) => JOBS / median(seconds[way]);
  const toLoop = rateOf('ours') / rateOf('sbatch loop on the head node');
  const toSsh = rateOf('ours') / rateOf('OpenSSH with ControlMaster');
  const lines = [
    `${JOBS} jobs a round, median of ${ROUNDS} rounds`,
    ...ways.map((way) => `${way.padEnd(30)} ${rateOf(way).toFixed(0).padStart(5)} jobs/s`),
    `ours / sbatch loop   ${toLoop.toFixed(2)} (target 0.8)`,
    `ours / ControlMaster ${toSsh.toFixed(2)} (target 1.5)`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

await main();
