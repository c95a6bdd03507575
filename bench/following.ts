import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createSlurmActivities } from '../src/activities/slurm.ts';
import type { Observation } from '../src/domain/slurm-requests.ts';
import type { JobToSubmit } from '../src/clients/slurm-gateway.ts';
import { jobSpecSchema } from '../src/domain/job.ts';
import { defaultClusterPolicy } from '../src/domain/cluster-snapshot.ts';
import { createMemoryCampaignStore } from '../test/fakes/memory-campaign-store.ts';
import { runActivity } from '../test/support/activity.ts';
import { startSlurmCluster } from '../test/support/slurm-cluster.ts';
import type { SlurmCluster } from '../test/support/slurm-cluster.ts';
import { startByteCounter, type ByteCounter } from './byte-counter.ts';
import { pollEachJob, type Polled } from './naive-poller.ts';
import { countPrograms, loadOf, rpcCount, type SlurmLoad } from './slurm-load.ts';

/**
 * What following a campaign costs, beside a poller that asks Slurm for each job in turn, on one real head node: RPCs,
 * processor time of slurmctld, time of a look, bytes over SSH, memory of the worker. The campaign grows: its jobs are
 * looked at when it has 100, 1,000 and, with an argument of 10000, that many. Run by `node bench/following.ts [jobs]`.
 * Ends with 1 where a bound does not hold.
 */
const MOST_JOBS = Number(process.argv[2] ?? 1000);
const SIZES = [100, 1000, 10_000].filter((size) => size < MOST_JOBS).concat(MOST_JOBS);
const LOOKS_PER_SIZE = 20;
const TICK_SECONDS = defaultClusterPolicy.busyTickSeconds;
/** Each way follows the campaign for so many ticks. */
const TICKS = 4;
const BATCH_JOBS = 250;
/** How old an entry of the ledger must be before anything is said of it (observe.sh). */
const SETTLED_SECONDS = 36;
const MEGABYTE = 1024 * 1024;
/** Temporal's limit for one payload. */
const MAX_RESULT_BYTES = 2 * MEGABYTE;
/** One squeue asks for jobs and partitions, sinfo for nodes and partitions where jobs wait for nodes; one sacct. */
const MAX_RPCS_PER_LOOK = 6;
const MAX_SECONDS_PER_LOOK = TICK_SECONDS / 3;
const MAX_RETAINED_BYTES = 64 * MEGABYTE;

const campaignId = 'bench'.padEnd(26, 'x');
const tenant = { virtualLabId: 'bench', projectId: 'following' };

interface Follower {
  look(): Promise<Observation>;
}

interface Size {
  readonly jobs: number;
  /** Of each look at a campaign that was told everything. */
  readonly lookSeconds: readonly number[];
  readonly bytesPerLook: number;
  readonly looksUntilAllWasTold: number;
  readonly largestResultBytes: number;
  readonly retainedBytes: number;
}

/** Fails before any other job is there. */
const FAILED = 'preparation';
/** Every tenth job of a submission cannot run any more when it comes: later only its id shows it. */
const isNever = (index: number) => index % 10 === 5;

/** Every tenth job ends at once, before it is looked at; of the others a few run and the rest waits. */
function specOf(index: number): JobToSubmit {
  const command = index % 10 === 0 ? ['true'] : ['sleep', '86400'];
  const spec = jobSpecSchema.parse({ key: `simulation-${index}`, command });
  return isNever(index) ? { spec, dependencies: [{ key: FAILED, condition: 'afterok' }] } : { spec };
}

/** Lets the job fail on which the others depend. */
async function fail(cluster: SlurmCluster): Promise<void> {
  const spec = jobSpecSchema.parse({ key: FAILED, command: ['false'] });
  await cluster.gateway.submit(cluster.head, { campaignId, jobs: [{ spec }], defaultQueue: 'debug' });
  const hasFailed = async () =>
    (await cluster.gateway.observe(cluster.head, {})).facts.some(({ state }) => state === 'FAILED');
  while (!(await hasFailed())) await sleep(200);
}

/** From now on squeue shows only what lives, as some minutes after the end of the others (MinJobAge). */
async function forgetEnded(cluster: SlurmCluster): Promise<void> {
  await cluster.asRoot(
    `sed -i 's|^#!/bin/sh|#!/bin/bash|; s|^exec /usr/bin/squeue .*|exec /usr/bin/squeue "\${@/--states=all/--all}"|' /usr/local/bin/squeue`,
  );
  await sleep(SETTLED_SECONDS * 1000);
}

