import type { WorkflowHandle } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import { campaignWorkflowId, clusterWorkflowId, type Tenant } from '../../src/domain/ids.ts';
import { historiesOf, readingHistories } from '../support/replay.ts';
import { inVirtualTime } from '../support/virtual-time.ts';
import type { WorkflowRig } from '../support/workflow-rig.ts';

// One server for each test: see `endOf` in continue-as-new.test.ts.
const run = inVirtualTime({ serverFor: 'test' });

const campaignCount = 12;
const JOBS_PER_CAMPAIGN = 3;
const BUSY_TICK_SECONDS = 14;
/** On the cluster, for each campaign: accepted, started, told of the cluster and of each change, and its own reports. */
const CLUSTER_EVENTS_PER_CAMPAIGN = 45;
/** And without campaigns: the cluster is made, and looks at Slurm. */
const EVENTS_OF_CLUSTER = 400;
const EVENTS_OF_CAMPAIGN = 90;

const idOf = (index: number) =>
  `campaign${String.fromCodePoint(97 + (index % 26), 97 + Math.floor(index / 26))}`.padEnd(26, 'x');
const campaignIds = Array.from({ length: campaignCount }, (_, index) => idOf(index));
const keysOf = (campaignId: string) =>
  Array.from({ length: JOBS_PER_CAMPAIGN }, (_, index) => `${campaignId}-${index}`);

type Events = NonNullable<Awaited<ReturnType<WorkflowHandle['fetchHistory']>>['events']>;

async function eventsOf(rig: WorkflowRig, workflowId: string): Promise<Events[]> {
  return readingHistories(rig.env.address, async (client) =>
    (await historiesOf(client, workflowId)).map(({ events }) => events ?? []),
  );
}

/**
 * Accepts all of them, one after the other, with time for what the campaign signals at first, before the cluster is
 * ready. The time-skipping server lets an update be handled right after the event that
 * scheduled the task, so before a signal that arrives until it is started, and writes down that it came after (in
 * temporal-test-server, `setEventId(data.scheduledEventId)` beside `setAcceptedRequestSequencingEventId`): what it wrote
 * replays in another order. Temporal's server names the event before the task's start in both. That campaigns which
 * arrive together replay there is tested in test/contract/many-campaigns.contract.test.ts.
 */
async function acceptAll(rig: WorkflowRig, tenant: Tenant): Promise<void> {
  rig.world.failOn('checkReadiness', 'ClusterNotReady');
  for (const campaignId of campaignIds) {
    await rig.submit(tenant, campaignId, keysOf(campaignId), { spec: rig.spec() });
    await rig.pass(1);
  }
  rig.world.heal('checkReadiness');
  await rig.until(tenant, 'ready');
}

const looksOf = (rig: WorkflowRig) => rig.world.calls.get('observeSlurm') ?? 0;

describe(`${campaignCount} campaigns on one cluster`, () => {
  it('are followed by one look a tick, which tells each at most once what changed', async () => {
    await run({ policy: { busyTickSeconds: BUSY_TICK_SECONDS } }, async (rig) => {
      const tenant = rig.tenant('many');
      rig.world.jobDurationSeconds = 300;
      await acceptAll(rig, tenant);
      await rig.pass(60);
      expect(await rig.view(tenant)).toMatchObject({
        openCampaigns: campaignCount,
        activity: { running: campaignCount * JOBS_PER_CAMPAIGN },
      });
      const looksBefore = looksOf(rig);
      await rig.pass(10 * BUSY_TICK_SECONDS);
      expect(looksOf(rig) - looksBefore).toBeLessThanOrEqual(11);
      await rig.pass(180);
      const events = (await eventsOf(rig, clusterWorkflowId(tenant))).flat();
      expect(events.length).toBeLessThan(EVENTS_OF_CLUSTER + CLUSTER_EVENTS_PER_CAMPAIGN * campaignCount);
      const ticks = new Set<string>();
      for (const id of campaignIds) {
        const own = (await eventsOf(rig, campaignWorkflowId(tenant, id))).flat();
        expect(own.length).toBeLessThan(EVENTS_OF_CAMPAIGN);
        const told = timesOfSignals(events, campaignWorkflowId(tenant, id));
        expect(new Set(told).size).toBe(told.length);
        expect(told.length).toBeGreaterThanOrEqual(2);
        for (const tick of told) ticks.add(tick);
      }
      expect(ticks.size).toBeLessThanOrEqual(looksOf(rig));
      expect(rig.world.handedOver.toSorted()).toEqual(campaignIds.flatMap(keysOf).toSorted());
      expect(rig.world.copiedLogs.size).toBe(campaignCount * JOBS_PER_CAMPAIGN);
    });
  }, 60_000);
});

/** When, as workflow tasks that a signal of facts came from; two from one would be two in one tick. */
function timesOfSignals(events: Events, workflowId: string): string[] {
  return events.flatMap(({ signalExternalWorkflowExecutionInitiatedEventAttributes: signal }) =>
    signal?.signalName === 'slurmFacts' && signal.workflowExecution?.workflowId === workflowId
      ? [String(signal.workflowTaskCompletedEventId)]
      : [],
  );
}
