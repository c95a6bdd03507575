import { describe, expect, it } from 'vitest';
import { clusterWorkflowId } from '../../src/domain/ids.ts';
import { resolveBlock } from '../../src/workflows/messages.ts';
import { inVirtualTime } from '../support/virtual-time.ts';

const run = inVirtualTime({ serverFor: 'file' });

describe('a teardown', () => {
  it('cancels what runs, copies its logs and only then deletes the stack', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('asked');
      const campaignId = 'eeeeeeeeeeeeeeeeeeeeeeeeee';
      rig.world.jobDurationSeconds = 86_400;
      await rig.submit(tenant, campaignId, ['a', 'b'], { spec: rig.spec() });
      await rig.until(tenant, 'ready');
      await rig.pass(60);
      await rig.teardown(tenant, 'no longer needed');
      const campaign = await rig.untilCampaignEnds(tenant, campaignId);
      expect(campaign.jobsByState).toEqual({ cancelled: 2 });
      expect([...rig.world.copiedLogs].toSorted()).toEqual(['a', 'b']);
      await rig.until(tenant, 'deleted');
      expect(rig.world.leftovers()).toEqual([]);
      expect(await rig.leases()).toEqual([]);
    });
  });

  it('keeps subnet and keys while the stack does not go, and ends when an operator retries', async () => {
    await run({ recordAs: 'blocked' }, async (rig) => {
      const tenant = rig.tenant('blocked');
      await rig.ensure(tenant);
      await rig.until(tenant, 'ready');
      rig.world.failOn('deleteStack', 'StackDeleteFailed');
      await rig.teardown(tenant);
      const blocked = await rig.until(tenant, 'blocked');
      expect(blocked).toMatchObject({
        failure: { type: 'StackDeleteFailed' },
        choices: ['retry', 'abandon'],
      });
      expect(await rig.leases()).toEqual([`${blocked.subnetId}, held by ${clusterWorkflowId(tenant)}`]);
      expect(rig.world.keyPairs.size).toBe(2);
      rig.world.heal('deleteStack');
      await rig.cluster(tenant).executeUpdate(resolveBlock, {
        args: [{ choice: 'retry', by: 'operator@example.org', reason: 'removed the leftover interface' }],
      });
      const view = await rig.until(tenant, 'deleted');
      expect(view.failure).toBeUndefined();
      expect(rig.world.leftovers()).toEqual([]);
      expect(await rig.leases()).toEqual([]);
    });
  });

  it('is given up only when that is kept for the sweep, and remembers each epoch that was', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('abandoned-twice');
      const given: string[] = [];
      rig.world.failOn('deleteStack', 'StackDeleteFailed');
      rig.world.failOn('keepAbandonment', 'AwsAccessDenied', { times: 1 });
      const abandon = async () =>
        rig.cluster(tenant).executeUpdate(resolveBlock, {
          args: [{ choice: 'abandon', by: 'alex', reason: 'support has it' }],
        });
      for (const round of ['first', 'second']) {
        await rig.ensure(tenant);
        const { epoch = '' } = await rig.until(tenant, 'ready');
        await rig.teardown(tenant);
        await rig.until(tenant, 'blocked');
        await abandon();
        if (round === 'first') {
          await rig.untilView(
            tenant,
            ({ state, message }) => state === 'blocked' && message.startsWith('Not abandoned'),
          );
          await abandon();
        }
        await rig.until(tenant, 'failed');
        rig.world.stacks.clear();
        given.unshift(epoch);
      }
      expect((await rig.view(tenant)).abandonedEpochs).toEqual(given);
      expect([...rig.world.abandonments.keys()].toSorted()).toEqual(given.toSorted());
    });
  });

  it('refuses an answer without a name, and gives up only by a named decision', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('abandoned');
      await rig.ensure(tenant);
      const { subnetId, epoch } = await rig.until(tenant, 'ready');
      rig.world.failOn('deleteStack', 'StackDeleteFailed');
      await rig.teardown(tenant);
      await rig.until(tenant, 'blocked');
      const nameless = rig.cluster(tenant).executeUpdate(resolveBlock, {
        args: [{ choice: 'abandon', by: ' ', reason: 'because' }],
      });
      await expect(nameless).rejects.toMatchObject({ cause: { type: 'InvalidRequest' } });
      await rig.cluster(tenant).executeUpdate(resolveBlock, {
        args: [{ choice: 'abandon', by: 'operator@example.org', reason: 'deleted by hand' }],
      });
      const view = await rig.until(tenant, 'failed');
      expect(view.failure?.message).toContain('operator@example.org');
      expect(view.abandonedEpochs).toEqual([epoch]);
      expect(rig.world.abandonments.get(epoch ?? '')).toMatchObject({
        by: 'operator@example.org',
        reason: 'deleted by hand',
      });
      expect(rig.world.keyPairs.size).toBe(2);
      // The stack may still live in the subnet: nobody else may be given it.
      expect(await rig.leases()).toEqual([`${subnetId}, held by ${clusterWorkflowId(tenant)}`]);
    });
  });

  it('is followed by a new deployment when one was asked for meanwhile', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('next');
      await rig.ensure(tenant);
      const first = await rig.until(tenant, 'ready');
      rig.world.failOn('deleteStack', 'StackDeleteFailed');
      await rig.teardown(tenant);
      await rig.until(tenant, 'blocked');
      const campaignId = 'ffffffffffffffffffffffffff';
      const { outcome } = await rig.submit(tenant, campaignId, ['next'], {
        spec: rig.spec({ idleTimeoutSeconds: 60 }),
      });
      expect(outcome).toBe('accepted');
      rig.world.heal('deleteStack');
      await rig.cluster(tenant).executeUpdate(resolveBlock, {
        args: [{ choice: 'retry', by: 'operator', reason: 'mended' }],
      });
      const campaign = await rig.untilCampaignEnds(tenant, campaignId);
      expect(campaign.state).toBe('succeeded');
      expect(campaign.logs?.epoch).not.toBe(first.epoch);
    });
  });

  it('follows when an operator cancels the workflow, which then ends', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('cancelled');
      await rig.ensure(tenant);
      await rig.until(tenant, 'ready');
      await rig.cluster(tenant).cancel();
      await rig.cluster(tenant).result();
      expect(rig.world.leftovers()).toEqual([]);
      expect(await rig.leases()).toEqual([]);
    });
  });
});

