import { describe, expect, it } from 'vitest';
import {
  COLUMN_SEPARATOR,
  parseJobs,
  parsePartitions,
  parsePing,
  parseState,
  SlurmOutputError,
} from './slurm-output.ts';
import { classifyActivity } from './job-state.ts';
import { slurmBaseStates, slurmStateFlags } from './slurm-states.ts';

const columns = {
  id: '7',
  arrayId: '7',
  state: 'RUNNING',
  exit: '0:0',
  reason: 'None',
  submit: '1795373049',
  start: '1795373050',
  end: 'N/A',
  nodes: 'n[1-2]',
  restarts: '0',
  partition: 'main',
  user: 'sim',
  name: 'a name',
  comment: 'pcp/e/c/k',
};

function jobLine(changes: Partial<typeof columns> = {}): string {
  return `${Object.values({ ...columns, ...changes }).join(COLUMN_SEPARATOR)}\n`;
}

describe('states', () => {
  it.each(slurmBaseStates)('%s is read as itself', (state) => {
    expect(parseState(state)).toEqual({ state, flags: [] });
  });

  it.each(slurmStateFlags)('%s alone is read as a flag with the base state that it implies', (flag) => {
    const { state, flags } = parseState(flag);
    expect(flags).toEqual([flag]);
    expect(slurmBaseStates).toContain(state);
  });

  it('CANCELLED by somebody is CANCELLED', () => {
    expect(parseState('CANCELLED by 1001')).toEqual({ state: 'CANCELLED', flags: [] });
  });

  it('several words are a base state and its flags', () => {
    expect(parseState('RUNNING,CONFIGURING,POWER_UP_NODE')).toEqual({
      state: 'RUNNING',
      flags: ['CONFIGURING', 'POWER_UP_NODE'],
    });
    expect(parseState('NODE_FAIL+COMPLETING')).toEqual({ state: 'NODE_FAIL', flags: ['COMPLETING'] });
  });

  it.each(['', 'HIBERNATING', 'COMPLETED+HIBERNATING', 'completed'])(
    '%j is not known, so never an end',
    (text) => {
      expect(parseState(text).state).toBeUndefined();
    },
  );
});

describe('squeue', () => {
  it('is read column by column', () => {
    expect(parseJobs(jobLine(), 'queue')).toEqual([
      {
        jobId: '7',
        comment: 'pcp/e/c/k',
        user: 'sim',
        name: 'a name',
        partition: 'main',
        state: 'RUNNING',
        flags: [],
        reason: '',
        submitTime: 1_795_373_049,
        startTime: 1_795_373_050,
        nodes: 'n[1-2]',
        restarts: 0,
        source: 'queue',
      },
    ]);
  });

  it('tells no start before the start and no end or exit code before the end', () => {
    const [pending] = parseJobs(jobLine({ state: 'PENDING', end: '1795379999' }), 'queue');
    expect(pending).not.toHaveProperty('startTime');
    const [running] = parseJobs(jobLine({ end: '1795379999' }), 'queue');
    expect(running).not.toHaveProperty('endTime');
    expect(running).not.toHaveProperty('exitCode');
  });

  it('reads a job without comment and nodes', () => {
    const [job] = parseJobs(
      jobLine({ state: 'PENDING', start: 'N/A', nodes: '', comment: '(null)' }),
      'queue',
    );
    expect(job).toMatchObject({ jobId: '7', comment: '', nodes: '' });
  });

  it('names a task of an array by the array and its index, and reads a record of several as that of each', () => {
    const facts = parseJobs(
      jobLine({ arrayId: '7_[0-2,9%2]', state: 'PENDING', start: 'N/A', nodes: '' }) +
        jobLine({ id: '11', arrayId: '7_4', state: 'RUNNING' }),
      'queue',
    );
    expect(facts.map(({ jobId, arrayTaskId, state }) => [jobId, arrayTaskId, state])).toEqual([
      ['7_4', 4, 'RUNNING'],
      ['7_0', 0, 'PENDING'],
      ['7_1', 1, 'PENDING'],
      ['7_2', 2, 'PENDING'],
      ['7_9', 9, 'PENDING'],
    ]);
  });

  it('takes a list of indexes that is cut off for one job of an unknown state and of nobody’s campaign', () => {
    const cut = jobLine({ arrayId: '7_[0,2,4,...%2]', state: 'PENDING', start: 'N/A', nodes: '' });
    expect(parseJobs(cut + jobLine({ id: '8', arrayId: '8' }), 'queue')).toMatchObject([
      { jobId: '8', state: 'RUNNING' },
      {
        jobId: '7_[0,2,4,...%2]',
        state: undefined,
        comment: '',
        unreadable: expect.stringContaining('tasks'),
      },
    ]);
  });

  it('of an empty queue is no job', () => {
    expect(parseJobs('', 'queue')).toEqual([]);
    expect(parseJobs('\n', 'queue')).toEqual([]);
  });
});

