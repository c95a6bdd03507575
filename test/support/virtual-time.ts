import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject } from 'vitest';
import { recordHistories } from './recorded-histories.ts';
import { type MadeHistory, replay } from './replay.ts';
import { startTimeSkipping, stopTimeSkipping } from './time-skipping.ts';
import { type RigOptions, WorkflowRig } from './workflow-rig.ts';

export interface TestOptions extends Omit<RigOptions, 'bundlePath'> {
  /** Name of a scenario whose histories are kept, for later releases to replay, when histories are recorded. */
  readonly recordAs?: string;
}

/** Runs the body of a test beside a worker. */
export type RunTest = (options: TestOptions, body: (rig: WorkflowRig) => Promise<void>) => Promise<void>;

/**
 * Gives the tests of one file a time-skipping Temporal. At its end every workflow that they started is replayed from its
 * history, over all its continued runs: what the present code cannot replay fails the file.
 *
 * @param options.serverFor one Temporal for all tests, or one for each (slower).
 */
export function inVirtualTime(options: { readonly serverFor: 'file' | 'test' }): RunTest {
  const perTest = options.serverFor === 'test';
  let env: TestWorkflowEnvironment | undefined;
  (perTest ? beforeEach : beforeAll)(async () => {
    env = await startTimeSkipping();
  });
  (perTest ? afterEach : afterAll)(async () => {
    if (env) await stopTimeSkipping(env);
    env = undefined;
  });

  const made: MadeHistory[] = [];
  // One worker for all, because making one takes longer than most replays.
  afterAll(async () => replay(made, inject('workflowBundlePath')));

  return async ({ recordAs, ...rigOptions }, body) => {
    if (!env) throw new Error('no Temporal runs');
    const bundlePath = inject('workflowBundlePath');
    const histories = await WorkflowRig.run(env, { ...rigOptions, bundlePath }, body);
    const madeBy = expect.getState().currentTestName ?? 'a test';
    made.push(...histories.map((history) => ({ ...history, madeBy })));
    if (recordAs && inject('recordHistories')) await recordHistories(recordAs, histories);
  };
}
