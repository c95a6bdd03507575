import { campaignWorkflowId, clusterWorkflowId } from '../src/domain/ids.ts';
import { historiesOf, readingHistories } from '../test/support/replay.ts';
import { prepareWorkflowTests } from '../test/support/workflow-globals.ts';
import { startTimeSkipping } from '../test/support/time-skipping.ts';
import { WorkflowRig } from '../test/support/workflow-rig.ts';

/*
 * How much Temporal history a campaign costs, per job: on the real workflows, with everything else in memory. Jobs end
 * at different times over five minutes, so that many ticks bring news. Run by `node bench/history.ts`.
 */

const JOB_COUNTS = [1, 10, 100, 1000];
const CAMPAIGN_ID = 'tttttttttttttttttttttttttt';
/** At 1,000 jobs. */
const TARGET_EVENTS_PER_JOB = 1;

interface Measured {
  readonly jobCount: number;
  readonly campaignEvents: number;
  readonly clusterEvents: number;
  readonly looks: number;
}

async function eventCount(rig: WorkflowRig, workflowId: string): Promise<number> {
  return readingHistories(rig.env.address, async (client) => {
    const runs = await historiesOf(client, workflowId);
    return runs.reduce((sum, { events }) => sum + (events?.length ?? 0), 0);
  });
}

async function measure(jobCount: number, bundlePath: string, testServerPath: string): Promise<Measured> {
  const env = await startTimeSkipping(testServerPath);
  let measured: Measured | undefined;
  try {
    await WorkflowRig.run(env, { bundlePath, workflowThread: true }, async (rig) => {
      const tenant = rig.tenant(`jobs-${jobCount}`);
      await rig.readyCluster(tenant);
      const eventsBefore = await eventCount(rig, clusterWorkflowId(tenant));
      const looksBefore = rig.world.calls.get('observeSlurm') ?? 0;
      const keys = Array.from({ length: jobCount }, (_, index) => `job-${index}`);
      for (const [index, key] of keys.entries()) {
        rig.world.ownDurationSeconds.set(key, 30 + ((index * 7919) % 300));
      }
      await rig.submit(tenant, CAMPAIGN_ID, keys);
      await rig.campaignHandle(tenant, CAMPAIGN_ID).result();
      measured = {
        jobCount,
        campaignEvents: await eventCount(rig, campaignWorkflowId(tenant, CAMPAIGN_ID)),
        clusterEvents: (await eventCount(rig, clusterWorkflowId(tenant))) - eventsBefore,
        looks: (rig.world.calls.get('observeSlurm') ?? 0) - looksBefore,
      };
    });
  } finally {
    await env.teardown();
  }
  if (!measured) throw new Error('nothing was measured');
  return measured;
}

function row(cells: readonly (string | number)[]): string {
  return `| ${cells.map((cell) => String(cell).padStart(15)).join(' | ')} |\n`;
}

const { places, close } = await prepareWorkflowTests();
try {
  const header = ['jobs', 'campaign events', 'events per job', 'cluster events', 'looks at Slurm'];
  process.stdout.write(row(header));
  process.stdout.write(row(header.map(() => '---')));
  for (const jobCount of JOB_COUNTS) {
    const measured = await measure(jobCount, places.bundlePath, places.testServerPath);
    const { campaignEvents, clusterEvents, looks } = measured;
    const perJob = campaignEvents / jobCount;
    process.stdout.write(row([jobCount, campaignEvents, perJob.toFixed(2), clusterEvents, looks]));
    if (jobCount === 1000 && perJob > TARGET_EVENTS_PER_JOB) process.exitCode = 1;
  }
} finally {
  await close();
}
