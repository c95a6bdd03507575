import { randomBytes } from 'node:crypto';
import {
  type CloudWatchLogsClient,
  CreateLogStreamCommand,
  DescribeLogGroupsCommand,
  DescribeLogStreamsCommand,
  GetLogEventsCommand,
  ListTagsForResourceCommand,
  PutLogEventsCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createLogActivities } from '../../src/activities/logs.ts';
import type { LogCopyRequest } from '../../src/activities/port.ts';
import { createAwsClients } from '../../src/clients/aws.ts';
import { createLogReader } from '../../src/clients/log-reader.ts';
import type { JobView } from '../../src/domain/campaign-view.ts';
import { encodePiece, type LogKind, logStreamName } from '../../src/domain/log-events.ts';
import { campaignContentSchema } from '../../src/domain/job.ts';
import { tenantTags } from '../../src/domain/resource-tags.ts';
import { createMemoryCampaignStore, type MemoryCampaignStore } from '../fakes/memory-campaign-store.ts';
import { MemoryJobFiles } from '../fakes/memory-job-files.ts';
import { activityContext, runActivity } from '../support/activity.ts';
import { atScale } from '../support/scale.ts';
import { useEmulatedAws } from '../support/aws.ts';

const aws = useEmulatedAws();
const campaignId = 'mfrggzdfmztwq2lknnwg23tpoa';
const script = '#!/bin/bash\necho "$1" – done\n';
const access = {
  address: '127.0.1.1',
  port: 22,
  user: 'sim',
  hostKey: 'ssh-ed25519 AAAA',
  privateKeySecretArn: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:x',
};

/** Larger than what most tests write. */
const logLimits = { headBytes: 8_000_000, tailBytes: 1_000_000 };
const manyJobs = atScale(100, 1000);

let projectCount = 0;
/** A clock of the test's own, where it needs one. */
let clock: { readonly now?: () => number };
let files: MemoryJobFiles;
let campaignStore: MemoryCampaignStore;
let request: LogCopyRequest;

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

function viewOf(key: string): JobView {
  return { key, state: 'succeeded', reason: 'It ended with exit code 0.', exitCode: 0, logsComplete: false };
}

function activitiesWith(logs: CloudWatchLogsClient) {
  return createLogActivities({
    logs,
    campaignStore,
    gateway: files,
    logRetentionDays: 90,
    logLimits,
    logFollowSeconds: 0.01,
    ...clock,
  });
}

async function ensureLogGroup(): Promise<string> {
  return (await activitiesWith(aws().clients.logs).ensureLogGroup(request)).logGroupName;
}

async function copy(
  jobs = request.jobs,
  logs = aws().clients.logs,
  heartbeatDetails?: unknown,
): Promise<number> {
  const { copyJobLogs } = activitiesWith(logs);
  const context = activityContext({ heartbeatDetails });
  return (await runActivity(copyJobLogs, { ...request, jobs }, context)).copiedBytes;
}

const location = () => ({
  logGroupName: `/parallelcluster-provisioner/lab/${request.projectId}`,
  epoch: request.epoch,
});

async function read(kind: LogKind, jobKey = 'a'): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const reader = createLogReader(aws().clients.logs);
  for await (const chunk of reader.readAll({ location: location(), campaignId, jobKey, kind }))
    chunks.push(chunk);
  return Buffer.concat(chunks);
}

const streamOf = (kind: LogKind, jobKey = 'a') => ({
  logGroupName: location().logGroupName,
  logStreamName: logStreamName({ epoch: request.epoch, campaignId, jobKey }, kind),
});

async function eventsOf(kind: LogKind): Promise<number> {
  const { events = [] } = await aws().clients.logs.send(
    new GetLogEventsCommand({ ...streamOf(kind), startFromHead: true }),
  );
  return events.length;
}

