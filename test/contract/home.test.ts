import { CreateFileSystemCommand, DescribeAccessPointsCommand } from '@aws-sdk/client-efs';
import { beforeAll, describe, expect, test } from 'vitest';
import { createHomeActivities } from '../../src/activities/home.ts';
import { EfsAccessPoints } from '../../src/clients/efs-access-points.ts';
import type { Deployment } from '../../src/domain/deployment.ts';
import { deploymentTags } from '../../src/domain/resource-tags.ts';
import { runActivity } from '../support/activity.ts';
import { lagBehind, useEmulatedAws } from '../support/aws.ts';

const aws = useEmulatedAws();
let efsFileSystemId: string;
let homes: ReturnType<typeof createHomeActivities>;

beforeAll(async () => {
  const { efs } = aws().clients;
  const { FileSystemId = '' } = await efs.send(new CreateFileSystemCommand({ CreationToken: 'homes' }));
  efsFileSystemId = FileSystemId;
  homes = createHomeActivities({ efs, efsFileSystemId, stackPollSeconds: 0.05 });
});

let count = 0;
function freshDeployment(projectId: string): Deployment {
  count += 1;
  return { virtualLabId: 'lab', projectId, clusterName: 'pcluster', epoch: `home${count}` };
}

async function rootOf(accessPointId: string): Promise<string | undefined> {
  const command = new DescribeAccessPointsCommand({ FileSystemId: efsFileSystemId });
  const { AccessPoints = [] } = await aws().clients.efs.send(command);
  return AccessPoints.find(({ AccessPointId }) => AccessPointId === accessPointId)?.RootDirectory?.Path;
}

describe('the home of a deployment', () => {
  test('is its tenant’s own folder, the same in every deployment, by an access point of its own', async () => {
    const [first, next, other] = [freshDeployment('a'), freshDeployment('a'), freshDeployment('b')];
    const made = [];
    for (const deployment of [first, next, other]) {
      const home = await runActivity(homes.ensureHome, deployment);
      expect(await runActivity(homes.ensureHome, deployment)).toEqual(home);
      made.push(home?.accessPointId ?? '');
    }
    expect(new Set(made).size).toBe(3);
    expect(await Promise.all(made.map(rootOf))).toEqual(['/homes/lab/a', '/homes/lab/a', '/homes/lab/b']);
    await runActivity(homes.deleteHome, first);
    // Again: it may be gone already.
    await runActivity(homes.deleteHome, first);
    expect(await Promise.all(made.map(rootOf))).toEqual([undefined, '/homes/lab/a', '/homes/lab/b']);
  });

  test('belongs to root, so that no user of a node can change who comes in', async () => {
    await runActivity(homes.ensureHome, freshDeployment('owned'));
    const command = new DescribeAccessPointsCommand({ FileSystemId: efsFileSystemId });
    const { AccessPoints = [] } = await aws().clients.efs.send(command);
    const { RootDirectory } = AccessPoints.find((each) => each.RootDirectory?.Path?.endsWith('/owned')) ?? {};
    expect(RootDirectory?.CreationInfo).toEqual({ OwnerUid: 0, OwnerGid: 0, Permissions: '0755' });
  });

  test('is looked for until it must show where it was asked for and does not yet', async () => {
    const deployment = freshDeployment('late');
    const { efs } = aws().clients;
    const lag = { change: 'CreateAccessPoint', read: 'DescribeAccessPoints', times: 1 };
    const stop = lagBehind(efs, lag);
    await runActivity(homes.deleteHome, deployment);
    const accessPointId = await new EfsAccessPoints(efs).create(efsFileSystemId, '/homes/lab/late', {
      requestToken: 'late',
      tags: deploymentTags(deployment),
    });
    await runActivity(homes.deleteHome, { ...deployment, askedSecondsAgo: 20 });
    expect(stop()).toBe(1);
    expect(await rootOf(accessPointId)).toBeUndefined();
  });

  test('has one access point when the answer to its creation was lost', async () => {
    const accessPoints = new EfsAccessPoints(aws().clients.efs);
    const make = async () =>
      accessPoints.create(efsFileSystemId, '/homes/lab/lost', { requestToken: 'lost', tags: {} });
    expect(await make()).toBe(await make());
  });

  test('is the head node’s own disk where the installation has no EFS', async () => {
    const without = createHomeActivities({
      efs: aws().clients.efs,
      efsFileSystemId: undefined,
      stackPollSeconds: 1,
    });
    expect(await runActivity(without.ensureHome, freshDeployment('c'))).toBeUndefined();
  });
});
