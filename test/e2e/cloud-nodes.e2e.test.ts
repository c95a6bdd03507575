import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, Platform } from '../support/platform.ts';

/** ParallelCluster counts idle nodes in minutes; here such a minute lasts so long. */
const MINUTE_SECONDS = 3;

let platform: Platform;
beforeAll(async () => {
  platform = await Platform.start({}, { bootSeconds: 4, minuteSeconds: MINUTE_SECONDS });
});
afterAll(async () => {
  await platform?.close();
});

describe('a node of a cluster', () => {
  it('starts when a job wants it, which the job says until it runs, and goes before the idle cluster does', async () => {
    const tenant = { virtualLabId: 'e2e', projectId: 'cloud-nodes' };
    const nodeStates = async () => {
      const stdout = await platform.onHeadNode(tenant, ['sinfo', '-h', '-N', '-O', 'StateComplete:60']);
      return new Set(stdout.split('\n').flatMap((line) => line.trim() || []));
    };
    const allAreDown = (states: ReadonlySet<string>) =>
      states.size === 1 && states.has('idle+cloud+powered_down');
    await platform.ensure(tenant, { tier: 'debug', idleTimeoutSeconds: 12, scaledownIdleTimeSeconds: 60 });
    await platform.until(tenant, ['ready']);
    // The job that showed that the cluster is ready has started one.
    await eventually(nodeStates, allAreDown, 20);

    const campaignId = await platform.submit(tenant, 'wakes', {
      jobs: [{ key: 'job', command: ['sleep', '3'] }],
    });
    const seen = new Set<string>();
    await platform.untilCampaign(tenant, campaignId, ({ jobs, endedAt }) => {
      for (const { state, pendingCause, reason } of jobs)
        seen.add(state === 'pending' && pendingCause === 'node-booting' ? `pending: ${reason}` : state);
      return endedAt !== undefined;
    });
    expect([...seen]).toContain('pending: Its nodes are booting');
    expect([...seen].indexOf('running')).toBeGreaterThan([...seen].indexOf('pending: Its nodes are booting'));
    expect(seen).toContain('succeeded');

    await eventually(nodeStates, allAreDown, 20);
    const idle = await platform.cluster(tenant);
    expect(idle).toMatchObject({ state: 'ready', teardownAt: expect.any(String) });
    await platform.until(tenant, ['deleted']);
    expect(await platform.leftovers()).toEqual([]);
  });
});