/** A client whose n-th call of PutLogEvents takes effect and then loses its answer. */
function losingAnswer(nth: number): CloudWatchLogsClient {
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

const awkward = Buffer.concat([
  Buffer.from('\uFEFFfirst line\r\n 10%\r 20%\r\n'),
  Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
  Buffer.alloc(1_048_576, 'x'),
  Buffer.from('\n'),
  Buffer.from('–'.repeat(200_000)),
  randomBytes(700_000),
  Buffer.from('\nno line break at the end'),
]);

describe('ensureLogGroup', () => {
  test('makes the tenant’s group with its retention and tags, and can be repeated', async () => {
    expect(await ensureLogGroup()).toBe(await ensureLogGroup());
    const { logGroups = [] } = await aws().clients.logs.send(
      new DescribeLogGroupsCommand({ logGroupNamePrefix: location().logGroupName }),
    );
    expect(logGroups[0]).toMatchObject({ logGroupName: location().logGroupName, retentionInDays: 90 });
    const resourceArn = logGroups[0]?.arn?.replace(/:\*$/, '');
    const { tags } = await aws().clients.logs.send(new ListTagsForResourceCommand({ resourceArn }));
    expect(tags).toEqual(tenantTags(request));
  });
});

describe('copyJobLogs', () => {
  test('copies the five kinds of a job', async () => {
    files.write('a', 'stdout', 'out\n');
    files.write('a', 'stderr', 'err\n');
    files.write('a', 'environment', "# Environment\nHOME='/home/sim'\nAPI_TOKEN='very-secret'\n");
    const copied = await copy();
    expect(JSON.parse((await read('info')).toString())).toMatchObject({
      key: 'a',
      state: 'succeeded',
      exitCode: 0,
    });
    expect((await read('script')).toString()).toBe(script);
    expect((await read('stdout')).toString()).toBe('out\n');
    expect((await read('stderr')).toString()).toBe('err\n');
    const environment = (await read('environment')).toString();
    expect(environment).toContain("HOME='/home/sim'\n");
    expect(environment).not.toContain('very-secret');
    const total = await Promise.all(
      (['info', 'script', 'stdout', 'stderr', 'environment'] as const).map(async (k) => read(k)),
    );
    expect(copied).toBe(total.reduce((sum, { length }) => sum + length, 0));
  });

  test('a command is shown as words of a shell', async () => {
    await copy([{ jobKey: 'b', view: viewOf('b') }]);
    expect((await read('script', 'b')).toString()).toBe(
      String.raw`'/bin/echo' 'it is' 'a '\''word'\'''` + '\n',
    );
  });

  test('megabytes of text, lines without end and binary garbage come back byte for byte', async () => {
    files.write('a', 'stdout', awkward);
    files.write('a', 'stderr', randomBytes(300_000));
    await copy();
    expect((await read('stdout')).equals(awkward)).toBe(true);
    expect(await read('stderr')).toHaveLength(300_000);
  });

  test('an empty output is empty, and one that never was is absent', async () => {
    files.write('a', 'stdout', '');
    await copy();
    const reader = createLogReader(aws().clients.logs);
    const page = (kind: LogKind) => reader.read({ location: location(), campaignId, jobKey: 'a', kind });
    expect(await page('stdout')).toMatchObject({ content: Buffer.alloc(0), atEnd: true });
    expect(await page('stderr')).toBeUndefined();
    expect(await page('environment')).toBeUndefined();
  });

  test('what is not a plain file is left out, and the rest is copied', async () => {
    files.link('a', 'stdout');
    files.write('a', 'stderr', 'err\n');
    await copy();
    expect((await read('stdout')).toString()).toBe('');
    expect((await read('stderr')).toString()).toBe('err\n');
  });

  test('repeated, it copies nothing again', async () => {
    files.write('a', 'stdout', awkward);
    files.write('a', 'environment', 'A=1\n');
    await copy();
    const before = await Promise.all((['info', 'script', 'stdout', 'environment'] as const).map(eventsOf));
    expect(await copy()).toBe(0);
    expect(await Promise.all((['info', 'script', 'stdout', 'environment'] as const).map(eventsOf))).toEqual(
      before,
    );
  });

  test('what was written since the last copy is appended', async () => {
    files.write('a', 'stdout', 'one\n');
    await copy();
    files.write('a', 'stdout', 'one\ntwo');
    expect(await copy()).toBe(3);
    files.write('a', 'stdout', Buffer.concat([Buffer.from('one\ntwo'), awkward]));
    await copy();
    expect((await read('stdout')).equals(Buffer.concat([Buffer.from('one\ntwo'), awkward]))).toBe(true);
  });

  test('the latest info of a job replaces the earlier one', async () => {
    await copy();
    const view: JobView = {
      ...viewOf('a'),
      state: 'failed',
      reason: 'It ended with exit code 3.',
      exitCode: 3,
    };
    await copy([{ jobKey: 'a', view }]);
    expect(JSON.parse((await read('info')).toString())).toMatchObject({ state: 'failed', exitCode: 3 });
  });

  test('that the logs are complete is no news about the job', async () => {
    await copy();
    expect(await copy([{ jobKey: 'a', view: { ...viewOf('a'), logsComplete: true } }])).toBe(0);
  });

  test.each([1, 2, 3, 4, 5, 6])(
    'an attempt that dies after its write number %i is completed by the next',
    async (nth) => {
      files.write('a', 'stdout', awkward);
      files.write('a', 'stderr', randomBytes(200_000));
      await expect(copy(request.jobs, losingAnswer(nth))).rejects.toThrow('the answer was lost');
      await copy();
      expect((await read('stdout')).equals(awkward)).toBe(true);
      expect(await read('stderr')).toHaveLength(200_000);
      expect((await read('script')).toString()).toBe(script);
    },
  );

  test('two attempts at a time leave a log that reads as one', async () => {
    files.write('a', 'stdout', awkward);
    await Promise.all([copy(), copy()]);
    await copy();
    expect((await read('stdout')).equals(awkward)).toBe(true);
  });

  test('many jobs are copied side by side, and a next attempt begins where the last one was', async () => {
    const jobs = Array.from({ length: 20 }, (_, index) => ({
      jobKey: `n${index}`,
      view: viewOf(`n${index}`),
    }));
    for (const { jobKey } of jobs) files.write(jobKey, 'stdout', `I am ${jobKey}\n`);
    await copy(jobs, undefined, { jobs: 8, bytes: 0 });
    expect((await read('stdout', 'n19')).toString()).toBe('I am n19\n');
    expect(await read('stdout', 'n7')).toHaveLength(0);
    expect(new Set(files.reads.map(({ jobKey }) => jobKey)).size).toBe(12);
    await copy(jobs);
    expect((await read('stdout', 'n7')).toString()).toBe('I am n7\n');
  });

  test('so many small jobs that they cannot all be in memory are copied within a bound', async () => {
    const jobs = Array.from({ length: manyJobs }, (_, index) => ({
      jobKey: `n${index}`,
      view: viewOf(`n${index}`),
    }));
    const noise = randomBytes(40_000);
    for (const { jobKey } of jobs) {
      files.write(jobKey, 'environment', `JOB='${jobKey}'\n`);
      files.write(jobKey, 'stdout', Buffer.concat([Buffer.from(`${jobKey}\n`), noise]));
      files.write(jobKey, 'stderr', '');
      files.running.add(jobKey);
    }
    await copy(jobs);
    for (const { jobKey } of jobs) {
      expect((await read('stdout', jobKey)).equals(Buffer.concat([Buffer.from(`${jobKey}\n`), noise]))).toBe(
        true,
      );
      expect((await read('environment', jobKey)).toString()).toBe(`JOB='${jobKey}'\n`);
    }
    expect(files.running.size).toBe(0);
    expect(Math.max(...files.answeredBytes)).toBeLessThan(1_000_000);
  }, 600_000);

  test('what is read at a time does not grow with the size of the files', async () => {
    const jobs = Array.from({ length: 8 }, (_, index) => ({
      jobKey: `n${index}`,
      view: viewOf(`n${index}`),
    }));
    const output = Buffer.alloc(3_000_000, 'a line of text\n');
    const environment = Buffer.alloc(6_000_000, "A='a harmless value'\n");
    for (const { jobKey } of jobs) {
      files.write(jobKey, 'stdout', output);
      files.write(jobKey, 'stderr', output);
      files.write(jobKey, 'environment', environment);
    }
    await copy(jobs);
    expect((await read('stdout', 'n7')).equals(output)).toBe(true);
    expect(Math.max(...files.answeredBytes)).toBeLessThanOrEqual(4 * 1024 * 1024);
    const listing = (await read('environment', 'n7')).toString();
    expect(listing).toMatch(/A='a harmless value'\n# The rest is left out: 6000000 bytes are too many\.\n$/);
  });

  test('a file that cannot be read is left out, and the rest is copied', async () => {
    files.write('a', 'stdout', 'secret\n');
    files.readableBytes.set('a/stdout', 0);
    files.write('a', 'stderr', 'err\n');
    await copy();
    expect((await read('stderr')).toString()).toBe('err\n');
  });

  test('a file that can be read only in part is copied as far as that', async () => {
    files.write('a', 'stdout', awkward);
    files.readableBytes.set('a/stdout', 300_007);
    await copy();
    expect((await read('stdout')).equals(awkward.subarray(0, 300_007))).toBe(true);
  });

  test('a job that goes on writing after its end is copied as far as it was when first seen', async () => {
    files.write('a', 'stdout', 'first\n');
    const readFiles = files.readFiles.bind(files);
    files.readFiles = async (head, parts) => {
      const contents = await readFiles(head, parts);
      if (parts.some(({ file }) => file === 'stdout')) files.append('a', 'stdout', 'more\n');
      return contents;
    };
    await copy();
    expect((await read('stdout')).toString()).toBe('first\n');
  });

  test('that a job cannot be unmarked does not make the copy fail', async () => {
    files.write('a', 'stdout', 'out\n');
    files.forgetOutputs = async () => Promise.reject(new Error('the head node is gone'));
    await copy();
    expect((await read('stdout')).toString()).toBe('out\n');
  });

  test('streams are named by epoch, campaign, job and kind', async () => {
    await copy();
    const { logStreams = [] } = await aws().clients.logs.send(
      new DescribeLogStreamsCommand({ logGroupName: location().logGroupName }),
    );
    const prefix = `${request.epoch}/${campaignId}/a`;
    expect(new Set(logStreams.map((stream) => stream.logStreamName))).toEqual(
      new Set([`${prefix}/info`, `${prefix}/script`]),
    );
  });
});

describe('an output over the limits', () => {
  const { headBytes, tailBytes } = logLimits;
  const long = randomBytes(headBytes + tailBytes + 12_345);
  const expected = Buffer.concat([
    long.subarray(0, headBytes),
    Buffer.from('[… 12345 bytes left out …]\n'),
    long.subarray(-tailBytes),
  ]);

  test('is kept up to the limit', async () => {
    const whole = long.subarray(0, headBytes + tailBytes);
    files.write('a', 'stdout', whole);
    await copy();
    expect((await read('stdout')).equals(whole)).toBe(true);
  });

  test('loses, to the byte, what lies between head and tail, and says how much', async () => {
    files.write('a', 'stdout', long);
    expect(await copy()).toBeGreaterThan(headBytes + tailBytes);
    expect((await read('stdout')).equals(expected)).toBe(true);
    expect(await copy()).toBe(0);
  });

  test.each([1, 5, 9, 10, 11, 12])('also when an attempt dies after its write number %i', async (nth) => {
    files.write('a', 'stdout', long);
    await expect(copy(request.jobs, losingAnswer(nth))).rejects.toThrow('the answer was lost');
    await copy();
    expect((await read('stdout')).equals(expected)).toBe(true);
  });
});

describe('followJobLogs', () => {
  /** Follows a job whose output grows in steps, one a look, until it is no longer marked as running. */
  async function follow(...steps: readonly (() => void | Promise<void>)[]): Promise<number> {
    let look = 0;
    let seconds = 0;
    const started = Date.now();
    clock = { now: () => started + seconds * 1000 };
    files.running.add('a');
    const listOutputs = files.listOutputs.bind(files);
    files.listOutputs = async () => {
      seconds += 10;
      await steps[look]?.();
      if (look === steps.length) files.running.delete('a');
      look += 1;
      return listOutputs();
    };
    const { followJobLogs } = activitiesWith(aws().clients.logs);
    return (await runActivity(followJobLogs, request)).copiedBytes;
  }
  const write = (text: string | Buffer) => () => files.append('a', 'stdout', text);
  const expectShown = (expected: string) => async () =>
    expect((await read('stdout')).toString()).toBe(expected);

  test('copies what a running job writes, line by line, and ends when no job runs any more', async () => {
    const copied = await follow(write('one\n'), write('two\n'), expectShown('one\ntwo\n'));
    expect(copied).toBe(8);
    expect(await copy()).toBeGreaterThan(0);
    await expectShown('one\ntwo\n')();
  });

  test('shows a line without an end in the second round that sees it', async () => {
    await follow(
      write('one\n 10%'),
      expectShown('one\n'),
      expectShown('one\n 10%'),
      write('\r 20%\n'),
      () => {},
      () => {},
    );
    await expectShown('one\n 10%\r 20%\n')();
  });

  test('shows progress that is written in every round', async () => {
    const steps = Array.from({ length: 6 }, (_, index) => write(`\r${index}0%`));
    await follow(...steps, expectShown('\r00%\r10%\r20%\r30%\r40%\r50%'));
  });

  test('does not cut a character that the job is about to finish', async () => {
    const [first, rest] = [Buffer.from('é').subarray(0, 1), Buffer.from('é').subarray(1)];
    await follow(
      write(Buffer.concat([Buffer.from('caf'), first])),
      () => {},
      expectShown('caf'),
      write(rest),
    );
    await copy();
    await expectShown('café')();
    expect(await eventsOf('stdout')).toBe(2);
  });

  test('copies megabytes of anything, in which the job is not waited for', async () => {
    await follow(
      write(awkward),
      () => {},
      write(awkward),
      () => {},
    );
    expect((await read('stdout')).equals(Buffer.concat([awkward, awkward]))).toBe(true);
  });

  test('stops at the head, to which the final copy adds the tail', async () => {
    const long = randomBytes(logLimits.headBytes + logLimits.tailBytes + 5);
    await follow(write(long), async () => {
      expect((await read('stdout')).equals(long.subarray(0, logLimits.headBytes))).toBe(true);
    });
    await copy();
    const tail = Buffer.concat([
      Buffer.from('[… 5 bytes left out …]\n'),
      long.subarray(-logLimits.tailBytes),
    ]);
    expect((await read('stdout')).subarray(logLimits.headBytes).equals(tail)).toBe(true);
  });

  test('leaves a log without gaps when the final copy writes at the same time', async () => {
    await follow(
      write(awkward),
      async () => void (await copy()),
      write('and more\n'),
      () => {},
    );
    await copy();
    expect((await read('stdout')).equals(Buffer.concat([awkward, Buffer.from('and more\n')]))).toBe(true);
  });

  test('is continued by another attempt from where the stream ends', async () => {
    files.write('a', 'stdout', 'one\n');
    await follow(() => {});
    await follow(write('two\n'));
    expect(await eventsOf('stdout')).toBe(2);
  });

  test('ends after ten minutes in which nothing grew', async () => {
    files.write('a', 'stdout', 'one\n');
    let looks = 0;
    const stillRunning = Array.from({ length: 80 }, () => () => void (looks += 1));
    await follow(...stillRunning);
    // A look every ten seconds: the first brought something.
    expect(looks).toBe(61);
  });

  test('ends when it is cancelled', async () => {
    const context = activityContext();
    files.onList = () => context.cancel();
    files.running.add('a');
    const { followJobLogs } = activitiesWith(aws().clients.logs);
    await expect(runActivity(followJobLogs, request, context)).rejects.toThrow('CANCELLED');
  });
});

describe('reading page by page', () => {
  let reader: ReturnType<typeof createLogReader>;
  beforeAll(() => {
    reader = createLogReader(aws().clients.logs);
  });
  const page = async (kind: LogKind, pageToken?: string) => {
    const asked = { location: location(), campaignId, jobKey: 'a', kind, ...(pageToken && { pageToken }) };
    const answer = await reader.read(asked);
    if (!answer) throw new Error('nothing was written');
    return answer;
  };

  test('the pages of a long log are together the log', async () => {
    const long = Buffer.concat([awkward, awkward, awkward]);
    files.write('a', 'stdout', long);
    await copy();
    let next = await page('stdout');
    const pages = [next];
    while (!next.atEnd) pages.push((next = await page('stdout', next.nextPageToken)));
    expect(pages.length).toBeGreaterThan(2);
    expect(Buffer.concat(pages.map(({ content }) => content)).equals(long)).toBe(true);
  });

  test('the token of the end leads to what is written later, and to nothing else', async () => {
    files.write('a', 'stdout', 'one\n');
    await copy();
    const first = await page('stdout');
    expect(Buffer.from(first.content).toString()).toBe('one\n');
    const empty = await page('stdout', first.nextPageToken);
    expect(empty).toMatchObject({ content: Buffer.alloc(0), atEnd: true });
    files.write('a', 'stdout', 'one\ntwo\n');
    await copy();
    expect(Buffer.from((await page('stdout', empty.nextPageToken)).content).toString()).toBe('two\n');
  });

  test('a document comes again only when it has changed', async () => {
    await copy();
    const first = await page('info');
    expect((await page('info', first.nextPageToken)).content).toHaveLength(0);
    await copy([{ jobKey: 'a', view: { ...viewOf('a'), reason: 'Another.' } }]);
    expect(Buffer.from((await page('info', first.nextPageToken)).content).toString()).toContain('Another.');
  });

  test('a token that is not ours is refused', async () => {
    await copy();
    await expect(page('info', 'bm90IG91cnM')).rejects.toMatchObject({ type: 'InvalidRequest' });
  });

  test('a part that is missing is an error, never silence', async () => {
    const { logs } = aws().clients;
    await logs.send(new CreateLogStreamCommand(streamOf('stdout')));
    const messages = [
      encodePiece({ offset: 0, bytes: Buffer.from('one\n') }),
      encodePiece({ offset: 9, bytes: Buffer.from('three\n') }),
    ];
    const logEvents = messages.map((message, index) => ({ timestamp: Date.now() + index, message }));
    await logs.send(new PutLogEventsCommand({ ...streamOf('stdout'), logEvents }));
    await expect(page('stdout')).rejects.toMatchObject({ type: 'LogIncomplete', details: { gapAt: 4 } });
  });
});
