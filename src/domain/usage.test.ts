import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  mergeUsage,
  reportCampaignUsage,
  reportUsage,
  type UsageRecord,
  type UsageSnapshot,
} from './usage.ts';

const HOUR = { fromSeconds: 3600, toSeconds: 7200 };

function record(own: Partial<UsageRecord> = {}): UsageRecord {
  return {
    jobId: '1',
    queue: 'debug',
    cpus: 4,
    nodes: 2,
    startSeconds: 4000,
    endSeconds: 4100,
    suspendedSeconds: 0,
    ...own,
  };
}

function running(own: Partial<UsageRecord> = {}): UsageRecord {
  const { jobId, queue, cpus, nodes, startSeconds, suspendedSeconds } = record(own);
  return { jobId, queue, cpus, nodes, startSeconds, suspendedSeconds };
}

function snapshot(...records: UsageRecord[]): UsageSnapshot {
  return { epoch: 'e1', asOfSeconds: 5000, records };
}

const totalOf = (...records: UsageRecord[]) => reportUsage([snapshot(...records)], HOUR).total;

describe('usage', () => {
  it('is allocated processors and nodes by time', () => {
    expect(totalOf(record())).toMatchObject({ cpuSeconds: 400, nodeSeconds: 200, allocations: 1 });
  });

  it('counts the part of an allocation that lies in the range', () => {
    expect(totalOf(record({ startSeconds: 3500, endSeconds: 3700 })).cpuSeconds).toBe(400);
    expect(totalOf(record({ startSeconds: 7100, endSeconds: 7300 })).cpuSeconds).toBe(400);
    expect(totalOf(record({ startSeconds: 0, endSeconds: 10_000 })).cpuSeconds).toBe(4 * 3600);
  });

  it('has no part of an allocation that only touches the range', () => {
    expect(totalOf(record({ startSeconds: 3000, endSeconds: 3600 })).allocations).toBe(0);
    expect(totalOf(record({ startSeconds: 7200, endSeconds: 7300 })).allocations).toBe(0);
  });

  it('counts what runs up to the moment at which accounting was asked', () => {
    expect(totalOf(running()).cpuSeconds).toBe(4 * 1000);
    expect(totalOf(running({ startSeconds: 5001 })).allocations).toBe(0);
  });

  it('counts a job that took less than a second, which used nothing that Slurm counts', () => {
    const moment = { startSeconds: 4000, endSeconds: 4000 };
    expect(totalOf(record(moment))).toMatchObject({ cpuSeconds: 0, nodeSeconds: 0, allocations: 1 });
    expect(totalOf(record({ startSeconds: 7200, endSeconds: 7200 })).allocations).toBe(0);
  });

  it('of a suspended job is nodes without processors, as for sreport', () => {
    expect(totalOf(record({ suspendedSeconds: 30 }))).toMatchObject({ cpuSeconds: 280, nodeSeconds: 200 });
    expect(totalOf(record({ suspendedSeconds: 200 })).cpuSeconds).toBe(0);
  });

  it('shares suspended time out evenly where an allocation reaches out of the range', () => {
    const half = record({ startSeconds: 3500, endSeconds: 3700, suspendedSeconds: 50 });
    expect(totalOf(half).cpuSeconds).toBe(4 * 75);
  });

  it('counts each run of a requeued job, and each job that had the same id', () => {
    const again = record({ startSeconds: 4200, endSeconds: 4300 });
    expect(totalOf(record(), again)).toMatchObject({ cpuSeconds: 800, allocations: 2 });
  });

  it('counts what is reported twice once, believing that it has ended', () => {
    expect(totalOf(record(), record())).toMatchObject({ cpuSeconds: 400, allocations: 1 });
    expect(totalOf(record(), running())).toMatchObject({ cpuSeconds: 400, allocations: 1 });
    expect(totalOf(running(), record())).toMatchObject({ cpuSeconds: 400, allocations: 1 });
  });

  it('counts the same id in two epochs as two jobs', () => {
    const { total } = reportUsage([snapshot(record()), { ...snapshot(record()), epoch: 'e2' }], HOUR);
    expect(total).toMatchObject({ cpuSeconds: 800, allocations: 2 });
  });

  it('is told by queue, and by campaign with the largest first and the rest without a name', () => {
    const { perQueue, perCampaign } = reportUsage(
      [
        snapshot(
          record({ jobId: '1', queue: 'mpi', campaignId: 'small' }),
          record({ jobId: '2', queue: 'debug', cpus: 40, campaignId: 'large' }),
          record({ jobId: '3', queue: 'mpi' }),
        ),
      ],
      HOUR,
    );
    expect(perQueue.map(({ queue, cpuSeconds }) => [queue, cpuSeconds])).toEqual([
      ['debug', 4000],
      ['mpi', 800],
    ]);
    expect(perCampaign.map(({ campaignId, cpuSeconds }) => [campaignId, cpuSeconds])).toEqual([
      ['large', 4000],
      [undefined, 400],
      ['small', 400],
    ]);
  });

  it('of a range is that of its parts together, wherever it is cut', () => {
    const arbitrary = fc.record({
      jobId: fc.nat({ max: 50 }).map(String),
      queue: fc.constantFrom('a', 'b'),
      cpus: fc.integer({ min: 1, max: 192 }),
      nodes: fc.integer({ min: 1, max: 20 }),
      startSeconds: fc.nat({ max: 10_000 }),
      endSeconds: fc.nat({ max: 10_000 }),
      suspendedSeconds: fc.constant(0),
    });
    fc.assert(
      fc.property(fc.array(arbitrary), fc.nat({ max: 10_000 }), (records, cutSeconds) => {
        const sumOf = (fromSeconds: number, toSeconds: number) =>
          reportUsage([snapshot(...records)], { fromSeconds, toSeconds }).total.cpuSeconds;
        expect(sumOf(0, cutSeconds) + sumOf(cutSeconds, 10_000)).toBe(sumOf(0, 10_000));
      }),
    );
  });
});

