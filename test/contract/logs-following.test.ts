import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createLogReader } from '../../src/clients/log-reader.ts';
import { decodePiece } from '../../src/domain/log-events.ts';
import { activityContext, runActivity } from '../support/activity.ts';
import {
  activitiesWith,
  awkward,
  aws,
  campaignId,
  copy,
  eventsOf,
  files,
  location,
  logLimits,
  losingAnswer,
  read,
  report,
  request,
  setClock,
  viewOf,
} from '../support/log-rig.ts';

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
    setClock(() => started + seconds * 1000);
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

  test('copies once what there is, also a line without an end, when nothing runs any more', async () => {
    files.append('a', 'stdout', 'one\nlast words');
    files.running.add('a');
    const { followJobLogs } = activitiesWith(aws().clients.logs);
    const { copiedBytes } = await runActivity(followJobLogs, { ...request, isLast: true });
    expect(copiedBytes).toBe(14);
    await expectShown('one\nlast words')();
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
    const laterLooks = [() => {}, () => {}];
    await follow(write(long), ...laterLooks, async () => {
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

test('what a worker wrote whose clock was ahead stays before what the next one writes', async () => {
  files.write('a', 'stdout', Buffer.from('one\n'));
  setClock(() => Date.now() + 3_600_000);
  await copy();
  files.append('a', 'stdout', 'two\n');
  setClock(Date.now);
  await copy();
  const log = { location: location(), campaignId, jobKey: 'a', kind: 'stdout' } as const;
  const tail = await createLogReader(aws().clients.logs).tail(log);
  expect(tail?.events.map(({ message = '' }) => decodePiece(message).offset)).toEqual([0, 4]);
});

describe('what a job did to its own output is said at the job', () => {
  const started = [{ jobKey: 'a', view: { ...viewOf('a'), startedAt: '2026-01-15T12:00:00.000Z' } }];
  const problems = async () => (await report(started)).problems?.map(({ message }) => message).join();

  test('when it removed it', async () => {
    files.write('a', 'stderr', Buffer.from('there\n'));
    expect(await problems()).toContain('stdout was not copied, or not as a whole: it is not there any more');
  });

  test('when it cut it to less than what was copied before', async () => {
    for (const file of ['stdout', 'stderr'] as const) files.write('a', file, Buffer.from('a long line\n'));
    expect(await problems()).toBe('');
    files.write('a', 'stdout', Buffer.from('short\n'));
    expect(await problems()).toContain('it became shorter');
    expect((await read('stdout')).toString()).toBe('a long line\n');
  });
});

test('a follower that lags behind the final copy leaves the end of the log where readers look for it', async () => {
  const size = 30_000_000;
  const output = Buffer.alloc(size, `${'0123456789'.repeat(9)}\n`);
  output.write('the end\n', size - 8);
  files.write('a', 'stdout', output);
  files.running.add('a');
  let looks = 0;
  setClock(() => Date.now() + looks * 10_000);
  const listOutputs = files.listOutputs.bind(files);
  files.listOutputs = async () => {
    looks += 1;
    return listOutputs();
  };
  // The follower has read its second part when the job ends, and writes it when all is copied.
  const goOn = Promise.withResolvers<void>();
  const isHeld = Promise.withResolvers<void>();
  const readFiles = files.readFiles.bind(files);
  let reads = 0;
  files.readFiles = async (...args) => {
    const isSecond = ++reads === 2;
    const contents = await readFiles(...args);
    if (isSecond) {
      isHeld.resolve();
      await goOn.promise;
    }
    return contents;
  };
  const { followJobLogs, copyJobLogs } = activitiesWith(aws().clients.logs, {
    headBytes: 20_000_000,
    tailBytes: 15_000_000,
  });
  const following = runActivity(followJobLogs, request);
  await isHeld.promise;
  await runActivity(copyJobLogs, request);
  goOn.resolve();
  await following;
  const reader = createLogReader(aws().clients.logs);
  const log = { location: location(), campaignId, jobKey: 'a', kind: 'stdout' } as const;
  expect((await reader.tail(log))?.sizeBytes).toBe(size);
  for (const offset of [size - 8, size - 5_000_000, 9_000_000]) {
    const page = await reader.read({ ...log, offset });
    expect(page?.content.length).toBeGreaterThan(0);
    expect(
      output.subarray(offset, offset + (page?.content.length ?? 0)).equals(page?.content ?? Buffer.alloc(0)),
    ).toBe(true);
  }
});
