import { randomBytes } from 'node:crypto';
import { type CloudWatchLogsClient, GetLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { beforeEach } from 'vitest';
import { createLogActivities } from '../../src/activities/logs.ts';
import type { LogCopyReport, LogCopyRequest } from '../../src/activities/port.ts';
import { createAwsClients } from '../../src/clients/aws.ts';
import { createLogReader } from '../../src/clients/log-reader.ts';
import type { JobView } from '../../src/domain/campaign-view.ts';
import { type LogKind, logStreamName } from '../../src/domain/log-events.ts';
import type { LogLimits } from '../../src/domain/log-limits.ts';
import { campaignContentSchema } from '../../src/domain/job.ts';
import { createMemoryCampaignStore, type MemoryCampaignStore } from '../fakes/memory-campaign-store.ts';
import { MemoryJobFiles } from '../fakes/memory-job-files.ts';
import { activityContext, runActivity } from './activity.ts';
import { atScale } from './scale.ts';
import { useEmulatedAws } from './aws.ts';

/*
 * What the tests of logs share: emulated AWS, a campaign whose jobs write into memory, and a log group of its own for
 * each test. Importing this file registers the hooks.
 */

export const aws = useEmulatedAws();
export const campaignId = 'mfrggzdfmztwq2lknnwg23tpoa';
export const script = '#!/bin/bash\necho "$1" – done\n';
const access = {
  address: '127.0.1.1',
  port: 22,
  user: 'sim',
  hostKey: 'ssh-ed25519 AAAA',
  privateKeySecretArn: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:x',
};

/** Larger than what most tests write. */
export const logLimits = { headBytes: 8_000_000, tailBytes: 1_000_000 };
export const manyJobs = atScale(100, 1000);

let projectCount = 0;
let clock: { readonly now?: () => number };
export let files: MemoryJobFiles;
export let campaignStore: MemoryCampaignStore;
export let request: LogCopyRequest;

beforeEach(async () => {
  projectCount += 1;
  files = new MemoryJobFiles(campaignId);
  clock = {};
  campaignStore = createMemoryCampaignStore();
  const tenant = { virtualLabId: 'lab', projectId: `p${projectCount}` };
  const content = await campaignStore.put(
    tenant,
    campaignContentSchema.parse({
      version: 1,
      campaignId,
      jobs: [
        { key: 'a', script },
        { key: 'b', command: ['/bin/echo', 'it is', "a 'word'"] },
        ...Array.from({ length: manyJobs }, (_, index) => ({ key: `n${index}`, script })),
      ],
    }),
  );
  request = {
    ...tenant,
    epoch: '1k2m9x0aab12cd',
    clusterName: 'pcluster-lab',
    access,
    campaignId,
    content,
    jobs: [{ jobKey: 'a', view: viewOf('a') }],
  };
  await ensureLogGroup();
});

export function viewOf(key: string): JobView {
  return { key, state: 'succeeded', reason: 'It ended with exit code 0.', exitCode: 0, logsComplete: false };
}

export function activitiesWith(logs: CloudWatchLogsClient, limits: LogLimits = logLimits) {
  return createLogActivities({
    logs,
    campaignStore,
    gateway: files,
    logRetentionDays: 90,
    logLimits: limits,
    logFollowSeconds: 0.01,
    ...clock,
  });
}

export async function ensureLogGroup(): Promise<string> {
  return (await activitiesWith(aws().clients.logs).ensureLogGroup(request)).logGroupName;
}

export async function copy(...how: Parameters<typeof report>): Promise<number> {
  return (await report(...how)).copiedBytes;
}

export async function report(
  jobs = request.jobs,
  logs = aws().clients.logs,
  heartbeatDetails?: unknown,
): Promise<LogCopyReport> {
  const { copyJobLogs } = activitiesWith(logs);
  const context = activityContext({ heartbeatDetails });
  return runActivity(copyJobLogs, { ...request, jobs }, context);
}

export const location = () => ({
  logGroupName: `/parallelcluster-provisioner/lab/${request.projectId}`,
  epoch: request.epoch,
});

export async function read(kind: LogKind, jobKey = 'a'): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const reader = createLogReader(aws().clients.logs);
  for await (const chunk of reader.readAll({ location: location(), campaignId, jobKey, kind }))
    chunks.push(chunk);
  return Buffer.concat(chunks);
}

export const streamOf = (kind: LogKind, jobKey = 'a') => ({
  logGroupName: location().logGroupName,
  logStreamName: logStreamName({ epoch: request.epoch, campaignId, jobKey }, kind),
});

export async function eventsOf(kind: LogKind): Promise<number> {
  const { events = [] } = await aws().clients.logs.send(
    new GetLogEventsCommand({ ...streamOf(kind), startFromHead: true }),
  );
  return events.length;
}

/** A client whose n-th call of PutLogEvents takes effect and then loses its answer. */
export function losingAnswer(nth: number): CloudWatchLogsClient {
  const { logs } = createAwsClients({ region: 'us-east-1' });
  let calls = 0;
  logs.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const answer = await next(args);
        if (commandName === 'PutLogEventsCommand' && (calls += 1) === nth)
          throw new Error('the answer was lost');
        return answer;
      },
    { step: 'initialize' },
  );
  return logs;
}

export const awkward = Buffer.concat([
  Buffer.from('\uFEFFfirst line\r\n 10%\r 20%\r\n'),
  Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
  Buffer.alloc(1_048_576, 'x'),
  Buffer.from('\n'),
  Buffer.from('–'.repeat(200_000)),
  randomBytes(700_000),
  Buffer.from('\nno line break at the end'),
]);

/** Gives the activities of this test a clock of its own. */
export function setClock(now: () => number): void {
  clock = { now };
}