describe('the campaign of a cluster whose workflow an operator cancels', () => {
  it('ends with its logs copied and its manifest written', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('cancelled-busy');
      const campaignId = 'mmmmmmmmmmmmmmmmmmmmmmmmmm';
      await rig.readyCluster(tenant);
      rig.world.jobDurationSeconds = 3600;
      await rig.submit(tenant, campaignId, ['long']);
      await rig.pass(60);
      await rig.cluster(tenant).cancel();
      const campaign = await rig.untilCampaignEnds(tenant, campaignId);
      expect(campaign).toMatchObject({ state: 'cancelled', jobsByState: { cancelled: 1 } });
      expect([...rig.world.copiedLogs]).toEqual(['long']);
      expect(rig.world.manifests.get(campaignId)).toHaveLength(1);
      await rig.cluster(tenant).result();
      expect(rig.world.leftovers()).toEqual([]);
    });
  });
});

describe('an update that an operator types', () => {
  it.each([
    ['ensure', { spec: { tier: 'debug' } }, 'spec.queues'],
    ['ensure', null, 'the request'],
    ['submit', { campaignId: 'a' }, 'campaignId'],
    ['teardown', null, 'the request'],
    ['teardown', {}, 'reason'],
    ['release', null, 'the request'],
    ['hold', {}, 'name'],
    ['extend', { until: 'tomorrow' }, 'until'],
    ['resolve', { choice: 'ignore' }, 'choice'],
  ])('is refused as a request when it is wrong, naming the field: %s %j', async (update, request, field) => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('typed');
      await rig.readyCluster(tenant);
      const typed = rig.cluster(tenant).executeUpdate(update, { args: [request] });
      await expect(typed).rejects.toMatchObject({
        cause: {
          type: 'InvalidRequest',
          message: expect.stringContaining(`${field}: `),
          details: [
            {
              errors: [
                { in: 'body', path: field === 'the request' ? '' : field, reason: expect.any(String) },
              ],
            },
          ],
        },
      });
      expect((await rig.view(tenant)).state).toBe('ready');
    });
  });
});

