import { DescribeDataRepositoryAssociationsCommand } from '@aws-sdk/client-fsx';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { whoLivesIn } from '../../src/activities/subnet-interfaces.ts';
import { createSweepActivities } from '../../src/activities/sweep.ts';
import { createS3CostStore } from '../../src/clients/cost-store.ts';
import { EMULATED_REGION } from '../../src/dev/emulated-account.ts';
import { logGroupNames } from '../../src/dev/leftovers.ts';
import { startMeter } from '../../src/domain/cost-meter.ts';
import { clusterWorkflowId, newEpochId } from '../../src/domain/ids.ts';
import { resourceKinds } from '../../src/domain/orphans.ts';
import { priceTable } from '../../src/domain/prices.ts';
import { runActivity } from '../support/activity.ts';
import { useEmulatedAws } from '../support/aws.ts';
import { eventually } from '../support/platform.ts';
import {
  INSTALLATION,
  LATER_DAYS,
  living,
  now,
  orphan,
  plantAccount,
  type Planted,
} from '../support/planted-account.ts';

const aws = useEmulatedAws();
const control = () => ({ s3: aws().clients.s3, bucket: 'control' });
let planted: Planted;
/** Workflows that run, with their views. */
let running: Record<string, unknown>;

beforeAll(async () => {
  planted = await plantAccount(aws());
}, 60_000);

beforeEach(() => {
  running = { [clusterWorkflowId(living)]: { epoch: living.epoch, state: 'ready', openCampaigns: 1 } };
});

function sweepActivities() {
  return createSweepActivities({
    ...aws().clients,
    controlBucket: 'control',
    installation: INSTALLATION,
    deploymentStore: { isAbandoned: async () => false },
    region: EMULATED_REGION,
    costStore: createS3CostStore(control()),
    currentPrices: async () => priceTable,
    listLeases: async () => planted.leases,
    describeWorkflow: async (id) => (id in running ? { isRunning: true, view: running[id] } : undefined),
    now,
  });
}
const survey = async () => {
  const { surveyOrphans } = sweepActivities();
  return runActivity(async () => surveyOrphans(), undefined);
};
const allLogGroups = async () => logGroupNames(aws().clients, '/');

