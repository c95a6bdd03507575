import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { execa } from 'execa';
import { createLogActivities } from '../src/activities/logs.ts';
import type { LogCopyRequest } from '../src/activities/port.ts';
import { createAwsClients } from '../src/clients/aws.ts';
import { startAwsEmulators } from '../src/dev/aws-emulators.ts';
import { EMULATED_REGION } from '../src/dev/emulated-account.ts';
import { readDevEnvironment } from '../src/dev/environment.ts';
import { campaignContentSchema } from '../src/domain/job.ts';
import { jobPaths } from '../src/domain/sbatch.ts';
import { activityContext, runActivity } from '../test/support/activity.ts';
import { awkwardOutput, writeJobOutput } from '../test/support/job-output.ts';
import { startSlurmCluster } from '../test/support/slurm-cluster.ts';
import type { SlurmCluster } from '../test/support/slurm-cluster.ts';

/**
 * How fast one large output of a job gets into CloudWatch Logs, beside fetching the same file by OpenSSH's sftp, in
 * one run on one head node. The ways take turns, so that whatever else the machine does hits them alike.
 */
const FILE_BYTES = 64_000_000;
const ROUNDS = 5;
const MEGABYTE = 1_000_000;
const tenant = { virtualLabId: 'bench', projectId: 'logs' };
const campaignId = 'bench'.padEnd(26, 'x');

type Way = 'raw SFTP' | 'ours' | 'ours without the emulator';
const ways: readonly Way[] = ['raw SFTP', 'ours', 'ours without the emulator'];

/** Answers to every call at once: what is left is reading, cutting and encoding. */
function withoutEmulator(): CloudWatchLogsClient {
  const { logs } = createAwsClients({ region: EMULATED_REGION });
  logs.middlewareStack.add(
    () => async () => Promise.resolve({ output: { $metadata: {} }, response: undefined }),
    { step: 'finalizeRequest', priority: 'low' },
  );
  return logs;
}

async function setUp(cluster: SlurmCluster, folder: string): Promise<(target: string) => Promise<unknown>> {
  const { address, hostKey, user } = cluster.head.access;
  await writeFile(join(folder, 'key'), cluster.privateKey, { mode: 0o600 });
  await writeFile(join(folder, 'known_hosts'), `${address} ${hostKey}\n`);
  const path = await writeJobOutput(
    cluster,
    { campaignId, jobKey: 'job-0' },
    awkwardOutput(FILE_BYTES, 20_261_122),
  );
  const options = ['-i', join(folder, 'key'), '-o', `UserKnownHostsFile=${join(folder, 'known_hosts')}`];
  return async (target) =>
    execa('sftp', ['-q', '-o', 'BatchMode=yes', ...options, `${user}@${address}:${path}`, target]);
}

/** Every round copies a job of its own, whose output is the same file: a stream is written once. */
async function copyJob(cluster: SlurmCluster, logs: CloudWatchLogsClient, jobKey: string): Promise<void> {
  const pathOf = (key: string) =>
    jobPaths('/home/sim', { epoch: cluster.head.epoch, campaignId, jobKey: key }).jobDirectory;
  await cluster.asSim('mkdir', '-p', pathOf(jobKey));
  await cluster.asSim('ln', '-f', `${pathOf('job-0')}/stdout`, `${pathOf(jobKey)}/stdout`);
  const content = campaignContentSchema.parse({
    version: 1,
    campaignId,
    jobs: [{ key: jobKey, command: ['true'] }],
  });
  const activities = createLogActivities({
    logs,
    gateway: cluster.gateway,
    campaignStore: { get: async () => Promise.resolve(content) },
    logRetentionDays: 1,
    logLimits: { headBytes: FILE_BYTES, tailBytes: 0 },
    logFollowSeconds: 10,
  });
  const request: LogCopyRequest = {
    ...tenant,
    ...cluster.head,
    clusterName: 'pcluster-bench',
    campaignId,
    content: { bucket: '', key: '', sha256: '' },
    jobs: [{ jobKey, view: { key: jobKey, state: 'succeeded', reason: '', logsComplete: false } }],
  };
  await activities.ensureLogGroup(request);
  await runActivity(activities.copyJobLogs, request, activityContext());
}

async function secondsOf(task: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await task();
  return (performance.now() - begin) / 1000;
}

async function measure(cluster: SlurmCluster, folder: string): Promise<Record<Way, number[]>> {
  const fetchBySftp = await setUp(cluster, folder);
  const { logs } = createAwsClients({ region: EMULATED_REGION });
  const seconds: Record<Way, number[]> = { 'raw SFTP': [], ours: [], 'ours without the emulator': [] };
  for (let round = 1; round <= ROUNDS; round++) {
    const target = join(folder, `fetched-${round}`);
    const tasks: Record<Way, () => Promise<unknown>> = {
      'raw SFTP': async () => fetchBySftp(target),
      ours: async () => copyJob(cluster, logs, `job-${round}`),
      'ours without the emulator': async () => copyJob(cluster, withoutEmulator(), `dry-${round}`),
    };
    for (const way of ways) seconds[way].push(await secondsOf(tasks[way]));
    if ((await stat(target)).size !== FILE_BYTES) throw new Error('sftp did not fetch the whole file');
    await rm(target);
  }
  return seconds;
}

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-logs-'));
  const temporaryDirectory = join(folder, 'emulators', 'tmp');
  await mkdir(temporaryDirectory, { recursive: true });
  const emulators = await startAwsEmulators({
    environment: readDevEnvironment(),
    logDirectory: dirname(temporaryDirectory),
    temporaryDirectory,
    onProgress: () => undefined,
  });
  // As in production, the SDK finds its endpoint by its own variables.
  Object.assign(process.env, emulators.env);
  const cluster = await startSlurmCluster();
  try {
    report(await measure(cluster, folder));
  } finally {
    await cluster.close();
    await emulators.close();
    await rm(folder, { recursive: true, force: true });
  }
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;

function report(seconds: Readonly<Record<Way, readonly number[]>>): void {
  const rateOf = (way: Way) => FILE_BYTES / MEGABYTE / median(seconds[way]);
  const lines = [
    `One output of ${FILE_BYTES / MEGABYTE} MB, median of ${ROUNDS} rounds`,
    ...ways.map((way) => `${way.padEnd(26)} ${rateOf(way).toFixed(1).padStart(6)} MB/s`),
    `ours / raw SFTP            ${(rateOf('ours') / rateOf('raw SFTP')).toFixed(2)}`,
    `the same, no emulator      ${(rateOf('ours without the emulator') / rateOf('raw SFTP')).toFixed(2)}`,
    '"ours" writes into an emulator of CloudWatch Logs (moto) on the same processors: it is part of that path and not',
    'of the other. Without it, calls are answered at once; real CloudWatch adds a round trip for each megabyte.',
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

await main();
