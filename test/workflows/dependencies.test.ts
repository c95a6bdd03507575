import { describe, expect, it } from 'vitest';
import type { DependencyCondition } from '../../src/domain/dependencies.ts';
import { campaignJobs } from '../../src/workflows/messages.ts';
import { inVirtualTime } from '../support/virtual-time.ts';

const run = inVirtualTime({ serverFor: 'file' });

/**
 * Jobs are tried again after 30 s. At that moment no other timer may be due: the time-skipping server would refuse what a
 * workflow does about a timer which just fires.
 */
const policy = { busyTickSeconds: 14 };

const campaignId = 'pppppppppppppppppppppppppp';

/** A job that depends on others in the same way. */
function after(condition: DependencyCondition, key: string, ...others: readonly string[]) {
  return { key, dependsOn: others.map((other) => ({ key: other, condition })) };
}

const everyCondition = [
  after('afterok', 'ok-after-good', 'good'),
  after('afterok', 'ok-after-bad', 'bad'),
  after('afterany', 'any-after-good', 'good'),
  after('afterany', 'any-after-bad', 'bad'),
  after('afternotok', 'notok-after-good', 'good'),
  after('afternotok', 'notok-after-bad', 'bad'),
];
const met = ['ok-after-good', 'any-after-good', 'any-after-bad', 'notok-after-bad'];
const unmet = ['ok-after-bad', 'notok-after-good'];

