import { Worker } from '@temporalio/worker';
import { describe, expect, inject, it } from 'vitest';
import { readRecordedHistories } from '../support/recorded-histories.ts';

const recorded = await readRecordedHistories();

describe('a history recorded by a release', () => {
  it('exists for every workflow', () => {
    const types = new Set(recorded.map(({ name }) => name.split('/')[0]));
    expect(types).toEqual(new Set(['campaign', 'cluster', 'subnetPool']));
  });

  it.each(recorded)('replays on the present code: $name', async ({ history }) => {
    const workflowBundle = { codePath: inject('workflowBundlePath') };
    await expect(Worker.runReplayHistory({ workflowBundle }, history)).resolves.toBeUndefined();
  });
});
