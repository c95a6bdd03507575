import { beforeEach, describe, expect, it } from 'vitest';
import { createUsageActivities } from '../../src/activities/usage.ts';
import type { CostRates } from '../../src/domain/cost-rates.ts';
import { KnownFailure } from '../../src/domain/failures.ts';
import { jobSpecSchema } from '../../src/domain/job.ts';
import { FakeSlurmGateway } from '../fakes/fake-slurm-gateway.ts';
import { MemoryUsageStore } from '../fakes/memory-usage-store.ts';
import { activityContext } from '../support/activity.ts';

const epoch = '1k2m9x0aab12cd';
const tenant = { virtualLabId: 'lab', projectId: 'project' };
const campaignId = 'mfrggzdfmztwq2lknnwg23tpou';
const hostKey = 'ssh-ed25519 AAAAfake';
const access = { address: '10.0.0.1', port: 22, user: 'sim', hostKey, privateKeySecretArn: 'arn:key' };
const head = { epoch, access };

let gateway: FakeSlurmGateway;
let usageStore: MemoryUsageStore;

beforeEach(async () => {
  gateway = new FakeSlurmGateway();
  usageStore = new MemoryUsageStore();
  const jobs = [{ spec: jobSpecSchema.parse({ key: 'a', command: ['true'] }) }];
  await gateway.submit(head, { campaignId, jobs, defaultQueue: 'debug' });
  // It starts, as a look at it shows.
  await gateway.observe(head, {});
});

const rates: CostRates = {
  version: 1,
  region: 'us-east-1',
  rootVolumeUsdPerHour: 0,
  computeResources: [{ queue: 'debug', name: 't3', instanceType: 't3.micro', usdPerHour: 0.01 }],
  endpointsUsdPerHour: 0,
};

const record = async (isLast = false, own: { readonly rates?: CostRates } = {}) =>
  activityContext().run(async () =>
    createUsageActivities({ gateway, usageStore }).recordUsage({
      ...tenant,
      clusterName: 'cluster',
      ...head,
      isLast,
      ...own,
    }),
  );
const stored = async () => usageStore.get(tenant, epoch);

describe('recordUsage', () => {
  it('replaces what was stored of the epoch with all that accounting has', async () => {
    await record();
    expect(await stored()).toMatchObject({
      final: false,
      groups: [{ allocations: [['1', 1, 1, 1_000_001, null, 0]] }],
    });
    await gateway.observe(head, {});
    await record();
    expect(await stored()).toMatchObject({
      groups: [{ queue: 'debug', campaignId, allocations: [['1', 1, 1, 1_000_001, 1_000_002, 0]] }],
    });
  });

  it('is final when it is the last and everything has ended', async () => {
    await gateway.observe(head, {});
    await record();
    expect((await stored())?.final).toBe(false);
    await record(true);
    expect((await stored())?.final).toBe(true);
  });

  it('is not final where a job of somebody else still runs, which nobody waits for', async () => {
    await record(true);
    expect((await stored())?.final).toBe(false);
  });

  it('fails as the last one while slurmctld holds something back, and stores what is known', async () => {
    gateway.accountingIsWhole = false;
    await expect(record(true)).rejects.toMatchObject({ type: 'SlurmUnavailable' });
    expect(await stored()).toMatchObject({ final: false, groups: [{ queue: 'debug' }] });
    await record(false);
  });

  it('keeps what accounting has purged meanwhile', async () => {
    await gateway.observe(head, {});
    await record();
    gateway = new FakeSlurmGateway();
    await record();
    expect((await stored())?.groups).toHaveLength(1);
  });

  it('keeps what nodes cost beside it, from the first time on at which somebody says so', async () => {
    await record();
    expect(await stored()).not.toHaveProperty('prices');
    await record(false, { rates });
    const priced = { 'debug-dy-t3': { usdPerHour: 0.01, cpus: 2 } };
    expect(await stored()).toMatchObject({
      groups: [{ nodeGroup: 'debug-dy-t3' }],
      prices: { nodeGroups: priced },
    });
    await record();
    expect(await stored()).toMatchObject({ prices: { nodeGroups: priced } });
  });

  it('asks only for what can be new once accounting was whole, and for everything until then', async () => {
    const asked: (number | undefined)[] = [];
    const readUsage = gateway.readUsage.bind(gateway);
    gateway.readUsage = async (head, request, options) => {
      asked.push(request.sinceSeconds);
      return readUsage(head, request, options);
    };
    gateway.accountingIsWhole = false;
    await record();
    await record();
    gateway.accountingIsWhole = true;
    await record();
    gateway.accountingIsWhole = false;
    await record();
    await record();
    const sixHoursBefore = 1_000_002 - 6 * 3600;
    expect(asked).toEqual([undefined, undefined, undefined, sixHoursBefore, sixHoursBefore]);
  });

  it('does not replace what another attempt has asked later and written first', async () => {
    const readUsage = gateway.readUsage.bind(gateway);
    gateway.readUsage = async (...request) => {
      const early = await readUsage(...request);
      gateway.readUsage = readUsage;
      await gateway.observe(head, {});
      await record(true);
      return early;
    };
    await record();
    expect(await stored()).toMatchObject({
      final: true,
      groups: [{ allocations: [['1', 1, 1, 1_000_001, 1_000_002, 0]] }],
    });
  });

  it('stores nothing when Slurm does not answer', async () => {
    gateway.outage = new KnownFailure('SlurmUnavailable', 'slurmdbd is away');
    await expect(record(true)).rejects.toMatchObject({ type: 'SlurmUnavailable' });
    expect(await stored()).toBeUndefined();
  });
});
