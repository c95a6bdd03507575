import { describe, expect, it } from 'vitest';
import { sacctColumns, sinfoColumns, squeueColumns } from '../domain/slurm-output.ts';
import { answerOf, remoteCommand } from './remote-programs.ts';
import {
  decodeCancellation,
  decodeControl,
  decodeFileParts,
  decodeObservation,
  decodePing,
  decodeSessions,
  encodeControl,
} from './slurm-protocol.ts';

const RS = '\u001E';
const US = '\u001F';

const unavailable = expect.objectContaining({ type: 'SlurmUnavailable' }) as unknown;

function failureOf(decode: () => unknown): unknown {
  try {
    return decode();
  } catch (error) {
    return error;
  }
}

describe('an observation', () => {
  const whole = `sessions 1\n${RS}queue\n${RS}queue ok\n${RS}accounting\n${RS}accounting ok\n${RS}done\n`;

  it('is no jobs when both parts are whole and empty', () => {
    expect(decodeObservation(whole, true)).toEqual({ facts: [], interactiveSessions: 1, more: false });
  });

  it('is a failure wherever it was cut off', () => {
    for (let length = 0; length < whole.length - 1; length++) {
      expect(failureOf(() => decodeObservation(whole.slice(0, length), true))).toEqual(unavailable);
    }
  });

  it('is a failure when a program failed, with its message', () => {
    const answer = `sessions 0\n${RS}queue\n${RS}failed squeue: Unable to contact slurm controller\n`;
    expect(() => decodeObservation(answer, true)).toThrow('squeue: Unable to contact slurm controller');
  });

  it('is a failure without the accounting that was asked for', () => {
    const answer = `sessions 0\n${RS}queue\n${RS}queue ok\n${RS}done\n`;
    expect(failureOf(() => decodeObservation(answer, true))).toEqual(unavailable);
    expect(decodeObservation(answer, false).facts).toEqual([]);
  });

  it('is a failure when a line is no job', () => {
    const answer = `sessions 0\n${RS}queue\nslurm_load_jobs error\n${RS}queue ok\n${RS}done\n`;
    expect(failureOf(() => decodeObservation(answer, false))).toEqual(unavailable);
  });
});

describe('a count of sessions', () => {
  const whole = `sessions 2\n${RS}done\n`;

  it('stands before the end of the answer, or is unknown', () => {
    expect(decodeSessions(whole)).toBe(2);
    expect(decodeSessions(`sessions unknown\n${RS}done\n`)).toBeUndefined();
  });

  it('is a failure wherever it was cut off', () => {
    for (let length = 0; length < whole.length - 1; length++) {
      expect(failureOf(() => decodeSessions(whole.slice(0, length)))).toEqual(unavailable);
    }
  });
});

describe('health', () => {
  const answer = (ping: string, flags: string) =>
    [
      `${RS}ping`,
      ping,
      `${RS}ping ok`,
      `${RS}partitions`,
      `main${US}up${US}2`,
      `${RS}partitions ok`,
      `${RS}settings`,
      `AccountingStoreFlags    = ${flags}`,
      `${RS}settings ok`,
      `${RS}done`,
      '',
    ].join('\n');

  it('tells partitions and whether comments are kept', () => {
    expect(decodePing(answer('Slurmctld(primary) at h is UP', 'job_env,job_comment'))).toEqual({
      partitions: [{ name: 'main', availability: 'up', nodes: 2 }],
      storesComments: true,
    });
    expect(decodePing(answer('Slurmctld(primary) at h is UP', '(null)')).storesComments).toBe(false);
  });

  it('is a failure when no controller is up', () => {
    expect(failureOf(() => decodePing(answer('Slurmctld(primary) at h is DOWN', '')))).toEqual(unavailable);
  });
});

describe('a cancellation', () => {
  it('says how many jobs remain, or fails', () => {
    expect(decodeCancellation('remaining 3\n')).toEqual({ remaining: 3 });
    expect(failureOf(() => decodeCancellation('unavailable squeue: down\n'))).toMatchObject({
      message: 'squeue: down',
    });
    expect(failureOf(() => decodeCancellation(''))).toEqual(unavailable);
  });
});

