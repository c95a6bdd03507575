import { expect, it } from 'vitest';
import type { UsageSnapshot } from './usage.ts';
import { snapshotOf, usageFileOf, usageFileSchema } from './usage-file.ts';

const common = { cpus: 8, nodes: 1, startSeconds: 100, suspendedSeconds: 3 };
const snapshot: UsageSnapshot = {
  epoch: '1k2m9x0aab12cd',
  asOfSeconds: 200,
  records: [
    { ...common, jobId: '1', queue: 'debug', campaignId: 'a', endSeconds: 150 },
    { ...common, jobId: '3', queue: 'debug', campaignId: 'a' },
    { ...common, jobId: '7', queue: 'debug', campaignId: 'a', jobKey: 'sim-1', endSeconds: 150 },
    { ...common, jobId: '8', queue: 'debug', campaignId: 'a', jobKey: 'sim-2_4' },
    { ...common, jobId: '2', queue: 'debug', endSeconds: 150 },
    { ...common, jobId: '4', queue: 'debug', nodes: 3, nodeGroups: { 'debug-dy-t3': 3 }, endSeconds: 150 },
    { ...common, jobId: '5', queue: 'debug', nodeGroups: { 'debug-dy-t3': 1 }, endSeconds: 150 },
    {
      ...common,
      jobId: '6',
      queue: 'debug',
      nodes: 3,
      nodeGroups: { 'b-dy-x': 2, 'a-st-y': 1 },
      endSeconds: 150,
    },
  ],
  prices: {
    pricesAsOf: '2026-01-01',
    nodeGroups: { 'debug-dy-t3': { usdPerHour: 0.01, cpus: 2 }, 'a-st-y': {} },
  },
};

it('the stored form of usage gives it back', () => {
  const text = JSON.stringify(usageFileOf(snapshot, { final: true }));
  const file = usageFileSchema.parse(JSON.parse(text));
  expect(snapshotOf(file)).toEqual(snapshot);
  expect(file.final).toBe(true);
});

it('what releases before 0.3.0 stored, without nodes and prices, is read', () => {
  const file = {
    version: 1,
    epoch: snapshot.epoch,
    asOfSeconds: 200,
    final: true,
    groups: [{ queue: 'debug', allocations: [['1', 8, 1, 100, 150, 3]] }],
  };
  expect(snapshotOf(usageFileSchema.parse(file))).toEqual({
    epoch: snapshot.epoch,
    asOfSeconds: 200,
    records: [{ ...common, jobId: '1', queue: 'debug', endSeconds: 150 }],
  });
});

it('the stored form takes at most 64 bytes an allocation and its key, so that a week of jobs is some megabytes', () => {
  const records = Array.from({ length: 1000 }, (_, index) => ({
    ...common,
    jobId: String(90_000 + index),
    queue: 'debug',
    campaignId: 'mfrggzdfmztwq2lknnwg23tpou',
    jobKey: `sim_${index}`,
    startSeconds: 1_795_631_626,
    endSeconds: 1_795_635_226,
  }));
  expect(JSON.stringify(usageFileOf({ ...snapshot, records }, { final: true })).length).toBeLessThan(
    64 * 1000,
  );
});