describe('a campaign', () => {
  it('is one campaign however often it is sent, and refused with another body', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('repeated');
      const campaignId = 'gggggggggggggggggggggggggg';
      const first = await rig.submit(tenant, campaignId, ['a'], { spec: rig.spec() });
      const second = await rig.submit(tenant, campaignId, ['a'], { spec: rig.spec() });
      expect([first.outcome, second.outcome]).toEqual(['accepted', 'repeated']);
      const other = rig.submit(tenant, campaignId, ['a'], { sha256: 'other' });
      await expect(other).rejects.toMatchObject({ cause: { type: 'CampaignConflict' } });
      await rig.untilCampaignEnds(tenant, campaignId);
      const late = await rig.submit(tenant, campaignId, ['a'], { spec: rig.spec() });
      expect(late.outcome).toBe('repeated');
    });
  });

  it('is refused without a cluster, and when it names a queue that the cluster lacks', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('refused');
      // Begun and looked at first: the time-skipping server loses its way when an update that arrives in a
      // workflow's first task is refused.
      await rig.start(tenant);
      await rig.view(tenant);
      await expect(rig.submit(tenant, 'hhhhhhhhhhhhhhhhhhhhhhhhhh', ['a'])).rejects.toMatchObject({
        cause: { type: 'NoCluster' },
      });
      await rig.ensure(tenant);
      await rig.until(tenant, 'ready');
      const wrong = rig.submit(tenant, 'iiiiiiiiiiiiiiiiiiiiiiiiii', ['a'], { queues: ['gpu'] });
      await expect(wrong).rejects.toMatchObject({ cause: { type: 'QueueNotInCluster' } });
      const demands = [{ index: 4, jobKey: 'a', field: 'timeLimitSeconds', value: 86_401 }] as const;
      await expect(
        rig.submit(tenant, 'iiiiiiiiiiiiiiiiiiiiiiiiii', ['a'], { demands }),
      ).rejects.toMatchObject({
        cause: {
          type: 'InvalidRequest',
          details: [{ errors: [{ in: 'body', path: 'jobs.4.timeLimitSeconds' }] }],
        },
      });
    });
  });

  it('submits each job once although the answer of a submission is lost', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('lost-answer');
      const campaignId = 'jjjjjjjjjjjjjjjjjjjjjjjjjj';
      rig.world.crashOn('submitJobs', 2);
      await rig.submit(tenant, campaignId, ['a', 'b', 'c'], { spec: rig.spec() });
      const { clusterName } = await rig.until(tenant, 'ready');
      await rig.untilCampaignEnds(tenant, campaignId);
      expect(rig.world.slurmOf(clusterName).jobs).toHaveLength(3);
    });
  });

  it('ends when its jobs cannot be submitted for good, with the cause, and does not keep the cluster', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('not-submitted');
      const campaignId = 'llllllllllllllllllllllllll';
      rig.world.failOn('submitJobs', 'HostKeyMismatch');
      await rig.submit(tenant, campaignId, ['a', 'b'], { spec: rig.spec() });
      const campaign = await rig.untilCampaignEnds(tenant, campaignId);
      expect(campaign).toMatchObject({
        state: 'failed',
        jobsByState: { rejected: 2 },
        failure: { type: 'HostKeyMismatch' },
      });
      expect(rig.world.manifests.get(campaignId)).toHaveLength(2);
      await rig.until(tenant, 'deleted');
    });
  });

  it('ends although its logs cannot be copied, and says so at the jobs', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('no-logs');
      const campaignId = 'kkkkkkkkkkkkkkkkkkkkkkkkkk';
      rig.world.failOn('copyJobLogs', 'AwsAccessDenied');
      await rig.submit(tenant, campaignId, ['a'], { spec: rig.spec() });
      const campaign = await rig.untilCampaignEnds(tenant, campaignId);
      expect(campaign.state).toBe('succeeded');
      expect(rig.world.manifests.get(campaignId)?.[0]?.logsProblem).toContain('planted AwsAccessDenied');
    });
  });

  it('says at a job what was left out of its logs, and at no other', async () => {
    await run({}, async (rig) => {
      const tenant = rig.tenant('left-out-logs');
      const campaignId = 'nnnnnnnnnnnnnnnnnnnnnnnnnn';
      rig.world.logProblems = [
        { jobKey: 'a', message: 'No stdout.' },
        { jobKey: 'a', message: 'No stderr.' },
      ];
      await rig.submit(tenant, campaignId, ['a', 'b'], { spec: rig.spec() });
      await rig.untilCampaignEnds(tenant, campaignId);
      const problems = rig.world.manifests.get(campaignId)?.map(({ key, logsProblem }) => [key, logsProblem]);
      expect(problems).toEqual([
        ['a', 'No stdout. No stderr.'],
        ['b', undefined],
      ]);
    });
  });
});