describe('an action at jobs', () => {
  const jobs = [
    { jobKey: 'a', restarts: 0 },
    { jobKey: 'b_7', restarts: 2 },
  ];

  it.each([
    [{ kind: 'hold' }, 'hold -'],
    [{ kind: 'requeue' }, 'requeue -'],
    [{ kind: 'nice', nice: -5 }, 'nice -5'],
    // Whole minutes, and never less than was asked for: 0 would be no limit at all.
    [{ kind: 'time-limit', timeLimitSeconds: 1 }, 'time-limit 1'],
    [{ kind: 'time-limit', timeLimitSeconds: 60 }, 'time-limit 1'],
    [{ kind: 'time-limit', timeLimitSeconds: 61 }, 'time-limit 2'],
  ] as const)('is told in a line, and then each job: %j', (action, words) => {
    const told = encodeControl('e1', { campaignId: 'c1', action, jobs });
    expect(told).toBe(`pcp/e1/c1/ ${words} 2\na 0\nb_7 2\n`);
  });

  it('was decided at each job, or failed', () => {
    const control = { campaignId: 'c1', action: { kind: 'hold' }, jobs } as const;
    expect(decodeControl('done a\nrefused b_7 It  runs\nend\n', control)).toEqual([
      { jobKey: 'a', status: 'done' },
      { jobKey: 'b_7', status: 'refused', message: 'It  runs' },
    ]);
    for (const cut of ['done a\nabsent b_7\n', 'done a\nend\n', 'unavailable no controller\n'])
      expect(failureOf(() => decodeControl(cut, control))).toEqual(unavailable);
  });
});

describe('parts of files', () => {
  it('may hold any byte, also those of the protocol', () => {
    const data = Buffer.from('ok 1 1\ndone\n\u0000\u00FF', 'latin1');
    const answer = Buffer.concat([
      Buffer.from(`ok 90 ${data.length}\n`),
      data,
      Buffer.from(`\n${data.length}\nabsent\nrefused\ndone\n`),
    ]);
    expect(decodeFileParts(answer, 3)).toEqual([
      { status: 'ok', sizeBytes: 90, data },
      { status: 'absent' },
      { status: 'refused' },
    ]);
  });

  it('come in several answers when they are large', () => {
    expect(decodeFileParts(Buffer.from('ok 2 2\nab\n2\ndone\n'), 2)).toHaveLength(1);
    expect(() => decodeFileParts(Buffer.from('done\n'), 2)).toThrow('Reading files');
    expect(() => decodeFileParts(Buffer.from('absent\nabsent\ndone\n'), 1)).toThrow('Reading files');
  });

  it('are as short as the file has become while it was read', () => {
    expect(decodeFileParts(Buffer.from('ok 4 4\nab\0\0\n2\ndone\n'), 1)).toEqual([
      { status: 'ok', sizeBytes: 4, data: Buffer.from('ab') },
    ]);
  });

  it('are a failure when the answer is not whole', () => {
    const whole = 'ok 4 4\nabcd\n4\ndone\n';
    for (let length = 0; length < whole.length; length++) {
      expect(() => decodeFileParts(Buffer.from(whole.slice(0, length)), 1)).toThrow('Reading files');
    }
  });
});

it('what a profile prints before the answer is left out', () => {
  expect(answerOf(Buffer.from('Welcome!\npcp-answer\nremaining 0\n'))?.toString()).toBe('remaining 0\n');
  expect(answerOf(Buffer.from('Welcome!\n'))).toBeUndefined();
});

it('the programs ask for the columns that the parsers expect', () => {
  expect(remoteCommand('observe')).toContain(`\n  ${squeueColumns.join(',')} `);
  expect(remoteCommand('observe')).toContain(`columns=${sacctColumns.join(',')}`);
  expect(remoteCommand('ping')).toContain(`in_columns ${sinfoColumns.join(',')} `);
});
