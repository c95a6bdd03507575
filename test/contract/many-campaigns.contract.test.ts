import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TemporalServer } from '../../src/dev/temporal-server.ts';
import { registerSearchAttributes } from '../../src/runtime/search-attributes.ts';
import { type MadeHistory, replay } from '../support/replay.ts';
import { atScale } from '../support/scale.ts';
import { startTemporal } from '../support/temporal.ts';
import { prepareWorkflowTests } from '../support/workflow-globals.ts';
import { WorkflowRig } from '../support/workflow-rig.ts';

/*
 * The real workflows on a real Temporal, with a world in memory. Not on the time-skipping server, which sorts updates that
 * meet signals otherwise than it writes down: see `acceptAll` in test/workflows/many-campaigns.test.ts.
 */
const campaignCount = atScale(30, 200);
/** Temporal takes so many unanswered updates of one run; the API asks again for what is above. */
const AT_ONCE = 10;
const JOBS = ['a', 'b', 'c'];
/** Of the cluster, so that it continues as new while campaigns arrive. */
const HISTORY_EVENT_LIMIT = 300;

/** Temporal's limit for one payload is 2 MB; the whole state of a cluster is one. */
const MAX_STATE_BYTES_PER_CAMPAIGN = 1000;

let temporal: TemporalServer;
let env: TestWorkflowEnvironment;
let bundle: Awaited<ReturnType<typeof prepareWorkflowTests>>;

/** An id of letters, as campaigns have them. */
const idOf = (index: number) =>
  [Math.floor(index / 26), index % 26]
    .map((letter) => String.fromCodePoint(97 + letter))
    .join('')
    .padEnd(26, 'x');

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  temporal = await startTemporal();
  env = await TestWorkflowEnvironment.createFromExistingServer({ address: temporal.address });
  await registerSearchAttributes(env.connection, 'default');
  bundle = await prepareWorkflowTests();
});

afterAll(async () => {
  await bundle?.close();
  await env?.teardown();
  await temporal?.close();
});

describe(`${campaignCount} campaigns that arrive ${AT_ONCE} at a time`, () => {
  it('all end, each job handed over once, and every history of them and of their cluster replays', async () => {
    const { bundlePath } = bundle.places;
    const policy = { busyTickSeconds: 2, historyEventLimit: HISTORY_EVENT_LIMIT };
    const histories = await WorkflowRig.run(env, { bundlePath, policy }, async (rig) => {
      const tenant = rig.tenant('together');
      rig.world.jobDurationSeconds = 5;
      const spec = rig.spec();
      const ids = Array.from({ length: campaignCount }, (_, index) => idOf(index));
      const keysOf = (id: string) => JOBS.map((job) => `${id}-${job}`);
      for (let first = 0; first < ids.length; first += AT_ONCE) {
        const together = ids.slice(first, first + AT_ONCE);
        await Promise.all(together.map(async (id) => rig.submit(tenant, id, keysOf(id), { spec })));
      }
      for (const id of ids) {
        const { jobsByState } = await rig.untilCampaignEnds(tenant, id, 180);
        expect(jobsByState).toEqual({ succeeded: JOBS.length });
      }
      expect(rig.world.handedOver.toSorted()).toEqual(ids.flatMap(keysOf).toSorted());
    });
    const continued = histories.filter(({ workflowId, run }) => workflowId.startsWith('cluster/') && run > 1);
    expect(continued.length).toBeGreaterThan(0);
    for (const { history } of continued) {
      expect(sizeOfInput(history) / campaignCount).toBeLessThan(MAX_STATE_BYTES_PER_CAMPAIGN);
    }
    await replay(histories, bundlePath);
  }, 600_000);
});

/** Bytes of what a run begins with. */
function sizeOfInput({ events }: MadeHistory['history']): number {
  const { payloads } = events?.[0]?.workflowExecutionStartedEventAttributes?.input ?? {};
  return (payloads ?? []).reduce((sum, { data }) => sum + (data?.byteLength ?? 0), 0);
}
