import { randomBytes } from 'node:crypto';
import {
  DescribeLogGroupsCommand,
  DescribeLogStreamsCommand,
  ListTagsForResourceCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import { describe, expect, test } from 'vitest';
import { createLogReader } from '../../src/clients/log-reader.ts';
import type { JobView } from '../../src/domain/campaign-view.ts';
import type { LogKind } from '../../src/domain/log-events.ts';
import { tenantTags } from '../../src/domain/resource-tags.ts';
import {
  awkward,
  aws,
  campaignId,
  copy,
  ensureLogGroup,
  eventsOf,
  files,
  location,
  losingAnswer,
  manyJobs,
  read,
  report,
  request,
  script,
  viewOf,
} from '../support/log-rig.ts';

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

  test('what is not a plain file is left out and named, and the rest is copied', async () => {
    files.link('a', 'stdout');
    files.write('a', 'stderr', 'err\n');
    const { problems } = await report();
    expect((await read('stdout')).toString()).toBe('');
    expect((await read('stderr')).toString()).toBe('err\n');
    expect(problems).toEqual([
      { jobKey: 'a', message: expect.stringContaining("The job's stdout was not copied") },
    ]);
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