async function submit(cluster: SlurmCluster, first: number, end: number): Promise<string[]> {
  const ids: string[] = [];
  for (let begin = first; begin < end; begin += BATCH_JOBS) {
    const indexes = Array.from({ length: Math.min(BATCH_JOBS, end - begin) }, (_, index) => begin + index);
    const jobs = indexes.map(specOf);
    const outcomes = await cluster.gateway.submit(cluster.head, { campaignId, jobs, defaultQueue: 'debug' });
    for (const outcome of outcomes) {
      if (outcome.status !== 'submitted') throw new Error(`${outcome.jobKey} was not submitted`);
      ids.push(outcome.jobId);
    }
  }
  return ids;
}

/** Looks as the cluster's workflow does, which keeps what was told. */
function follow(cluster: SlurmCluster, port: number): Follower {
  const gateway = cluster.newGateway();
  const { epoch, access } = cluster.head;
  const activities = createSlurmActivities({
    gateway,
    control: gateway,
    campaignStore: createMemoryCampaignStore(),
  });
  const since = Math.floor(Date.now() / 1000) - 300;
  let told: Record<string, string> = {};
  return {
    async look() {
      const observation = await runActivity(activities.observeSlurm, {
        ...tenant,
        epoch,
        clusterName: 'pcluster-bench',
        access: { ...access, address: '127.0.0.1', port },
        campaigns: [{ campaignId, since, told }],
      });
      for (const campaign of observation.campaigns) told = { ...told, ...campaign.told };
      return observation;
    },
  };
}

async function lookUntilAllWasTold(follower: Follower): Promise<{ looks: number; largest: number }> {
  let largest = 0;
  for (let looks = 1; ; looks++) {
    const observation = await follower.look();
    largest = Math.max(largest, Buffer.byteLength(JSON.stringify(observation)));
    if (!observation.more) return { looks, largest };
  }
}

async function measureSize(follower: Follower, bytes: ByteCounter, jobs: number): Promise<Size> {
  const heapBefore = retainedHeap();
  const { looks, largest } = await lookUntilAllWasTold(follower);
  const lookSeconds: number[] = [];
  const bytesBefore = bytes.received();
  for (let look = 0; look < LOOKS_PER_SIZE; look++) {
    const begin = performance.now();
    await follower.look();
    lookSeconds.push((performance.now() - begin) / 1000);
  }
  return {
    jobs,
    lookSeconds,
    bytesPerLook: (bytes.received() - bytesBefore) / LOOKS_PER_SIZE,
    looksUntilAllWasTold: looks,
    largestResultBytes: largest,
    retainedBytes: retainedHeap() - heapBefore,
  };
}

/** What is still referred to. */
function retainedHeap(): number {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect === 'function') Reflect.apply(collect, undefined, []);
  return process.memoryUsage().heapUsed;
}

async function followForTicks(follower: Follower): Promise<number> {
  for (let tick = 0; tick < TICKS; tick++) {
    const next = sleep(TICK_SECONDS * 1000);
    await follower.look();
    await next;
  }
  return TICKS;
}

const quantile = (values: readonly number[], part: number) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))] ?? NaN;

function reportSizes(sizes: readonly Size[]): void {
  for (const { jobs, lookSeconds, ...size } of sizes) {
    const [p50, p95] = [0.5, 0.95].map((part) => `${(quantile(lookSeconds, part) * 1000).toFixed(0)} ms`);
    print(
      `${jobs} jobs: a look p50 ${p50}, p95 ${p95}; ${(size.bytesPerLook / 1024).toFixed(0)} KiB over SSH; ` +
        `first told in ${size.looksUntilAllWasTold} looks; memory kept ${(size.retainedBytes / MEGABYTE).toFixed(1)} MiB`,
    );
    atMost(`  p95 of a look, s`, quantile(lookSeconds, 0.95), MAX_SECONDS_PER_LOOK);
    atMost(`  largest result, KiB`, size.largestResultBytes / 1024, MAX_RESULT_BYTES / 1024);
    atMost(`  memory kept, MiB`, size.retainedBytes / MEGABYTE, MAX_RETAINED_BYTES / MEGABYTE);
  }
}

