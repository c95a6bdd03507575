import { Worker } from '@temporalio/worker';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { readRecordedHistories, type RecordedHistory } from '../support/recorded-histories.ts';

const recorded = await readRecordedHistories();
/** Those that live long enough to continue as new. */
const entities = new Set(['campaign', 'cluster', 'subnetPool']);
const workflowTypes = new Set([...entities, 'refreshPrices']);

/** The run before this one in its file's name; undefined if it says that it is the first. */
function predecessor({ name }: RecordedHistory): RecordedHistory | undefined {
  const run = Number(/-(\d+)\.json$/.exec(name)?.[1]);
  const previous = name.replace(/-\d+\.json$/, `-${run - 1}.json`);
  return recorded.find((other) => other.name === previous);
}

/** What was wrong with a replay, by the name of its history. */
const outcomes = new Map<string, Error | undefined>();

// All by one worker: making one takes longer than a replay.
beforeAll(async () => {
  const workflowBundle = { codePath: inject('workflowBundlePath') };
  const histories = recorded.map(({ name, history }) => ({ workflowId: name, history }));
  for await (const { workflowId, error } of Worker.runReplayHistories({ workflowBundle }, histories)) {
    outcomes.set(workflowId, error);
  }
});

describe('a history recorded by a release', () => {
  it('exists for every workflow, and of each entity there is one that continued as new', () => {
    const typeOf = ({ name }: RecordedHistory) => name.split('/')[0];
    expect(new Set(recorded.map(typeOf))).toEqual(workflowTypes);
    const continued = recorded.filter(({ continuesRunId }) => continuesRunId !== undefined);
    expect(new Set(continued.map(typeOf))).toEqual(entities);
  });

  it.each(recorded)('is numbered as the run that it is: $name', (history) => {
    const previous = predecessor(history);
    expect(history.continuesRunId).toBe(previous?.runId);
    expect(history.name).toMatch(previous ? /-\d+\.json$/ : /-1\.json$/);
  });

  it.each(recorded)('replays on the present code: $name', ({ name }) => {
    expect([...outcomes.keys()]).toContain(name);
    expect(outcomes.get(name)).toBeUndefined();
  });
});