describe('a sweep of an account', () => {
  test('finds an orphan of every kind, and tells what only looks like one', async () => {
    const { orphans, lookAlikes, remnants = [] } = await survey();
    const found = Object.groupBy(
      orphans.find(({ epoch }) => epoch === orphan.epoch)?.resources ?? [],
      ({ kind }) => kind,
    );
    for (const kind of resourceKinds.filter((each) => each !== 'subnet-lease')) {
      expect(planted.ids[kind]?.length, kind).toBeGreaterThan(0);
      expect(found[kind]?.map(({ id }) => id).toSorted(), kind).toEqual(planted.ids[kind]?.toSorted());
    }
    expect(found['subnet-lease']?.map(({ id }) => id)).toEqual([planted.subnetIds[0]]);
    expect(orphans.map(({ projectId }) => projectId).toSorted()).toEqual(['lease-only', 'orphan']);
    const leaseOnly = orphans.find(({ projectId }) => projectId === 'lease-only');
    expect(leaseOnly?.resources.map(({ kind, id }) => `${kind} ${id}`)).toEqual([
      `subnet-lease ${planted.subnetIds[1]}`,
      `instance ${planted.ids.stopped?.[0]}`,
    ]);
    expect(remnants.map(({ id }) => id).toSorted()).toEqual(planted.ids.remnant?.toSorted());
    expect(lookAlikes.map(({ kind, id, because }) => `${kind} ${id}: ${because}`).toSorted()).toEqual(
      planted.ids['look-alike']?.toSorted(),
    );
  });

  test('sees who lives in a subnet at the moment in which it would be given back', async () => {
    const [, free = '', used = ''] = planted.subnetIds;
    const look = whoLivesIn(aws().clients.ec2);
    expect(await look(used)).toMatch(/^The network interface eni-\w+ \(of a node\) is in it\.$/);
    expect(await look(free)).toBeUndefined();
  });

  test('prices what it finds, with what the deployment’s own meter had come to', async () => {
    const priceNow = async () => (await survey()).orphans.find(({ epoch }) => epoch === orphan.epoch)?.cost;
    const before = await priceNow();
    // A t3.medium with its disk, 1,200 GiB of Lustre, one secret.
    expect(before?.usdPerMonth).toBeCloseTo(0.0416 * 730 + 40 * 0.08 + 1200 * 0.21 + 0.4, 2);
    expect(before?.unpriced).toEqual([]);
    expect(before?.usdSoFar).toBeCloseTo((before?.usdPerHour ?? 0) * 24 * LATER_DAYS, 0);
    const meter = {
      ...startMeter(new Date(now()).toISOString()),
      usd: { headNode: 5, nodes: 0, rootVolumes: 0, lustre: 0, endpoints: 9 },
    };
    await createS3CostStore(control()).putDeployment(orphan, { meter, startedAt: meter.since });
    // The secret is on no meter.
    expect((await priceNow())?.usdSoFar).toBeCloseTo(5 + (0.4 / 730) * 24 * LATER_DAYS, 1);
  });

  test('counts what the control bucket keeps of deployments that are over', async () => {
    const before = (await survey()).records;
    const { s3 } = aws().clients;
    const over = newEpochId(0, '0123456789abcdef');
    for (const Key of [
      `deployments/sweep/over/${over}/cost.json`,
      `usage/sweep/over/${over}.json`,
      // Of a deployment that lives, and of a tenant.
      `jobs/sweep/living/${living.epoch}.json`,
      'deployments/sweep/over/cost-account.json',
    ])
      await s3.send(new PutObjectCommand({ Bucket: 'control', Key, Body: '0123456789' }));
    const after = (await survey()).records;
    expect((after?.epochs ?? 0) - (before?.epochs ?? 0)).toBe(1);
    expect((after?.objects ?? 0) - (before?.objects ?? 0)).toBe(2);
    expect((after?.bytes ?? 0) - (before?.bytes ?? 0)).toBe(20);
    expect(after?.usdPerMonth).toBeGreaterThan(0);
  });

  test('removes nothing that came back to life after the look', async () => {
    const { remnants = [] } = await survey();
    running[clusterWorkflowId(orphan)] = { epoch: orphan.epoch, state: 'provisioning' };
    const groups = remnants.filter(({ kind }) => kind === 'log-group');
    const before = await allLogGroups();
    const outcomes = await runActivity(sweepActivities().removeRemnants, { remnants: groups });
    expect(outcomes.map(({ isRemoved, because }) => `${isRemoved} ${because}`)).toEqual([
      'false It is in use again.',
      'false It is in use again.',
    ]);
    expect(await allLogGroups()).toEqual(before);
  });

  test('makes the log group of a tenant anew who came back in the very moment', async () => {
    const [remnant] = (await survey()).remnants?.filter(({ id }) => id.endsWith('/sweep/orphan')) ?? [];
    let looks = 0;
    const activities = createSweepActivities({
      ...aws().clients,
      controlBucket: 'control',
      installation: INSTALLATION,
      deploymentStore: { isAbandoned: async () => false },
      region: EMULATED_REGION,
      costStore: createS3CostStore(control()),
      currentPrices: async () => priceTable,
      listLeases: async () => [],
      describeWorkflow: async () => {
        looks += 1;
        return looks === 1 ? undefined : { isRunning: true, view: { state: 'provisioning' } };
      },
      now,
    });
    const request = { remnants: remnant ? [remnant] : [] };
    const outcomes = await runActivity(activities.removeRemnants, request);
    expect(outcomes).toMatchObject([
      { isRemoved: false, because: 'Its tenant came back: it was made anew.' },
    ]);
    expect(await allLogGroups()).toContain(remnant?.id);
    expect((await survey()).remnants?.map(({ id }) => id)).toContain(remnant?.id);
  });

  test('removes what is empty and belongs to nothing, and nothing else', async () => {
    const { remnants = [] } = await survey();
    const before = await allLogGroups();
    const outcomes = await runActivity(sweepActivities().removeRemnants, { remnants });
    expect(outcomes.every(({ isRemoved }) => isRemoved)).toBe(true);
    const removed = new Set(planted.ids.remnant);
    expect(await allLogGroups()).toEqual(before.filter((name) => !removed.has(name)));
    const links = async () =>
      (await aws().clients.fsx.send(new DescribeDataRepositoryAssociationsCommand({}))).Associations ?? [];
    const left = await eventually(links, (found) => found.length === 3, 10);
    expect(left.some(({ AssociationId = '' }) => removed.has(AssociationId))).toBe(false);
    expect((await survey()).remnants).toEqual([]);
  });

  test('removes no link whose file system is there after all', async () => {
    const id = planted.ids['lustre-link']?.[0] ?? '';
    const remnants = [{ kind: 'lustre-link' as const, id, because: 'somebody said so' }];
    const [outcome] = await runActivity(sweepActivities().removeRemnants, { remnants });
    expect(outcome).toMatchObject({ isRemoved: false, because: `${planted.ids.lustre?.[0]} is AVAILABLE.` });
  });
});