describe('jobs that depend on others', () => {
  it('go to Slurm at once, each after those it depends on, and wait for them there', async () => {
    await run({ recordAs: 'dependencies' }, async (rig) => {
      const tenant = rig.tenant('graph');
      const simulations = ['sim-1', 'sim-2', 'sim-3'];
      rig.world.ownDurationSeconds.set('sim-2', 200);
      const jobs = [
        after('afterok', 'collect', ...simulations),
        ...simulations.map((key) => after('afterok', key, 'prepare')),
        { key: 'prepare' },
      ];
      await rig.submit(tenant, campaignId, jobs, { spec: rig.spec() });
      await rig.until(tenant, 'ready');
      await rig.pass(30);
      const running = await rig.campaign(tenant, campaignId);
      expect(running).toMatchObject({ state: 'running', jobsByState: { running: 1, pending: 4 } });
      expect(running.message).toBe('All jobs were handed to Slurm. Waiting for others to end: 4 jobs.');
      expect(rig.world.handedOver).toEqual(['prepare', ...simulations, 'collect']);
      const ended = await rig.untilCampaignEnds(tenant, campaignId);
      expect(ended).toMatchObject({ state: 'succeeded', jobsByState: { succeeded: 5 } });
      const page = await rig.campaignHandle(tenant, campaignId).query(campaignJobs, { offset: 0, limit: 10 });
      expect(page.jobs.map(({ key }) => key)).toEqual(jobs.map(({ key }) => key));
      const [collect, first, second, third, prepare] = page.jobs;
      for (const simulation of [first, second, third]) expect(simulation?.startedAt).toBe(prepare?.endedAt);
      expect(collect?.startedAt).toBe(second?.endedAt);
    });
  });

  it('run or are ended by Slurm, according to the condition', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('in-slurm');
      rig.world.exitCodes.set('bad', 1);
      await rig.submit(tenant, campaignId, ['good', 'bad', ...everyCondition], { spec: rig.spec() });
      const ended = await rig.untilCampaignEnds(tenant, campaignId);
      expect(ended.state).toBe('failed');
      expect(new Set(rig.world.handedOver)).toEqual(new Set(['good', 'bad', ...met, ...unmet]));
      expect(rig.world.handedOver).toHaveLength(8);
      for (const key of met)
        expect(await rig.job(tenant, campaignId, key)).toMatchObject({ state: 'succeeded' });
      for (const key of unmet) {
        const job = await rig.job(tenant, campaignId, key);
        expect(job).toMatchObject({ state: 'cancelled', slurmState: 'CANCELLED' });
      }
    });
  });

  it('wait when Slurm knows a dependency no more, and are decided when its end is known', async () => {
    await run({ policy }, async (rig) => {
      const tenant = rig.tenant('purged');
      const slurm = await rig.readyCluster(tenant);
      slurm.purgedKeys.add('good').add('bad');
      rig.world.exitCodes.set('bad', 1);
      await rig.submit(tenant, campaignId, ['good', 'bad', ...everyCondition]);
      await rig.pass(20);
      const waiting = await rig.campaign(tenant, campaignId);
      expect(waiting).toMatchObject({ state: 'submitting', jobsByState: { running: 2, waiting: 6 } });
      expect(waiting.message).toContain('Being handed to Slurm: 6 jobs.');
      const deferred = await rig.job(tenant, campaignId, 'ok-after-bad');
      expect(deferred?.reason).toBe('Not in Slurm yet: no job of bad');
      const ended = await rig.untilCampaignEnds(tenant, campaignId);
      expect(ended).toMatchObject({
        state: 'failed',
        jobsByState: { succeeded: 5, failed: 1, cancelled: 2 },
      });
      for (const key of met) expect(slurm.find(campaignId, key)).toMatchObject({ dependencies: [] });
      for (const key of unmet) expect(slurm.find(campaignId, key)).toBeUndefined();
      expect(await rig.job(tenant, campaignId, 'ok-after-bad')).toMatchObject({
        state: 'cancelled',
        reason: 'Never submitted: `bad` ended as failed, and it was to start only if that succeeds.',
        logsComplete: true,
      });
    });
  });

  it('are tried again after half a minute when nothing new is heard', async () => {
    await run({ policy: { busyTickSeconds: 600 } }, async (rig) => {
      const tenant = rig.tenant('again');
      const slurm = await rig.readyCluster(tenant);
      slurm.purgedKeys.add('first');
      rig.world.jobDurationSeconds = 3600;
      await rig.submit(tenant, campaignId, ['first', after('afterok', 'second', 'first')]);
      await rig.pass(20);
      expect(slurm.find(campaignId, 'second')).toBeUndefined();
      slurm.purgedKeys.clear();
      await rig.pass(60);
      expect(slurm.find(campaignId, 'second')).toBeDefined();
    });
  });

  it('end along a chain without having been submitted, up to one that does not mind', async () => {
    await run({ policy }, async (rig) => {
      const tenant = rig.tenant('cascade');
      rig.world.refusals.set('a', 'Requested node configuration is not available');
      const jobs = [
        after('afterany', 'd', 'c'),
        after('afterok', 'c', 'b'),
        after('afterok', 'b', 'a'),
        { key: 'a' },
      ];
      await rig.submit(tenant, campaignId, jobs, { spec: rig.spec() });
      const ended = await rig.untilCampaignEnds(tenant, campaignId);
      expect(ended).toMatchObject({
        state: 'failed',
        jobsByState: { rejected: 1, cancelled: 2, succeeded: 1 },
      });
      const slurm = rig.world.slurmOf((await rig.view(tenant)).clusterName);
      expect(slurm.jobs.map(({ jobKey }) => jobKey)).toEqual(['d']);
      expect(await rig.job(tenant, campaignId, 'c')).toMatchObject({
        reason: 'Never submitted: `b` ended as cancelled, and it was to start only if that succeeds.',
      });
      expect([...rig.world.copiedLogs]).toEqual(['d']);
    });
  });
});

describe('a campaign whose content cannot be read', () => {
  it('ends as failed with the cause, and does not keep the cluster', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('missing');
      rig.world.failOn('loadCampaign', 'CampaignContentMissing');
      await rig.submit(tenant, campaignId, ['a', 'b'], { spec: rig.spec() });
      const ended = await rig.untilCampaignEnds(tenant, campaignId);
      expect(ended).toMatchObject({
        state: 'failed',
        jobCount: 2,
        failure: { type: 'CampaignContentMissing' },
      });
      expect(rig.world.manifests.get(campaignId)).toEqual([]);
      await rig.until(tenant, 'deleted');
    });
  });
});