describe('what is known after accounting was asked again', () => {
  it('keeps what accounting has purged', () => {
    expect(mergeUsage([record()], [record({ jobId: '2' })]).map(({ jobId }) => jobId)).toEqual(['1', '2']);
  });

  it('takes the end of what ran', () => {
    expect(mergeUsage([running()], [record()])).toEqual([record()]);
  });

  it('drops what ran and is not known any more: slurmctld has lost it', () => {
    expect(mergeUsage([running()], [])).toEqual([]);
  });
});

describe('the usage of a campaign', () => {
  const ofJob = (jobKey: string, own: Partial<UsageRecord> = {}) =>
    record({ campaignId: 'a', jobKey, nodes: 1, nodeGroups: { 'debug-dy-t3': 1 }, ...own });
  const prices = { nodeGroups: { 'debug-dy-t3': { usdPerHour: 36, cpus: 4 } } };
  const report = (...records: UsageRecord[]) => reportCampaignUsage({ ...snapshot(...records), prices }, 'a');

  it('is told by job, all runs of a requeued one together, whenever they were', () => {
    const { total, perJob } = report(
      ofJob('b'),
      ofJob('a_2', { jobId: '2' }),
      ofJob('b', { startSeconds: 10, endSeconds: 20 }),
      ofJob('c', { campaignId: 'other', jobId: '3' }),
    );
    expect(perJob).toEqual([
      { jobKey: 'a_2', cpuSeconds: 400, nodeSeconds: 100, allocations: 1, costUsd: 1 },
      { jobKey: 'b', cpuSeconds: 440, nodeSeconds: 110, allocations: 2, costUsd: 1.1 },
    ]);
    expect(total).toMatchObject({ cpuSeconds: 840, allocations: 3, costUsd: 2.1 });
  });

  it('has what nobody recorded a key of under none, and what has no price in no cost', () => {
    const { jobKey: _jobKey, nodeGroups: _nodeGroups, ...old } = ofJob('b');
    expect(report(old, ofJob('a', { jobId: '2' })).perJob).toMatchObject([
      { allocations: 1, unpricedAllocations: 1 },
      { jobKey: 'a', costUsd: 1 },
    ]);
  });

  it('is nothing before one of its jobs has started', () => {
    expect(report()).toEqual({
      total: { cpuSeconds: 0, nodeSeconds: 0, allocations: 0, costUsd: 0 },
      perJob: [],
    });
  });
});