describe('sacct', () => {
  it('tells how a job ended', () => {
    const ended = jobLine({ state: 'FAILED', exit: '3:0', end: '1795373060' });
    const killed = jobLine({ state: 'FAILED', exit: '0:11', end: '1795373060' });
    const [exited, signalled] = parseJobs(ended + killed, 'accounting');
    expect(exited).toMatchObject({
      state: 'FAILED',
      exitCode: 3,
      endTime: 1_795_373_060,
      source: 'accounting',
    });
    expect(exited).not.toHaveProperty('signal');
    expect(signalled).toMatchObject({ exitCode: 0, signal: 11 });
  });

  it('tells the end of tasks that were cancelled together, and leaves out those that wait together', () => {
    const cancelled = jobLine({ arrayId: '7_[1-2%1]', state: 'CANCELLED by 1500', start: 'None' });
    const waiting = jobLine({ arrayId: '8_[0-9999]', state: 'PENDING', start: 'Unknown', end: 'Unknown' });
    const facts = parseJobs(cancelled + waiting, 'accounting');
    expect(facts.map(({ jobId, state, cancelledBy }) => [jobId, state, cancelledBy])).toEqual([
      ['7_1', 'CANCELLED', 1500],
      ['7_2', 'CANCELLED', 1500],
    ]);
  });

  it('reads its own words for nothing', () => {
    const text = jobLine({
      state: 'PENDING',
      start: 'Unknown',
      end: 'Unknown',
      nodes: 'None assigned',
      comment: '',
    });
    expect(parseJobs(text, 'accounting')[0]).toMatchObject({ nodes: '', reason: '', comment: '' });
  });
});

describe('a record that cannot be read', () => {
  it.each([
    ['an exit code in words', { exit: 'zero' }],
    ['a time in words', { submit: 'yesterday' }],
    ['a time as a date', { start: '2026-11-22T17:12:43' }],
    ['a negative count', { restarts: '-1' }],
  ])('costs itself only, and is a job that may run: %s', (_what, changes) => {
    const facts = parseJobs(jobLine(changes) + jobLine({ id: '8', arrayId: '8' }), 'queue');
    expect(facts).toMatchObject([
      { jobId: '7', state: undefined, name: 'a name', comment: 'pcp/e/c/k', unreadable: expect.any(String) },
      { jobId: '8', state: 'RUNNING' },
    ]);
    expect(classifyActivity(facts, 0)).toMatchObject({ running: 2, pending: 0, unreadable: 1 });
  });
});

describe('malformed output fails instead of being read as few or no jobs', () => {
  it.each([
    ['an error message', 'slurm_load_jobs error: Unable to contact slurm controller\n'],
    ['a header', 'JOBID STATE\n'],
    ['a line that is cut off', jobLine().slice(0, 60)],
    ['a line with a column too many', jobLine({ comment: `a${COLUMN_SEPARATOR}b` })],
  ])('%s', (_what, output) => {
    expect(() => parseJobs(output, 'queue')).toThrow(SlurmOutputError);
  });

  it('of sinfo and scontrol too', () => {
    expect(() => parsePartitions('PARTITION AVAIL\n')).toThrow(SlurmOutputError);
    expect(() => parsePing('')).toThrow(SlurmOutputError);
  });
});

describe('health', () => {
  it('is up when one controller is', () => {
    expect(parsePing('Slurmctld(primary) at ip-10-0-0-1 is UP\n')).toBe(true);
    expect(parsePing('Slurmctld(primary) at a is DOWN\nSlurmctld(backup1) at b is UP\n')).toBe(true);
    expect(parsePing('Slurmctld(primary) at ip-10-0-0-1 is DOWN\n')).toBe(false);
  });

  it('lists partitions', () => {
    const output = ['main', 'up', '2'].join(COLUMN_SEPARATOR);
    expect(parsePartitions(`${output}\n`)).toEqual([{ name: 'main', availability: 'up', nodes: 2 }]);
  });
});
