import { describe, expect, it } from 'vitest';
import { COLUMN_SEPARATOR as US } from './slurm-output.ts';
import { parseNodeCpus, parseQueueComments, parseUsage } from './usage-output.ts';

const campaignId = 'mfrggzdfmztwq2lknnwg23tpou';
const comment = `pcp/e1/${campaignId}/a`;

/** JobIDRaw JobID Submit Start End ElapsedRaw AllocCPUS AllocNodes Partition NodeList Comment; the nodes are the same everywhere. */
const line = (jobId: string | number, ...columns: (string | number)[]) => task(jobId, jobId, ...columns);
const task = (...columns: (string | number)[]) => `${columns.toSpliced(9, 0, HOSTS).join(US)}\n`;
const HOSTS = 'debug-dy-t3-[1-2]';

function parse(output: string, comments: ReadonlyMap<string, string> = new Map()) {
  return parseUsage(output, { epoch: 'e1', sinceSeconds: 1000, asOfSeconds: 2000, comments }).records;
}

describe('the allocations in what sacct prints', () => {
  it('have queue, campaign, processors, nodes and times', () => {
    expect(parse(line(7, 1100, 1200, 1300, 100, 16, 2, 'debug', comment))).toEqual([
      {
        jobId: '7',
        queue: 'debug',
        campaignId,
        jobKey: 'a',
        cpus: 16,
        nodes: 2,
        nodeGroups: { 'debug-dy-t3': 2 },
        startSeconds: 1200,
        endSeconds: 1300,
        suspendedSeconds: 0,
      },
    ]);
  });

  it('are those of tasks under the keys of these, also while they run', () => {
    const ended = task(8, '7_3', 1100, 1200, 1300, 100, 16, 2, 'debug', comment);
    const live = task(7, '7_12', 1100, 1200, 'Unknown', 800, 16, 2, 'debug', '');
    expect(parse(ended + live, new Map([['7', comment]]))).toMatchObject([
      { jobId: '8', campaignId, jobKey: 'a_3' },
      { jobId: '7', campaignId, jobKey: 'a_12' },
    ]);
  });

  it('have no nodes by name where Slurm names none', () => {
    const output = line(7, 1100, 1200, 1300, 100, 16, 2, 'debug', comment).replace(HOSTS, 'None assigned');
    expect(parse(output)[0]).not.toHaveProperty('nodeGroups');
  });

  it('were suspended as long as their elapsed time is shorter than their time', () => {
    expect(parse(line(7, 1100, 1200, 1300, 60, 16, 2, 'debug', ''))).toMatchObject([
      { suspendedSeconds: 40 },
    ]);
    expect(parse(line(7, 1100, 1200, 'Unknown', 790, 16, 2, 'debug', ''))).toMatchObject([
      { suspendedSeconds: 10 },
    ]);
    // Its elapsed time was looked at a second after the clock.
    expect(parse(line(7, 1100, 1200, 'Unknown', 801, 16, 2, 'debug', ''))).toMatchObject([
      { suspendedSeconds: 0 },
    ]);
  });

  it('are of the campaign that the queue names as long as they run', () => {
    const output = line(7, 1100, 1200, 'Unknown', 800, 16, 2, 'debug', '');
    expect(parse(output, new Map([['7', comment]]))).toMatchObject([{ campaignId }]);
    expect(parse(output)[0]).not.toHaveProperty('campaignId');
  });

  it('are of no campaign when they are a smoke test, somebody else’s, or say another epoch', () => {
    const comments = ['pcp/e1/readiness/smoke-1', 'mine', `pcp/e2/${campaignId}/a`];
    const records = parse(
      comments.map((text, index) => line(index, 1100, 1200, 1300, 100, 1, 1, 'debug', text)).join(''),
    );
    expect(records).toHaveLength(3);
    expect(records.filter((record) => 'campaignId' in record || 'jobKey' in record)).toEqual([]);
  });

  it('leave out jobs that never started, had no node or are of an earlier epoch', () => {
    const output = [
      line(1, 1100, 'Unknown', 'Unknown', 0, 0, 0, 'debug', ''),
      line(2, 1100, 1200, 1200, 0, 0, 0, 'debug', ''),
      line(3, 999, 1200, 1300, 100, 1, 1, 'debug', ''),
    ];
    expect(parse(output.join(''))).toEqual([]);
  });

  it('are told once although sacct repeats one, and for each run of a requeued job', () => {
    const first = line(2, 1100, 1200, 1300, 100, 16, 2, 'debug', comment);
    const second = line(2, 1300, 1310, 1400, 90, 16, 2, 'debug', comment);
    expect(parse(first + first + second)).toHaveLength(2);
  });

  it('are told without records that cannot be read, and how many these are', () => {
    const context = {
      epoch: 'e1',
      sinceSeconds: 1000,
      asOfSeconds: 2000,
      comments: new Map<string, string>(),
    };
    const output =
      line(1, 1100, 'yesterday 9', 1300, 100, 1, 1, 'debug', '') +
      line(2, 1100, 1200, 1300, 100, 1, 1, 'debug', '');
    expect(parseUsage(output, context)).toMatchObject({ records: [{ jobId: '2' }], unreadable: 1 });
  });

  it('cannot be read from something else', () => {
    expect(() => parse('sacct: error: nothing\n')).toThrow(
      '1 columns instead of 11: "sacct: error: nothing"',
    );
    expect(parse('')).toEqual([]);
  });
});

it('comments of the queue are told by job', () => {
  expect([...parseQueueComments(`7${US}${comment}\n9${US}(null)\n`)]).toEqual([
    ['7', comment],
    ['9', '(null)'],
  ]);
});

it('nodes have as many processors as sinfo says, whatever queues they are in', () => {
  const output = ['a-dy-x-1', 'a-dy-x-1', 'a-dy-x-2', 'b-st-y-1'].map((name) => `${name}${US}8\n`);
  expect(parseNodeCpus(output.join(''))).toEqual({ 'a-dy-x': 8, 'b-st-y': 8 });
});