function reportLoads(jobs: number, looks: number, ours: SlurmLoad, naive: SlurmLoad, polled: Polled): void {
  print(
    `${jobs} jobs followed for ${TICKS} ticks of ${TICK_SECONDS} s; the naive poller asked about each in`,
  );
  print(`turn: ${polled.asked} questions, ${(polled.asked / jobs).toFixed(2)} rounds of ${TICKS} wanted`);
  const minute = (load: SlurmLoad, count: number) => (count * 60) / load.seconds;
  const rows: [string, (load: SlurmLoad) => string][] = [
    ['Slurm RPCs per minute', (load) => minute(load, rpcCount(load)).toFixed(0)],
    ['of these to slurmdbd', (load) => minute(load, load.accountingRpcs).toFixed(0)],
    ['squeue calls', (load) => String(load.squeueCalls)],
    ['sacct calls', (load) => String(load.sacctCalls)],
    ['slurmctld CPU s per minute', (load) => minute(load, load.slurmctldCpuSeconds).toFixed(2)],
    ['slurmdbd CPU s per minute', (load) => minute(load, load.slurmdbdCpuSeconds).toFixed(2)],
    ['server threads at the end', (load) => String(load.serverThreads)],
    ['agent queue at the end', (load) => String(load.agentQueue)],
    ['mean scheduling cycle, µs', (load) => String(load.meanCycleMicroseconds)],
  ];
  print(`${''.padEnd(28)} ${'ours'.padStart(9)} ${'naive'.padStart(9)}`);
  for (const [name, cell] of rows) {
    print(`${name.padEnd(28)} ${cell(ours).padStart(9)} ${cell(naive).padStart(9)}`);
  }
  for (const [name, load] of [
    ['ours', ours],
    ['naive', naive],
  ] as const) {
    print(
      `${name}: ${[...load.rpcs].map(([type, count]) => `${type} ${count}`).join(', ')}, DBD_GET_JOBS_COND ${load.accountingRpcs}`,
    );
  }
  exactly('squeue calls per look', ours.squeueCalls / looks, 1);
  atMost('sacct calls per look', ours.sacctCalls / looks, 1);
  atMost('Slurm RPCs per look', rpcCount(ours) / looks, MAX_RPCS_PER_LOOK);
  atMost('RPCs, ours / naive', rpcCount(ours) / rpcCount(naive), 0.1);
}

function atMost(name: string, value: number, limit: number): void {
  judge(name, value, `at most ${limit}`, value <= limit);
}

function exactly(name: string, value: number, wanted: number): void {
  judge(name, value, `exactly ${wanted}`, value === wanted);
}

/** NaN is never good. */
function judge(name: string, value: number, bound: string, isGood: boolean): void {
  const shown = Number.isInteger(value) ? String(value) : value.toFixed(3);
  print(`${name.padEnd(28)} ${shown.padStart(9)} (${bound})${isGood ? '' : '  EXCEEDED'}`);
  if (!isGood) process.exitCode = 1;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main(): Promise<void> {
  // As in every cluster that we make.
  const cluster = await startSlurmCluster({
    // The others of a submission depend on its first job as long as Slurm knows it.
    customSlurmSettings: { MaxArraySize: '50001', MaxJobCount: '60000', MinJobAge: '3600' },
  });
  const { address, port } = cluster.head.access;
  const bytes = await startByteCounter({ host: address, port });
  try {
    const follower = follow(cluster, bytes.port);
    await fail(cluster);
    const ids: string[] = [];
    const sizes: Size[] = [];
    for (const size of SIZES) {
      ids.push(...(await submit(cluster, ids.length, size)));
      sizes.push(await measureSize(follower, bytes, size));
    }
    reportSizes(sizes);
    await countPrograms(cluster);
    await forgetEnded(cluster);
    const ours = await loadOf(cluster, async () => followForTicks(follower));
    const naive = await loadOf(cluster, async () =>
      pollEachJob(cluster, ids, { intervalSeconds: TICK_SECONDS, rounds: TICKS }),
    );
    reportLoads(MOST_JOBS, ours.answer, ours.load, naive.load, naive.answer);
  } finally {
    await cluster.close();
    await bytes.close();
  }
}

await main();
