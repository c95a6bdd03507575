import { afterAll, beforeAll, expect } from 'vitest';
import { createLogActivities } from '../../src/activities/logs.ts';
import type { LogCopyRequest } from '../../src/activities/port.ts';
import { createLogReader } from '../../src/clients/log-reader.ts';
import { lastEvent } from '../../src/clients/log-streams.ts';
import { logGroupName } from '../../src/domain/cluster-name.ts';
import { campaignContentSchema } from '../../src/domain/job.ts';
import type { CampaignContent, JobSpecInput } from '../../src/domain/job.ts';
import { decodePiece, endOf, logStreamName as logStreamNameOf } from '../../src/domain/log-events.ts';
import type { LogKind } from '../../src/domain/log-events.ts';
import { jobPaths } from '../../src/domain/sbatch.ts';
import { runActivity } from './activity.ts';
import { useEmulatedAws } from './aws.ts';
import { startSlurmCluster } from './slurm-cluster.ts';
import type { SlurmCluster } from './slurm-cluster.ts';

/*
 * What the tests of logs on a real head node share: the node, emulated AWS, campaigns and what is stored of them.
 * Importing this file registers the hooks.
 */

export const tenant = { virtualLabId: 'lab', projectId: 'logs' };
/** Nothing is left out. */
export const unlimited = { headBytes: 2 ** 40, tailBytes: 0 };

export const aws = useEmulatedAws();
export let cluster: SlurmCluster;

beforeAll(async () => {
  cluster = await startSlurmCluster();
  await activitiesOf(campaign()).ensureLogGroup({ ...tenant, ...deployment() });
});
afterAll(async () => cluster?.close());

export const deployment = () => ({ epoch: cluster.head.epoch, clusterName: 'pcluster-logs' });

let campaignCount = 0;

export function campaign(...jobs: JobSpecInput[]): CampaignContent {
  campaignCount += 1;
  const campaignId = `logs${'abcdefghijklmnopqrstuvwxyz'.charAt(campaignCount)}`.padEnd(26, 'x');
  return campaignContentSchema.parse({ version: 1, campaignId, jobs });
}

export function activitiesOf(content: CampaignContent, logLimits = unlimited) {
  return createLogActivities({
    logs: aws().clients.logs,
    gateway: cluster.gateway,
    campaignStore: { get: async () => Promise.resolve(content) },
    logRetentionDays: 1,
    logFollowSeconds: 0.2,
    logLimits,
  });
}

export function requestOf({ campaignId, jobs }: CampaignContent): LogCopyRequest {
  return {
    ...tenant,
    ...deployment(),
    access: cluster.head.access,
    campaignId,
    content: { bucket: 'b', key: 'k', sha256: 's' },
    jobs: jobs.map(({ key }) => ({
      jobKey: key,
      view: { key, state: 'succeeded', reason: 'It ended with exit code 0.', logsComplete: false },
    })),
  };
}

export async function copy(content: CampaignContent, logLimits = unlimited): Promise<number> {
  const { copyJobLogs } = activitiesOf(content, logLimits);
  return (await runActivity(copyJobLogs, requestOf(content))).copiedBytes;
}

export async function* stored({ campaignId }: CampaignContent, jobKey: string, kind: LogKind = 'stdout') {
  const location = { logGroupName: logGroupName(tenant), epoch: cluster.head.epoch };
  const reader = createLogReader(aws().clients.logs);
  yield* reader.readAll({ location, campaignId, jobKey, kind });
}

export async function read(
  content: CampaignContent,
  jobKey: string,
  kind: LogKind = 'stdout',
): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stored(content, jobKey, kind)) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Compares byte by byte, without holding either of both as a whole. */
export async function expectStored(
  content: CampaignContent,
  jobKey: string,
  expected: Generator<Buffer, undefined>,
) {
  let chunk: Uint8Array = new Uint8Array();
  let position = 0;
  let isEqual = true;
  for await (const bytes of stored(content, jobKey)) {
    let rest: Uint8Array = bytes;
    while (isEqual && rest.length > 0) {
      if (chunk.length === 0) chunk = expected.next().value ?? new Uint8Array();
      const length = Math.min(rest.length, chunk.length);
      isEqual = length > 0 && Buffer.compare(rest.subarray(0, length), chunk.subarray(0, length)) === 0;
      [rest, chunk] = [rest.subarray(length), chunk.subarray(length)];
      position += length;
    }
  }
  expect({ isEqual, left: chunk.length, isWhole: expected.next().done }, `up to byte ${position}`).toEqual({
    isEqual: true,
    left: 0,
    isWhole: true,
  });
}

export function* whole(bytes: Buffer): Generator<Buffer, undefined> {
  yield bytes;
  return undefined;
}

/** Where the stream of an output ends. */
export async function endOfStream({ campaignId }: CampaignContent, jobKey: string): Promise<number> {
  const logStreamName = logStreamNameOf({ epoch: cluster.head.epoch, campaignId, jobKey }, 'stdout');
  const stream = { logGroupName: logGroupName(tenant), logStreamName };
  const event = await lastEvent(aws().clients.logs, stream).catch(() => undefined);
  return event?.message === undefined ? 0 : endOf(decodePiece(event.message));
}

export async function submit({ campaignId, jobs }: CampaignContent): Promise<void> {
  const submission = { campaignId, jobs: jobs.map((spec) => ({ spec })), defaultQueue: 'debug' };
  const answers = await cluster.gateway.submit(cluster.head, submission);
  expect(answers.map(({ status }) => status)).toEqual(jobs.map(() => 'submitted'));
}

/** Waits until Slurm says that the job has ended, and how. */
export async function waitForEnd({ campaignId }: CampaignContent, jobKey: string): Promise<string> {
  let state: string | undefined;
  await expect
    .poll(
      async () => {
        const { facts } = await cluster.gateway.observe(cluster.head, {});
        state = facts.find(({ comment }) => comment.endsWith(`${campaignId}/${jobKey}`))?.state;
        return state;
      },
      { timeout: 30_000 },
    )
    .toMatch(/COMPLETED|FAILED|CANCELLED|TIMEOUT/);
  return state ?? '';
}

export const directoryOf = ({ campaignId }: CampaignContent, jobKey: string) =>
  jobPaths('/home/sim', { epoch: cluster.head.epoch, campaignId, jobKey }).jobDirectory;

export async function asRoot(script: string): Promise<string> {
  const { code, stdout, stderr } = await cluster.asRoot(script);
  if (code !== 0) throw new Error(`${script} answered ${code}: ${stderr}`);
  return stdout;
}
